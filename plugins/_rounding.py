"""What a source can be asked for: the times next to another that its notation can say.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

from datetime import datetime, time, timedelta, tzinfo
from typing import Final

from ingestd.plugins._times import UNIX, Notation
from ingestd.plugins._walltime import repeated

SECOND: Final = 1.0
DAY: Final = 86_400.0  # seconds
FINEST: Final = 1e-6  # seconds
# What a pattern says at most, from the finest: its directives, and their length in seconds.
UNITS: Final = ((frozenset("fS"), SECOND), (frozenset("M"), 60.0), (frozenset("HI"), 3600.0))


def resolution(notation: Notation) -> float:
    """Return what a notation tells apart, in seconds."""
    if notation.count is not None:
        return max(notation.count.seconds, FINEST)
    if notation.pattern is not None:
        found = set(notation.pattern.directives)
        return next((seconds for units, seconds in UNITS if found & units), DAY)
    return 1 / UNIX[notation.time_format] if notation.time_format in UNIX else FINEST


def before_change(notation: Notation, seconds: float) -> float:
    """Return a time, or a second before the hour that comes twice if it lies in that.

    A text without a zone names both passes, and a source may take it for either.
    """
    span = _unclear(notation, seconds)
    return seconds if span is None else span[0].replace(tzinfo=notation.zone).timestamp()


def behind_change(notation: Notation, seconds: float) -> float:
    """Return a time, or the end of the hour that comes twice if it lies in that."""
    span = _unclear(notation, seconds)
    return seconds if span is None else span[1].replace(tzinfo=notation.zone).timestamp()


def _unclear(notation: Notation, seconds: float) -> tuple[datetime, datetime] | None:
    zone = notation.zone
    if zone is None or not notation.local or resolution(notation) >= DAY:
        return None
    return repeated(seconds, zone)


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


def before(notation: Notation, seconds: float) -> float:
    """Return the latest time before another that can be written."""
    found = resolution(notation)
    return floor(seconds - min(found, SECOND), found, notation.clock)


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
