"""Values that are missing and may still come: how long a position in a source waits for them.

A source writes null, or what is no number, where a value comes later. A position that passed it
would never see it; one that waited without end would stay for ever before a null that is meant.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from math import inf, isfinite
from typing import Any, Final

from ingestd.plugins._limits import MILLISECONDS
from ingestd.plugins._readings import Reading, column

SECOND: Final = 1.0


class Awaited:
    """Takes note of the values that are missing in what one run reads.

    Args:
        hold: For how long a time that has no value yet holds the position, in seconds.
        now: When the run began, in Unix seconds.

    Attributes:
        since: The first time whose value may still come, in Unix seconds; inf: there is none.
    """

    def __init__(self, *, hold: float, now: float) -> None:
        self._hold, self._now = hold, now
        self.since = inf
        self._given_up = 0  # values that are missing since longer than that
        self._from, self._to = inf, -inf

    def gather(self, readings: Sequence[Reading], *, read: float | None) -> None:
        """Take note of what is missing among some readings.

        Args:
            readings: What a source has given.
            read: Up to when all was read before, in Unix seconds; None: nothing was.
        """
        if are_finite(column(readings, 2)):
            return
        for reading in readings:
            value = reading[2]
            if not is_number(value) and (at := seconds(reading[0])) is not None:
                self._miss(at, read)

    def _miss(self, time: float, read: float | None) -> None:
        """Take note that a value is missing, unless that is no wonder: its time is to come."""
        if time > self._now:
            return
        if time > self._now - self._hold:
            self.since = min(self.since, time)
        elif read is None or time > read:
            self._given_up += 1
            self._from, self._to = min(self._from, time), max(self._to, time)

    def position(self, reached: float | None, *, start: float | None) -> float | None:
        """Return how far everything has been read, in Unix seconds; None: nothing has.

        Args:
            reached: How far this run has come; None: it has read nothing.
            start: Where it began; None: at the beginning.
        """
        if reached is None:
            return start
        # A second before, so that it is asked for whether or not the ends count.
        found = min(reached, self.since - SECOND)
        return found if start is None else max(start, found)

    def notes(self) -> list[str]:
        """Return what people should know of the run."""
        if not self._given_up:
            return []
        span = f"from {shown(self._from)} to {shown(self._to)}"
        if self._from == self._to:
            span = f"at {shown(self._to)}"
        count = f"{self._given_up} value{'s' if self._given_up > 1 else ''}"
        return [f"{count} missing {span}, which is beyond hold: not waited for"]


def are_finite(numbers: Sequence[Any]) -> bool:
    """Say whether all are finite numbers; mostly they are."""
    if not set(map(type, numbers)) <= {float, int}:
        return False
    try:
        return isfinite(sum(numbers))
    except OverflowError:  # of whole numbers
        return False


def reached_by(readings: Sequence[Reading], now: float) -> Sequence[Any]:
    """Return the times that readings tell of: not those to come that have no value yet.

    A source that gives a whole day has null for the rest of it, which says nothing of what lies
    between its last value and now.

    Args:
        readings: What a source has given.
        now: When the run began, in Unix seconds.
    """
    times = column(readings, 0)
    if are_finite(column(readings, 2)):
        return times
    return [
        time
        for time, reading in zip(times, readings, strict=True)
        if is_number(reading[2]) or (at := seconds(time)) is None or at <= now
    ]


def ends_of(times: Sequence[Any]) -> tuple[float, float]:
    """Return the first and the last of times that can be compared; inf and -inf if none can."""
    if times and are_finite(times):
        first, last = min(times), max(times)
        if first > -MILLISECONDS and last < MILLISECONDS:
            return float(first), float(last)
    known = [each for time in times if (each := seconds(time)) is not None]
    return min(known, default=inf), max(known, default=-inf)


def seconds(time: Any) -> float | None:
    """Return a reading's time in Unix seconds, or None if it has none that can be compared."""
    if type(time) is float and -MILLISECONDS < time < MILLISECONDS:
        return time
    if isinstance(time, datetime):
        return time.timestamp() if time.tzinfo else None
    usable = type(time) in {int, float} and isfinite(time) and abs(time) < MILLISECONDS
    return float(time) if usable else None


def is_number(value: Any) -> bool:
    """Say whether a value is one that the daemon can store."""
    return isinstance(value, int | float) and isfinite(value)


def shown(time: float) -> str:
    """Return Unix seconds as people read them."""
    return f"{datetime.fromtimestamp(time, UTC):%FT%TZ}"
