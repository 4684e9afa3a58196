"""How a source wants to be asked for times: as numbers or texts, and in which zone."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any, Final

from ingestd.plugins._fields import UNIX

SECOND: Final = 1.0
DAY: Final = 86_400.0  # seconds
FINEST: Final = 1e-6  # seconds
# What a pattern says at most, from the finest: its directives, and their length in seconds.
UNITS: Final = ((frozenset("fScXT"), 1.0), (frozenset("MR"), 60.0), (frozenset("HI"), 3600.0))
DIRECTIVE: Final = re.compile(r"%[-_0^#]?([A-Za-z%])")
# Directives that name an instant or a zone, so that the pattern says itself what it means.
ZONED: Final = re.compile(r"%[zZ]|Z$|%[HMSf]Z")
HOUR: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Notation:
    """How the ends of a window are written.

    Attributes:
        pattern: ``unix`` and its kin, a pattern for ``strftime``, or None: ISO 8601, in UTC.
        zone: Where the clock stands that patterns without a zone are meant for.
    """

    pattern: str | None
    zone: tzinfo | None

    @classmethod
    def of(cls, pattern: Any, zone: tzinfo | None, *, where: str) -> "Notation":
        """Check a pattern.

        Raises:
            ValueError: It is none.
        """
        if pattern is not None and pattern not in UNIX:
            found = DIRECTIVE.findall(pattern) if isinstance(pattern, str) else []
            if not found or "s" in found:
                raise ValueError(
                    f"{where}: expected {', '.join(UNIX)} or a pattern such as %Y-%m-%dT%H:%M, "
                    f"got {pattern!r}"
                )
        return cls(pattern, zone)

    @property
    def is_number(self) -> bool:
        """Whether times are numbers."""
        return self.pattern in UNIX

    @property
    def resolution(self) -> float:
        """What it tells apart, in seconds."""
        if self.pattern is None:
            return FINEST
        if self.pattern in UNIX:
            return 1 / UNIX[self.pattern]
        found = set(DIRECTIVE.findall(self.pattern))
        return next((seconds for units, seconds in UNITS if found & units), DAY)

    @property
    def clock(self) -> tzinfo:
        """Where the clock stands that shows what is written."""
        if self.zone is None or self.pattern is None or self.is_number:
            return UTC
        # A pattern that ends in a Z that is a letter means UTC; others show the zone themselves.
        return UTC if ZONED.search(self.pattern) and "%z" not in self.pattern else self.zone

    def write(self, seconds: float, *, first: bool) -> str | int:
        """Return a time as it is written.

        Args:
            seconds: The time, in Unix seconds.
            first: Whether it begins a window, which may begin too early but not too late: in
                the hour that comes twice its text can be read as either.
        """
        if self.pattern in UNIX:
            return int(seconds * UNIX[self.pattern])
        moment = datetime.fromtimestamp(seconds, self.clock)
        if self.pattern is None:
            return moment.isoformat().replace("+00:00", "Z")
        if first and "%z" not in self.pattern and comes_again(moment):
            moment -= HOUR
        return moment.strftime(self.pattern)


def comes_again(moment: datetime) -> bool:
    """Say whether a clock shows the time of this moment once more, an hour later or so."""
    return moment.fold == 0 and moment.replace(fold=1).utcoffset() != moment.utcoffset()


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
