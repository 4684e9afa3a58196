"""How a source wants to be asked for times: as numbers or texts, and in which zone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from typing import Any, Final

from ingestd.plugins import _times

SECOND: Final = 1.0
DAY: Final = 86_400.0  # seconds
FINEST: Final = 1e-6  # seconds
RESOLUTIONS: Final[Mapping[str | None, float]] = {
    **{name: 1 / unit for name, unit in _times.UNIX.items()},
    "dotnet": 1e-3,
    "rfc2822": SECOND,
}
# What a pattern says at most, from the finest: its directives, and their length in seconds.
UNITS: Final = ((frozenset("fS"), 1.0), (frozenset("M"), 60.0), (frozenset("HI"), 3600.0))


@dataclass(frozen=True, slots=True)
class Notation:
    """How the ends of a window are written.

    Attributes:
        how: How the source writes times; ISO 8601 in UTC, if it is not said.
    """

    how: _times.Notation

    @classmethod
    def of(cls, pattern: Any, zone: tzinfo | None, *, where: str) -> "Notation":
        """Check a format of times.

        Raises:
            ValueError: It is none.
        """
        return cls(_times.notation(pattern, zone, where=where, asking=True))

    @property
    def resolution(self) -> float:
        """What it tells apart, in seconds."""
        if self.how.pattern is None:
            return RESOLUTIONS.get(self.how.time_format, FINEST)
        found = set(self.how.pattern.directives)
        return next((seconds for units, seconds in UNITS if found & units), DAY)

    @property
    def clock(self) -> tzinfo:
        """Where the clock stands that shows what is written."""
        return self.how.clock

    def write(self, seconds: float, *, first: bool) -> str | int:
        """Return a time as it is written.

        Args:
            seconds: The time, in Unix seconds.
            first: Whether it begins a window, which may begin too early but not too late, as
                others may end too late: what is in the hour that comes twice has to come.
        """
        text = self.how.since(seconds) if first else self.how.until(seconds)
        return int(text) if self.how.time_format in _times.UNIX else text


def floor(seconds: float, resolution: float, clock: tzinfo) -> float:
    """Return the latest time not after another that can be written exactly, to the second."""
    if resolution < SECOND:
        return seconds
    shown = datetime.fromtimestamp(seconds, clock)
    midnight = datetime.combine(shown.date(), time())
    if resolution >= DAY:
        return midnight.replace(tzinfo=clock).timestamp()
    since_midnight = (shown.replace(tzinfo=None) - midnight).total_seconds()
    return seconds - since_midnight % resolution


def ceiling(seconds: float, resolution: float, clock: tzinfo) -> float:
    """Return the earliest time not before another that can be written exactly."""
    begun = floor(seconds, resolution, clock)
    return begun if begun == seconds else later(begun, resolution, clock)


def later(seconds: float, span: float, clock: tzinfo) -> float:
    """Return a time that is later by a span, by the clock and in fact, but by no more in either.

    In spring a clock shows an hour more than passed, and a source may count either.
    """
    before = datetime.fromtimestamp(seconds, clock)
    shown = (before.replace(tzinfo=None) + timedelta(seconds=span)).replace(
        tzinfo=clock, fold=before.fold
    )
    by_clock = shown.timestamp()
    if span % DAY == 0 and before.time() == time():
        return by_clock  # days, from midnight to midnight
    return min(seconds + span, by_clock) if by_clock > seconds else seconds + span
