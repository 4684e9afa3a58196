"""Times, sizes and numbers as people read them."""

from zoneinfo import ZoneInfo

import pytest

from ingestd.health import ago, counted, size
from ingestd.pages.words import NOTHING, for_machines, number, room_left, written


@pytest.mark.parametrize(
    ("when", "said"), [(10.0, "now"), (3.0, "7s ago"), (310.0, "in 5m"), (9.5, "now")]
)
def test_how_long_ago(when: float, said: str) -> None:
    """What has been is ago, and what comes is in."""
    assert ago(when, 10.0) == said


def test_a_time_is_shown_in_the_zone_and_told_to_machines_in_utc() -> None:
    """People read their own clock, and the zone beside it."""
    assert written(0.0, ZoneInfo("America/Anchorage")) == "1969-12-31 14:00:00 AHST"
    assert for_machines(0.0) == "1970-01-01T00:00:00Z"


def test_a_time_beyond_the_calendar_is_a_number() -> None:
    """A page is there whatever a plugin takes for a time."""
    assert written(1e15, ZoneInfo("UTC")) == "1000000000000000"
    assert for_machines(1e15) is None


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (2**31, "2.0 GiB"), (2**60, "1,048,576 TiB")],
)
def test_sizes(count: int, said: str) -> None:
    """Three digits or so, and no unit beyond the largest."""
    assert size(count) == said


def test_numbers() -> None:
    """Thousands stand apart, and what is not known is a dash."""
    assert (number(1234567), number(0.1234567), number(None)) == ("1,234,567", "0.123457", NOTHING)
    assert (number(1234567.8), number(1e15), number(float("inf"))) == ("1,234,568", "1e+15", "inf")
    assert (counted(1, "point"), counted(2000, "point")) == ("1 point", "2,000 points")


@pytest.mark.parametrize(
    ("waiting", "since", "left"),
    [
        (1000, 0.0, 100.0),
        (2000, 0.0, 0.0),
        (3000, 0.0, 0.0),
        (0, 0.0, None),
        (10, None, None),
        (10, 50.0, None),
    ],
)
def test_for_how_long_a_spool_has_room(
    waiting: int, since: float | None, left: float | None
) -> None:
    """How fast it has filled tells; a full one has none left, an empty one says nothing."""
    assert room_left(waiting, 2000, since=since, now=100.0) == left
