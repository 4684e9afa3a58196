"""Local times become instants, through the hours that a clock skips and repeats."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ingestd.plugins._localtime import instants, zone_named

VIENNA = ZoneInfo("Europe/Vienna")


@pytest.mark.parametrize(
    "day", [datetime(2025, 10, 26, tzinfo=UTC), datetime(2025, 3, 30, tzinfo=UTC)]
)
def test_a_log_through_a_change_of_the_clock_keeps_its_pace(day: datetime) -> None:
    """Every minute of the day is there once, also in the hour that comes twice."""
    start = day.replace(tzinfo=VIENNA).timestamp()
    written = [start + 60 * minute for minute in range(23 * 60)]
    shown = [datetime.fromtimestamp(each, VIENNA).replace(tzinfo=None) for each in written]

    assert list(instants(shown, VIENNA)) == written


def test_a_time_that_comes_twice_lies_after_what_is_known() -> None:
    """A window that begins in the second pass is read in the second pass."""
    shown = datetime(2025, 10, 26, 2, 30)  # noqa: DTZ001 -- a local time
    first = shown.replace(tzinfo=VIENNA).timestamp()

    assert list(instants([shown], VIENNA)) == [first]
    assert list(instants([shown], VIENNA, after=first + 1)) == [first + 3600]


def test_lines_of_one_time_stay_together() -> None:
    """In the hour that comes twice, too, where the second would be an hour later."""
    shown = datetime(2025, 10, 26, 2, 30)  # noqa: DTZ001 -- a local time
    first = shown.replace(tzinfo=VIENNA).timestamp()

    assert list(instants([shown, shown, shown], VIENNA)) == [first] * 3
    assert list(instants([shown, shown], VIENNA, after=first + 1)) == [first + 3600] * 2


def test_a_clock_that_is_set_back_is_believed() -> None:
    """Outside of that hour an earlier time is an earlier time."""
    shown = datetime(2025, 7, 1, 12)  # noqa: DTZ001 -- a local time
    before = shown - timedelta(minutes=5)

    one, other = instants([shown, before], VIENNA)

    assert one - other == 300


@pytest.mark.parametrize("name", ["Vienna", "", None, 7, "../etc"])
def test_a_zone_that_is_none_is_named(name: object) -> None:
    """With the option it stands under."""
    with pytest.raises(ValueError, match="timezone: expected a time zone such as"):
        zone_named(name, "timezone")
