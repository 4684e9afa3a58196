"""Local times become instants, through the hours that a clock skips and repeats."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.plugins._localtime import instants, time_zone

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
    """They do in the hour that comes twice, too, where the second would be an hour later."""
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


@pytest.mark.parametrize("name", ["", "America", "../etc/passwd", "AKST9", "zone.tab", "a" * 999])
def test_a_zone_that_is_none_is_refused(name: str) -> None:
    """Folders and files beside the zones are none, either."""
    with pytest.raises(ValueError, match=r"^expected a time zone such as America/Anchorage"):
        time_zone(name)


@pytest.mark.parametrize("name", ["America/Ancorage", "america/anchorage", "America/Anchorage\0"])
def test_a_misspelt_zone_is_recognised(name: str) -> None:
    """The nearest name is suggested."""
    with pytest.raises(ValueError, match=r" \(did you mean America/Anchorage\?\)$"):
        time_zone(name)


@given(st.text(max_size=30))
def test_arbitrary_text_is_a_zone_or_refused(text: str) -> None:
    """What the system's tables hold beside zones never lets another error out."""
    try:
        assert time_zone(text).key == text
    except ValueError as error:
        assert str(error).startswith("expected")  # noqa: PT017 -- either way is fine
