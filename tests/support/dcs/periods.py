"""The calendar of a DCS server: where periods begin, in UTC or in local time."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from enum import Enum
from typing import Final, Self
from zoneinfo import ZoneInfo

HALF_HOUR: Final = 1800
LONDON: Final = ZoneInfo("Europe/London")
UTC_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class Period(Enum):
    """What readings can be summed up over."""

    HALF_HOUR = "halfHour"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    @classmethod
    def of(cls, text: str) -> Self:
        """Return the period of that name, however it is capitalised.

        Raises:
            ValueError: There is none.
        """
        for each in cls:
            if each.value.lower() == text.lower():
                return each
        known = ", ".join(each.value for each in cls)
        raise ValueError(f"expected one of {known}, got {text!r}")

    @property
    def seconds(self) -> int | None:
        """How long it always is; None if that depends on the calendar."""
        return {Period.HALF_HOUR: HALF_HOUR, Period.HOUR: 3600}.get(self)


def stamp(at: datetime) -> int:
    """Return an instant in Unix seconds; it must have a time zone."""
    assert at.tzinfo is not None, f"expected a time with a zone, got {at}"
    return int(at.timestamp())


def aligned(at: int, period: Period, zone: tzinfo = UTC) -> bool:
    """Whether a period begins at that instant."""
    if period.seconds:
        return at % period.seconds == 0
    wall = datetime.fromtimestamp(at, zone)
    if (wall.hour, wall.minute, wall.second) != (0, 0, 0):
        return False
    return {Period.WEEK: wall.weekday() == 0, Period.MONTH: wall.day == 1}.get(period, True)


def following(at: int, period: Period, zone: tzinfo = UTC) -> int:
    """Return when the next period begins after one that begins at an instant."""
    if period.seconds:
        return at + period.seconds
    wall = datetime.fromtimestamp(at, zone)
    if period is Period.MONTH:
        return stamp((wall.replace(day=28) + timedelta(days=4)).replace(day=1))
    # The clock on the wall is moved, so a day may have 23 or 25 hours.
    return stamp(wall + timedelta(days=7 if period is Period.WEEK else 1))


def preceding(at: int, period: Period, zone: tzinfo = UTC) -> int:
    """Return when the period begins that ends at an instant at which another one begins."""
    if period.seconds:
        return at - period.seconds
    wall = datetime.fromtimestamp(at, zone)
    if period is Period.MONTH:
        return stamp((wall - timedelta(days=1)).replace(day=1))
    return stamp(wall - timedelta(days=7 if period is Period.WEEK else 1))


def moved(at: int, periods: int, period: Period, zone: tzinfo = UTC) -> int:
    """Return the instant so many periods later, or earlier if it is a negative number."""
    step = following if periods > 0 else preceding
    for _ in range(abs(periods)):
        at = step(at, period, zone)
    return at


def written(at: int, zone: tzinfo = UTC) -> str:
    """Write an instant as the server does: with a Z, or the offset of local time."""
    text = datetime.fromtimestamp(at, zone).isoformat()
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


def read_utc(text: str) -> int:
    """Read a time in the only form that the current API takes.

    Raises:
        ValueError: It has another one.
    """
    if not UTC_TIME.fullmatch(text):
        raise ValueError(f"expected yyyy-MM-ddTHH:mm:ssZ, got {text!r}")
    return stamp(datetime.fromisoformat(text))


def read_lenient(text: str, zone: tzinfo) -> int:
    """Read a date or a time as the legacy API does: in its time zone unless it says another.

    Raises:
        ValueError: It is none.
    """
    at = datetime.fromisoformat(text)
    return stamp(at if at.tzinfo else at.replace(tzinfo=zone))
