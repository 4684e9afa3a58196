"""The calendar of a DCS server: periods, and windows cut at their borders.

A server refuses a window that does not begin and end with a period. Days, weeks
(from Monday) and months are those of UTC, or of London where local time was asked
for. Months differ in length, so everything here counts periods by the calendar.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise
from math import ceil
from typing import Final

HALF_HOUR: Final = 1800
HOUR: Final = 3600


@dataclass(frozen=True, slots=True)
class Window:
    """What is read at once: from ``start`` to before ``end``, both aware."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return self.end - self.start

    def __contains__(self, other: "Window") -> bool:
        """Say whether all of another period lies in this one."""
        return self.start <= other.start and other.end <= self.end

    def within(self, other: "Window") -> "Window":
        """Return the part of this period that lies in another one."""
        return Window(max(self.start, other.start), min(self.end, other.end))


@dataclass(frozen=True, slots=True)
class Calendar:
    """The periods of one kind, numbered in their order.

    Attributes:
        wire: What servers call this kind of period.
        zone: Where days begin at midnight.
        number: The number of the period that a moment lies in.
        begin: The moment at which the period of a number begins, in UTC.
    """

    wire: str
    zone: tzinfo
    number: Callable[[datetime], int]
    begin: Callable[[int], datetime]

    def floor(self, moment: datetime) -> datetime:
        """Return when the period that a moment lies in begins."""
        return self.begin(self.number(moment))

    def number_after(self, moment: datetime) -> int:
        """Return the number of the first period that does not begin before a moment."""
        number = self.number(moment)
        return number if self.begin(number) == moment else number + 1

    def ceil(self, moment: datetime) -> datetime:
        """Return when the first period begins that does not begin before a moment."""
        return self.begin(self.number_after(moment))

    def widened(self, span: Window) -> Window:
        """Return a span widened to whole periods."""
        return Window(self.floor(span.start), self.ceil(span.end))

    def windows(self, start: datetime, end: datetime, *, longest: timedelta) -> list[Window]:
        """Cut a span, widened to whole periods, into as few and as equal windows as possible.

        A window of one period may be longer than ``longest``: it cannot be cut.
        """
        first, count = self.number(start), self.number_after(end) - self.number(start)
        if start >= end:
            return []
        pieces = max(1, ceil((self.begin(first + count) - self.begin(first)) / longest))
        while True:
            cut = self._cut(first, count, min(pieces, count))
            if pieces >= count or all(each.length <= longest for each in cut):
                return cut
            pieces += 1

    def _cut(self, first: int, count: int, pieces: int) -> list[Window]:
        """Cut periods into pieces; the first ones are longer where it does not come out even."""
        size, longer = divmod(count, pieces)
        borders = [self.begin(first + at * size + min(at, longer)) for at in range(pieces + 1)]
        return [Window(a, b) for a, b in pairwise(borders)]


def clockwork(wire: str, seconds: int) -> Calendar:
    """Return the calendar of periods that all have the same length."""
    return Calendar(
        wire,
        UTC,
        lambda moment: int(moment.timestamp() // seconds),
        lambda number: datetime.fromtimestamp(number * seconds, UTC),
    )


def dates(
    wire: str, zone: tzinfo, number: Callable[[date], int], begin: Callable[[int], date]
) -> Calendar:
    """Return the calendar of periods that begin at midnight of certain dates."""
    return Calendar(
        wire,
        zone,
        lambda moment: number(moment.astimezone(zone).date()),
        lambda at: datetime.combine(begin(at), time(), zone).astimezone(UTC),
    )


def calendar(period: str, *, zone: tzinfo = UTC) -> Calendar:
    """Return the calendar for one of ``PERIODS``."""
    if period == "half_hour":
        return clockwork("halfHour", HALF_HOUR)
    if period == "hour":
        return clockwork("hour", HOUR)
    if period == "day":
        return dates("day", zone, date.toordinal, date.fromordinal)
    if period == "week":  # day 1 was a Monday
        return dates(
            "week",
            zone,
            lambda day: (day.toordinal() - 1) // 7,
            lambda number: date.fromordinal(number * 7 + 1),
        )
    return dates(
        "month",
        zone,
        lambda day: day.year * 12 + day.month - 1,
        lambda number: date(number // 12, number % 12 + 1, 1),
    )


PERIODS: Final = ("half_hour", "hour", "day", "week", "month")
