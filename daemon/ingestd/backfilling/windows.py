"""The windows of a backfill: which stretch of time is read next, and how far it has come.

A backfill has spans: pairs of times, in order and apart. Its windows are pieces of
them, no longer than a chunk. Its *position* is a time: everything of the spans that
lies before it is safe. All times are in seconds since the Unix epoch; a window
begins at its start and ends before its end.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final, Literal

Span = tuple[float, float]

DEFAULT_CHUNK: Final = 90 * 86_400.0  # seconds, unless the operator gives a chunk
SHORTEST_WINDOW: Final = 1.0  # seconds
# What a datetime can say, with a day to spare for time zones.
FIRST: Final = datetime(1, 1, 2, tzinfo=UTC).timestamp()
LAST: Final = datetime(9999, 12, 30, tzinfo=UTC).timestamp()
# No meter is older than the clocks of computers.
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC).timestamp()
AHEAD: Final = 2 * 86_400.0  # seconds; a day begins up to 26 hours earlier in other zones


@dataclass(frozen=True, slots=True)
class Beyond:
    """A time of a span at which no source can have anything.

    Attributes:
        at: Which of the two.
        expected: What would be right.
    """

    at: Literal["start", "end"]
    expected: str


def beyond(span: Span, *, now: float) -> Beyond | None:
    """Say which time of a span is one at which no source can have anything, if there is one."""
    start, end = span
    if end > now + AHEAD:
        return Beyond("end", "a time until now")
    if start < EARLIEST:
        return Beyond("start", "a year from 1970 on")
    if start >= min(end, now):
        return Beyond("start", "a time before now and before the end")
    return None


def fault(spans: Sequence[Span], *, chunk: float, rate: float | None, now: float) -> str:
    """Say what is wrong with a backfill that is asked for, or return an empty string."""
    if wrong := _fault_of_spans(spans, now=now):
        return f"spans: expected {wrong}"
    if not SHORTEST_WINDOW <= chunk < math.inf:
        return f"chunk: expected at least {SHORTEST_WINDOW:g} s, got {chunk!r}"
    if rate is not None and not 0 < rate < math.inf:
        return f"rate: expected more than 0 readings in a second, got {rate!r}"
    return ""


def _fault_of_spans(spans: Sequence[Span], *, now: float) -> str:
    if not spans:
        return "at least one, got none"
    for start, end in spans:
        if not FIRST <= start < end <= LAST:
            wanted = "a start before its end, in seconds since the Unix epoch"
            return f"{wanted}, got {[start, end]!r}"
        if wrong := beyond((start, end), now=now):
            return f"as {wrong.at} {wrong.expected}, got {[start, end]!r}"
    for (_, end), (start, _) in pairwise(spans):
        if start < end:
            return f"an order without overlaps, got {start!r} after {end!r}"
    return ""


def too_short(chunk: float, cadence: float | None) -> bool:
    """Say whether a chunk is shorter than readings are apart: most windows would hold none."""
    return cadence is not None and chunk < cadence


def next_window(spans: Sequence[Span], *, chunk: float, position: float) -> Span | None:
    """Return the window that begins at the position, or None when all is done."""
    for start, end in spans:
        begin = max(start, position)
        if begin < end:
            return begin, min(end, begin + chunk)
    return None


def share_done(spans: Sequence[Span], position: float) -> float:
    """Return how much of the spans lies before the position, from 0 to 1."""
    whole = sum(end - start for start, end in spans)
    before = sum(max(0.0, min(end, position) - start) for start, end in spans)
    return before / whole


def format_window(window: Span) -> str:
    """Return a window for people, in UTC."""
    start, end = (datetime.fromtimestamp(time, tz=UTC) for time in window)
    return f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
