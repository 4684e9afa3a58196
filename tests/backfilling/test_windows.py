"""The windows of a backfill: all of the spans, in order, each piece once."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.backfilling.windows import (
    DEFAULT_CHUNK,
    Span,
    fault,
    format_window,
    next_window,
    share_done,
)

DAY = 86_400.0
NOW = 1_700_000_000.0
TIMES = st.lists(st.integers(-(10**9), 10**10), min_size=2, max_size=12, unique=True).map(sorted)


def spans_of(times: Sequence[int]) -> list[Span]:
    """Pair times up."""
    return [(float(a), float(b)) for a, b in zip(times[::2], times[1::2], strict=False)]


@given(TIMES, st.integers(10**8, 10**10))
def test_windows_cover_the_spans_once_and_in_order(times: list[int], chunk: int) -> None:
    """With any chunk, nothing between the spans is read and nothing of them is left out."""
    spans, position, found = spans_of(times), float(times[0]), []
    while window := next_window(spans, chunk=chunk, position=position):
        found.append(window)
        position = window[1]

    assert all(0 < end - start <= chunk for start, end in found)
    assert [a for a, _ in found if a in {s for s, _ in spans}] == [start for start, _ in spans]
    assert sum(end - start for start, end in found) == sum(end - start for start, end in spans)
    assert sorted(found) == found
    assert share_done(spans, position) == 1.0
    assert share_done(spans, times[0]) == 0.0


def test_window_begins_at_the_position() -> None:
    """What lies before it is safe."""
    spans = [(0.0, 100.0), (200.0, 300.0)]

    assert next_window(spans, chunk=60, position=0) == (0, 60)
    assert next_window(spans, chunk=60, position=60) == (60, 100)
    assert next_window(spans, chunk=60, position=100) == (200, 260)
    assert next_window(spans, chunk=60, position=150) == (200, 260)
    assert next_window(spans, chunk=60, position=300) is None


def test_share_done_counts_the_spans_alone() -> None:
    """The gaps between them count neither as done nor as to do."""
    spans = [(0.0, 100.0), (900.0, 1000.0)]

    assert share_done(spans, 50) == 0.25
    assert share_done(spans, 500) == 0.5
    assert share_done(spans, 950) == 0.75


@pytest.mark.parametrize(
    ("spans", "chunk", "rate", "problem"),
    [
        ([], DEFAULT_CHUNK, None, "spans: expected at least one, got none"),
        ([(2, 2)], DEFAULT_CHUNK, None, "a start before its end"),
        ([(3, 2)], DEFAULT_CHUNK, None, "got [3, 2]"),
        ([(math.nan, 2)], DEFAULT_CHUNK, None, "a start before its end"),
        ([(1, math.inf)], DEFAULT_CHUNK, None, "a start before its end"),
        ([(-1e12, 1)], DEFAULT_CHUNK, None, "a start before its end"),
        ([(1, 3), (2, 4)], DEFAULT_CHUNK, None, "got 2 after 3"),
        ([(3, 4), (1, 2)], DEFAULT_CHUNK, None, "without overlaps"),
        ([(1, 2)], 0.5, None, "chunk: expected at least 1 s, got 0.5"),
        ([(1, 2)], math.nan, None, "chunk: "),
        ([(1, 2)], math.inf, None, "chunk: "),
        ([(1, 2)], DEFAULT_CHUNK, 0, "rate: expected more than 0 readings in a second, got 0"),
        ([(1, 2)], DEFAULT_CHUNK, math.nan, "rate: "),
        ([(-5, 2)], DEFAULT_CHUNK, None, "as start a year from 1970 on, got [-5, 2]"),
        ([(1, NOW + 3 * DAY)], DEFAULT_CHUNK, None, "as end a time until now, got [1, "),
        ([(1, 2), (NOW, NOW + DAY)], DEFAULT_CHUNK, None, "as start a time before now and"),
    ],
)
def test_what_cannot_be_read_is_told(
    spans: Sequence[Span], chunk: float, rate: float | None, problem: str
) -> None:
    """The message says what would be right, and what was got."""
    assert problem in fault(spans, chunk=chunk, rate=rate, now=NOW)


def test_spans_that_touch_are_fine() -> None:
    """A span may begin where another ends, and a rate may be below one reading in a second."""
    assert fault([(1, 2), (2, 3)], chunk=1, rate=0.01, now=NOW) == ""


def test_window_is_shown_in_utc() -> None:
    """Both ends are told to the minute, with the zone."""
    assert format_window((0, 5400)) == "1970-01-01 00:00 to 1970-01-01 01:30 UTC"
