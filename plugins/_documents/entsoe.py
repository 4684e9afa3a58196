"""ENTSO-E's time series: a record for each position, with the time that it means.

A period has a beginning, an end and a resolution, and its points have positions, counted from
one. With curve type A01 each position has a point. With A03 a position without one repeats
the value before. Days, weeks, months and years are those of a time zone: a day has 23 hours
when clocks go forward. All others are of one length.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

from dateutil.relativedelta import relativedelta  # type: ignore[import-untyped]

from ingestd.plugins._isotimes import iso_time

from .errors import DocumentError

REPEATED: Final = "A03"  # the curve type in which a missing position repeats the value before
DURATION: Final = re.compile(
    r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?"
)
VALUES: Final = ("quantity", "price.amount", "secondaryQuantity")
PRICE: Final = "_Price.amount"  # with what is paid for before it, such as imbalance_Price.amount
PERIOD: Final = "Period"  # or Available_Period, and others
# No period has more: a year of quarter hours, and then some.
MOST_POSITIONS: Final = 100_000


def records(document: Any, *, zone: tzinfo | None) -> list[dict[str, Any]]:
    """Return a record for each position of each period: ``time``, ``value``, and the series' own.

    Raises:
        DocumentError: There is no series, or a period cannot be understood.
    """
    if not isinstance(document, dict):
        raise DocumentError("elements TimeSeries", got="none")
    if "TimeSeries" not in document:
        return nothing_in(document)
    found: list[dict[str, Any]] = []
    for series in listed(document["TimeSeries"]):
        own = {name: each for name, each in series.items() if not is_period(name)}
        for period in (each for name in series if is_period(name) for each in listed(series[name])):
            found += (own | each for each in positions(period, own.get("curveType"), zone))
    return found


def is_period(name: str) -> bool:
    """Say whether an element of a series holds points."""
    return name == PERIOD or name.endswith(f"_{PERIOD}")


def nothing_in(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return no records if the document says that there are none.

    Raises:
        DocumentError: It says something else.
    """
    reason: Any = next(iter(listed(document.get("Reason"))), {})
    text = reason.get("text") if isinstance(reason, dict) else reason
    if isinstance(reason, dict) and reason.get("code") == "999" and "No matching data" in str(text):
        return []
    raise DocumentError("elements TimeSeries", got=f"{text or ', '.join(document)!r:.200}")


def listed(found: Any) -> list[Any]:
    """Return elements as a list, however many there are."""
    if found is None:
        return []
    return found if isinstance(found, list) else [found]


def positions(period: Any, curve: Any, zone: tzinfo | None) -> Iterator[dict[str, Any]]:
    """Yield a record for each position of a period.

    Raises:
        DocumentError: The period cannot be understood.
    """
    begin, end, step = span_of(period, zone)
    points = points_of(period)
    value: Any = None
    repeats = curve == REPEATED
    for at in range(1, MOST_POSITIONS):
        time = begin + step * (at - 1)
        if time.astimezone(UTC) >= end:
            break
        if at in points:
            value = points.pop(at)
        elif not repeats:
            continue
        if value is not None:
            yield {"time": time.astimezone(UTC), "position": at, **value}
    if points:
        raise DocumentError(f"positions before {end:%Y-%m-%dT%H:%MZ}", got=str(min(points)))


def span_of(period: Any, zone: tzinfo | None) -> tuple[datetime, datetime, Any]:
    """Return where a period begins and ends, and how far its positions are apart.

    Raises:
        DocumentError: It does not say, or its days are days of an unknown zone.
    """
    try:
        interval = period["timeInterval"]
        begin, end = (iso_time(interval[name]) for name in ("start", "end"))
        resolution = period["resolution"]
        exact, step = step_of(resolution)
    except (TypeError, KeyError, ValueError, AttributeError):
        raise DocumentError(
            "a Period with the start and end of a timeInterval, and a resolution such as PT15M",
            got=f"{period!r:.200}",
        ) from None
    if not step:
        if not exact:
            raise DocumentError("a resolution above zero", got=repr(resolution))
        return begin.astimezone(UTC), end.astimezone(UTC), exact
    if zone is None and begin + step < end:
        raise DocumentError(f"`timezone` beside a resolution of {resolution}", got="none")
    return begin.astimezone(zone or UTC), end.astimezone(UTC), step


def step_of(resolution: str) -> tuple[timedelta, relativedelta]:
    """Return the part of a duration whose length never changes, and that of the calendar.

    Raises:
        ValueError: It is no duration.
    """
    fitting = DURATION.fullmatch(resolution)
    if fitting is None:
        raise ValueError(resolution)
    years, months, weeks, days, hours, minutes, seconds = (int(n or 0) for n in fitting.groups())
    exact = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return exact, relativedelta(years=years, months=months, weeks=weeks, days=days)


def points_of(period: Any) -> dict[int, dict[str, Any]]:
    """Return what the points of a period have, by position.

    Raises:
        DocumentError: A point has no position, or no value.
    """
    found: dict[int, dict[str, Any]] = {}
    for each in listed(period.get("Point")):
        try:
            value = next(each[name] for name in value_names(each))
            found[int(each["position"])] = {**each, "value": value}
        except (TypeError, KeyError, ValueError, StopIteration):
            raise DocumentError(
                f"a Point with position and one of {', '.join(VALUES)}", got=f"{each!r:.80}"
            ) from None
    return found


def value_names(point: Any) -> Iterator[str]:
    """Yield the names of the elements of a point that are values, the likeliest first."""
    yield from (name for name in VALUES if name in point)
    yield from (name for name in point if name.endswith(PRICE))
