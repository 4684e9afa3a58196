"""Days that do not begin at a midnight that the clock shows once."""

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from ingestd.plugins._times import NoTime, notation
from tests.plugins.test_walltime import ZONES

DAYS: Final = [datetime(2014, 1, 1) + timedelta(days=at) for at in range(366 * 12)]  # noqa: DTZ001


def utc(*parts: int) -> float:
    """Return a time of UTC in Unix seconds."""
    return datetime(*parts, tzinfo=UTC).timestamp()  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("zone", "time_format", "text", "expected"),
    [
        ("America/Havana", None, "2026-03-08", utc(2026, 3, 8, 5)),  # begins at one
        ("America/Havana", "%d.%m.%Y", "08.03.2026", utc(2026, 3, 8, 5)),
        ("America/Havana", "%Y-%m-%d %H:%M", "2026-03-07 24:00", utc(2026, 3, 8, 5)),
        ("America/Havana", None, "2026-03-07T24:00:00", utc(2026, 3, 8, 5)),
        ("America/Havana", None, "2026-3-8", utc(2026, 3, 8, 5)),
        ("America/Havana", None, "2026-11-01", utc(2026, 11, 1, 4)),  # midnight comes twice
        ("America/Havana", "%Y%m%d", "20261101", utc(2026, 11, 1, 4)),
        ("America/Havana", "%Y-%m-%d %H:%M:%S", "2026-10-31 24:00:00", utc(2026, 11, 1, 4)),
        ("Asia/Beirut", "%Y-%m-%d", "2026-03-29", utc(2026, 3, 28, 22)),
        ("Africa/Cairo", None, "2026-04-24", utc(2026, 4, 23, 22)),
        ("Pacific/Apia", None, "2011-12-29", utc(2011, 12, 29, 10)),
        ("Pacific/Apia", None, "2011-12-31", utc(2011, 12, 30, 10)),
        ("Europe/Berlin", None, "2026-03-29", utc(2026, 3, 28, 23)),
    ],
)
def test_a_day_begins_with_what_the_clock_shows_first(
    zone: str, time_format: str | None, text: str, expected: float
) -> None:
    """And ends there with 24:00."""
    assert notation(time_format, ZoneInfo(zone)).read(text) == expected


@pytest.mark.parametrize("time_format", [None, "%Y-%m-%d %H:%M"])
def test_a_midnight_that_is_skipped_is_no_time(time_format: str | None) -> None:
    """It is a time that the clock does not show; only a day begins without it."""
    found = notation(time_format, ZoneInfo("America/Havana")).read("2026-03-08 00:00")

    assert isinstance(found, NoTime)


def test_a_day_that_is_skipped_is_none() -> None:
    """Samoa went to bed on Thursday and rose on Saturday."""
    assert isinstance(notation(None, ZoneInfo("Pacific/Apia")).read("2011-12-30"), NoTime)


@pytest.mark.parametrize("name", ["America/Havana", "Asia/Beirut", "America/St_Johns", *ZONES[:4]])
def test_every_day_begins_when_the_date_changes(name: str) -> None:
    """A second before, it was another day."""
    how = notation("%Y-%m-%d", zone := ZoneInfo(name))
    for day in DAYS[:: 1 if name == "America/Havana" else 7]:
        begin = how.read(f"{day:%Y-%m-%d}")
        if isinstance(begin, NoTime):
            continue
        assert datetime.fromtimestamp(begin, zone).date() == day.date()
        assert datetime.fromtimestamp(begin - 1, zone).date() < day.date()
