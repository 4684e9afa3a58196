"""Windows of whole periods, cut by the calendar."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestd.plugins.dcs.options import LONDON
from ingestd.plugins.dcs.periods import PERIODS, Window, calendar

WIRE = {"half_hour": "halfHour", "hour": "hour", "day": "day", "week": "week", "month": "month"}
MOMENTS = st.datetimes(
    min_value=datetime(1990, 1, 1),  # noqa: DTZ001 -- the zone is added below
    max_value=datetime(2060, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
LONGEST = st.timedeltas(min_value=timedelta(minutes=30), max_value=timedelta(days=4000))
ZONES = st.sampled_from([UTC, LONDON])


def is_aligned(moment: datetime, period: str, zone: ZoneInfo) -> bool:
    """Say whether a period begins then, as a wall clock and a calendar would."""
    wall = moment.astimezone(zone)
    if period in {"half_hour", "hour"}:
        return moment.timestamp() % (1800 if period == "half_hour" else 3600) == 0
    midnight = (wall.hour, wall.minute, wall.second, wall.microsecond) == (0, 0, 0, 0)
    begins = {"week": wall.weekday() == 0, "month": wall.day == 1}.get(period, True)
    return midnight and begins


@settings(deadline=None)  # other tests take their time of the machine
@given(MOMENTS, MOMENTS, LONGEST, st.sampled_from(PERIODS), ZONES)
def test_windows_tile_a_span(
    one: datetime, other: datetime, longest: timedelta, period: str, zone: ZoneInfo
) -> None:
    """They have no gaps or overlaps, are aligned, no longer than allowed, and nearly equal."""
    start, end = sorted([one, other])
    kind = calendar(period, zone=zone)
    if (end - start) / longest > 1000:
        end = start + 1000 * longest

    windows = kind.windows(start, end, longest=longest)

    if start >= end:
        assert windows == []
        return
    assert windows[0].start <= start
    assert windows[-1].end >= end
    # Not one period more than it takes.
    assert kind.number(windows[0].start) == kind.number(start)
    assert kind.floor(end - timedelta(microseconds=1)) < windows[-1].end
    assert kind.number(windows[-1].end) - kind.number(end - timedelta(microseconds=1)) == 1
    assert all(a.end == b.start for a, b in pairwise(windows))
    counts = [kind.number(each.end) - kind.number(each.start) for each in windows]
    for each, count in zip(windows, counts, strict=True):
        assert is_aligned(each.start, period, zone)
        assert is_aligned(each.end, period, zone)
        assert each.length <= longest or count == 1
    assert max(counts) - min(counts) <= 1
    assert counts == sorted(counts, reverse=True)


@settings(deadline=None)
@given(MOMENTS, st.sampled_from(PERIODS), ZONES)
def test_a_moment_lies_in_its_period(moment: datetime, period: str, zone: ZoneInfo) -> None:
    """The period begins no later than that, and ends afterwards."""
    kind = calendar(period, zone=zone)

    floor, ceil = kind.floor(moment), kind.ceil(moment)

    assert floor <= moment < kind.begin(kind.number(moment) + 1)
    assert ceil == (floor if floor == moment else kind.begin(kind.number(moment) + 1))
    assert kind.floor(floor) == floor == kind.ceil(floor)


@pytest.mark.parametrize("days", [31, 365, 366, 549, 1900, 5000])
def test_ten_years_of_months(days: int) -> None:
    """Pieces of a fixed number of days would drift from month to month."""
    start, end = datetime(2015, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)

    windows = calendar("month").windows(start, end, longest=timedelta(days=days))

    assert (windows[0].start, windows[-1].end) == (start, end)
    assert all(each.start.day == each.end.day == 1 for each in windows)
    assert all(each.length <= timedelta(days=days) for each in windows)


def test_a_year_of_months_is_one_window_only_if_it_fits() -> None:
    """A leap year has a day more than 365."""
    leap = datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
    plain = datetime(2023, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)

    year = timedelta(days=365)

    assert calendar("month").windows(*plain, longest=year) == [Window(*plain)]
    assert [each.length.days for each in calendar("month").windows(*leap, longest=year)] == [
        182,
        184,
    ]


def test_local_days_may_have_23_or_25_hours() -> None:
    """Days on which clocks are put forward or back are no exception."""
    start, end = datetime(2024, 3, 30, 12, tzinfo=UTC), datetime(2024, 4, 1, tzinfo=UTC)

    windows = calendar("day", zone=LONDON).windows(start, end, longest=timedelta(hours=1))

    assert [each.length / timedelta(hours=1) for each in windows] == [24, 23, 24]


@pytest.mark.parametrize("period", PERIODS)
def test_periods_have_the_names_that_servers_know(period: str) -> None:
    """Half hours are spelt like nothing else of ours."""
    assert calendar(period).wire == WIRE[period]
