"""Columns of times: what they mean, and how they are compared with an instant."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest

from ingestd.plugins._times import notation
from ingestd.plugins.sql.columns import column_of, sorts
from tests.support.sqlreading import NOON, T0, Runs, TableFile

VIENNA: Final = "Europe/Vienna"  # two hours ahead of UTC on that day
EXCEL: Final = datetime(1899, 12, 30)  # noqa: DTZ001 -- what a clock showed
HOURS: Final = range(-30, 0)


@pytest.fixture
def log(tmp_path: Path) -> TableFile:
    """Give an empty table of ids, times, names and values."""
    return TableFile(tmp_path / "log.db")


def written(hours: int, pattern: str, zone: str = "UTC") -> str:
    """Return some hours behind noon as a clock writes them."""
    return (NOON + timedelta(hours=hours)).astimezone(ZoneInfo(zone)).strftime(pattern)


NOTATIONS: Final[dict[str, tuple[Any, dict[str, str]]]] = {
    "unix": (lambda h: T0 + 3600 * h, {}),
    "whole": (lambda h: int(T0) + 3600 * h, {}),
    "unix_ms": (lambda h: int(T0 + 3600 * h) * 1000, {"time_format": "unix_ms"}),
    "unix_ns": (lambda h: int(T0 + 3600 * h) * 10**9, {"time_format": "unix_ns"}),
    "digits": (lambda h: str(int(T0) + 3600 * h), {"time_format": "unix"}),
    "iso": (lambda h: written(h, "%Y-%m-%dT%H:%M:%SZ"), {}),
    "fraction": (lambda h: written(h, "%Y-%m-%dT%H:%M:%S.%f+00:00"), {}),
    "space": (lambda h: written(h, "%Y-%m-%d %H:%M:%S", VIENNA), {"timezone": VIENNA}),
    "minutes": (lambda h: written(h, "%Y-%m-%d %H:%M", VIENNA), {"timezone": VIENNA}),
    "slashes": (lambda h: written(h, "%Y/%m/%d %H:%M:%S", VIENNA), {"timezone": VIENNA}),
    "offset": (lambda h: written(h, "%Y-%m-%dT%H:%M:%S+02:00", VIENNA), {"timezone": VIENNA}),
    "days": (
        lambda h: (NOON.replace(tzinfo=None) - EXCEL + timedelta(hours=h + 2)) / timedelta(days=1),
        {"time_format": "days since 1899-12-30", "timezone": VIENNA},
    ),
    "ticks": (
        lambda h: int(T0 + 3600 * h + 62_135_596_800) * 10**7,
        {"time_format": "ticks since 0001-01-01Z"},
    ),
    "pattern": (
        lambda h: written(h, "%Y%m%d%H%M%S", VIENNA),
        {"time_format": "%Y%m%d%H%M%S", "timezone": VIENNA},
    ),
    "number": (
        lambda h: int(written(h, "%Y%m%d%H%M")),
        {"time_format": "%Y%m%d%H%M", "timezone": "UTC"},
    ),
}


@pytest.mark.parametrize("name", NOTATIONS)
async def test_a_column_is_read_and_compared_as_it_is_written(log: TableFile, name: str) -> None:
    """The instants are right, and lookback, position and backfill find exactly their rows."""
    write, options = NOTATIONS[name]
    log.add((None, write(h), "a", h) for h in HOURS)
    runs = Runs({**log.params, **options, "lookback": "5h"})

    readings = await runs.readings()

    assert [(r[0], r[2]) for r in readings] == [(T0 + 3600 * h, h) for h in range(-5, 0)]
    assert runs.state == {"newest": T0 - 3600}
    assert await runs.values() == [-1]
    start, end = (NOON + timedelta(hours=h, seconds=30) for h in (-21, -18))
    found = await runs.values(start=start, end=end)
    inside = [v for v in found if start <= NOON + timedelta(hours=v) < end]
    assert inside == [-20, -19, -18]
    assert len(found) <= len(HOURS)


async def test_days_are_midnights_of_their_zone(log: TableFile) -> None:
    """A column of days alone is asked for by whole days."""
    log.add((None, f"2026-06-{d}", "a", d) for d in range(20, 30))
    runs = Runs({**log.params, "timezone": VIENNA, "lookback": "5d"})

    readings = await runs.readings()

    assert [r[2] for r in readings] == [26, 27, 28, 29]
    assert readings[0][0] == datetime(2026, 6, 25, 22, tzinfo=UTC).timestamp()
    found = await runs.values(start=datetime(2026, 6, 21, 22, tzinfo=UTC), end=NOON)
    assert found == [*range(22, 30)]


def night(zone: str, first: datetime, minutes: int, count: int) -> list[tuple[str, float, int]]:
    """Return what a clock shows every some minutes, with the instant and a number."""
    instants = [first + timedelta(minutes=minutes * n) for n in range(count)]
    shown = [f"{i.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}" for i in instants]
    return [(shown[n], instants[n].timestamp(), n) for n in range(count)]


NIGHTS: Final = [
    ("Europe/Berlin", datetime(2026, 10, 24, 22, tzinfo=UTC), 15, 24),
    ("America/New_York", datetime(2026, 11, 1, 3, tzinfo=UTC), 10, 40),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 13, tzinfo=UTC), 10, 24),
]


@pytest.mark.parametrize("extra", [{}, {"id": "id"}], ids=["time", "id"])
@pytest.mark.parametrize(("zone", "first", "minutes", "count"), NIGHTS)
async def test_the_hour_that_comes_twice_is_read_as_two(
    log: TableFile, zone: str, first: datetime, minutes: int, count: int, extra: dict[str, str]
) -> None:
    """In local time, whether it is read at once or while it passes, and anew."""
    rows = night(zone, first, minutes, count)
    expected = {time: n for _, time, n in rows}
    log.add((None, text, "a", n) for text, _, n in rows)
    runs = Runs({**log.params, **extra}, zone=zone, now=first + timedelta(days=2))

    assert {r[0]: r[2] for r in await runs.readings()} == expected

    log.execute("DELETE FROM log")
    live = Runs({**log.params, **extra}, zone=zone)
    seen: dict[float, int] = {}
    for text, time, n in rows:
        log.add([(None, text, "a", n)])
        live.now = datetime.fromtimestamp(time + 20, UTC)
        seen |= {r[0]: r[2] for r in await live.readings()}
        assert live.state["newest"] == time
    assert seen == expected

    middle = first + timedelta(minutes=minutes * count / 2)
    found = {r[0]: r[2] for r in await live.readings(start=middle, end=first + timedelta(days=1))}
    assert {t: n for t, n in found.items() if t >= middle.timestamp()} == {
        t: n for t, n in expected.items() if t >= middle.timestamp()
    }
    assert found.items() <= expected.items()


async def test_an_hour_that_comes_twice_is_not_cut(
    log: TableFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows are told apart when all of them are there, however small the parts are."""
    monkeypatch.setattr("ingestd.plugins.sql.walking.READINGS", 2)
    zone, first, minutes, count = NIGHTS[0]
    rows = night(zone, first, minutes, count)
    log.add((None, text, name, n) for text, _, n in rows for name in "ab")
    runs = Runs(log.params, zone=zone, now=first + timedelta(days=2))

    readings = await runs.readings()

    assert sorted(readings) == sorted((time, name, n) for _, time, n in rows for name in "ab")


async def test_an_hour_that_is_skipped_has_no_rows(log: TableFile) -> None:
    """What claims to be of it is unusable, and its neighbours are kept."""
    log.add([(None, f"2026-03-29 0{h}:30:00", "a", h) for h in (1, 2, 3)])

    readings = await Runs(log.params, zone="Europe/Berlin").readings()

    assert [isinstance(r[0], str) for r in readings] == [False, True, False]


@pytest.mark.parametrize(
    ("time", "options", "words"),
    [
        ("2026-07-01 10:00:00", {}, "timezone: expected"),
        ("2026-07-01T10:00:00+02:00", {}, "timezone: expected"),
        ("01.07.2026 10:00", {"time_format": "%d.%m.%Y %H:%M", "timezone": VIENNA}, "that sort"),
        ("Wed, 01 Jul 2026 10:15:00 GMT", {}, "that sort"),
        (1_782_900_000_000, {}, "time_format: expected unix_ms"),
        (b"\x00\x01", {}, "that sort"),
        ("yesterday", {}, "that sort"),
    ],
)
async def test_times_that_cannot_be_compared_are_refused(
    log: TableFile, time: Any, options: dict[str, str], words: str
) -> None:
    """A run that compared them all the same would skip rows without a word."""
    log.add([(None, time, "a", 1)])

    with pytest.raises(ValueError, match=words):
        await Runs({**log.params, **options, "lookback": "1d"}).results()


async def test_times_without_a_zone_do_not_become_a_position(log: TableFile) -> None:
    """Also the first run, which compares nothing, says that the zone is missing."""
    log.add([(None, "2026-07-01 10:00:00", "a", 1)])

    with pytest.raises(ValueError, match="timezone: expected"):
        await Runs(log.params).results()


@pytest.mark.parametrize(
    ("pattern", "good"),
    [
        ("%Y-%m-%d %H:%M:%S", True),
        ("%Y%m%d", True),
        ("%F %T", True),
        ("%d.%m.%Y", False),
        ("%Y-%d-%m", False),
        ("%Y-%m-%d %I:%M %p", False),
        ("%y%m%d%H%M", False),
        ("%Y-%m-%d %H:%M:%S %z", False),
    ],
)
def test_patterns_that_sort_are_known(pattern: str, *, good: bool) -> None:
    """The year comes first, then each smaller unit with all of its digits."""
    assert sorts(pattern) is good


@pytest.mark.parametrize(("zone", "first", "minutes", "count"), NIGHTS)
def test_both_passes_are_asked_for(zone: str, first: datetime, minutes: int, count: int) -> None:
    """Whatever instant of a night is meant, no row of the span is left out."""
    rows = night(zone, first, minutes, count)
    column = column_of(rows[0][0], notation(None, ZoneInfo(zone)), "t")
    for _, meant, n in rows:
        assert all(text >= column.since(meant) for text, *_ in rows[n:])
        assert all(text < column.until(meant) for text, *_ in rows[:n])
