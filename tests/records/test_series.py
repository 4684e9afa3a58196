"""How far each series has come is known to the daemon that starts next."""

import sqlite3
from pathlib import Path

import pytest

from ingestd.disk.database import Database
from ingestd.disk.schema import MIGRATIONS
from ingestd.health import PaceKept, SeriesKey
from ingestd.model import Series
from ingestd.records.runs import RunRecord
from ingestd.records.store import StateStore
from tests.support.clock import START, VirtualClock

LEVEL, FLOW = SeriesKey("level", (("site", "a"),)), SeriesKey("flow", ())
MOVED = PaceKept(1_700_000_000_000_000, START - 500.0, 60.0, 90.0)


async def test_silence_counts_until_it_was_noted_last(
    database: Database, clock: VirtualClock
) -> None:
    """What a series gave is kept, and beside it until when nothing more came."""
    states = await StateStore.open(database, clock)
    for key in (LEVEL, FLOW):
        states.note_series("lab", Series(*key))
    states.keep_paces("lab", {LEVEL: MOVED})
    await clock.advance(100.0)
    states.keep_paces("lab", {})
    await states.close()
    await clock.advance(1e6)

    paces, _ = await (await StateStore.open(database, clock)).paces()

    assert paces == {"lab": {LEVEL: (MOVED, 600.0), FLOW: (PaceKept(), 0.0)}}


async def test_a_kill_costs_what_was_not_noted(database: Database, clock: VirtualClock) -> None:
    """Without a note the silence of a series ends with the newest reading of any."""
    states = await StateStore.open(database, clock)
    states.keep_paces("lab", {LEVEL: MOVED, FLOW: PaceKept(5, START - 50.0)})
    await states.close()
    await database.write(lambda db: db.execute("DELETE FROM meta WHERE key = 'series_seen_at'"))

    paces, _ = await (await StateStore.open(database, clock)).paces()

    assert {key: silent for key, (_, silent) in paces["lab"].items()} == {LEVEL: 450.0, FLOW: 0.0}


async def test_a_series_is_forgotten(database: Database, clock: VirtualClock) -> None:
    """A sensor that was taken away is on record no more, and others stay."""
    states = await StateStore.open(database, clock)
    states.keep_paces("lab", {LEVEL: MOVED, FLOW: MOVED})
    await states.flush()

    assert await states.forget_series("lab", LEVEL)
    assert not await states.forget_series("lab", LEVEL)
    assert await states.series("lab") == [FLOW]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("collector", "x{"),
        ("tags", "x{"),
        ("tags", "1"),
        ("newest_us", "x{"),
        ("moved_at", "x{"),
        ("longest", "x{"),
    ],
)
async def test_damaged_rows_are_left_out(
    database: Database, clock: VirtualClock, column: str, value: str
) -> None:
    """They cost what they said, not the start."""
    states = await StateStore.open(database, clock)
    states.keep_paces("lab", {LEVEL: MOVED, FLOW: MOVED})
    await states.close()
    await database.write(
        lambda db: db.execute(f"UPDATE series SET {column} = ? WHERE series = 'level'", (value,))
    )

    paces, _ = await (await StateStore.open(database, clock)).paces()

    assert FLOW in paces["lab"]
    assert LEVEL not in paces["lab"]


@pytest.mark.parametrize("column", ["newest_us", "moved_at"])
async def test_half_a_pace_is_none(database: Database, clock: VirtualClock, column: str) -> None:
    """Of such a series it is known only that there is one."""
    states = await StateStore.open(database, clock)
    states.keep_paces("lab", {LEVEL: MOVED})
    await states.close()
    await database.write(lambda db: db.execute(f"UPDATE series SET {column} = NULL"))

    paces, _ = await (await StateStore.open(database, clock)).paces()

    assert paces == {"lab": {LEVEL: (PaceKept(), 0.0)}}


async def test_the_first_run_on_record_is_known(database: Database, clock: VirtualClock) -> None:
    """A collector that has never given anything is older than the daemon that runs."""
    states = await StateStore.open(database, clock)
    for started in (START + 5.0, START + 9.0):
        states.add_run(RunRecord(collector="lab", tick=started, started=started))
    await states.close()

    _, first = await (await StateStore.open(database, clock)).paces()

    assert first == {"lab": START + 5.0}


async def test_a_database_of_an_older_ingestd_is_taken_over(
    tmp_path: Path, clock: VirtualClock
) -> None:
    """The series that it knew are known, and when they came last is not."""
    path = tmp_path / "state.db"
    with sqlite3.connect(path) as old:
        for step in MIGRATIONS[:2]:
            old.executescript(step)
        old.execute("PRAGMA user_version = 2")
        old.execute("INSERT INTO series VALUES ('lab', 'flow', '[]')")
    old.close()

    async with await Database.open(path) as database:
        paces, _ = await (await StateStore.open(database, clock)).paces()

    assert paces == {"lab": {FLOW: (PaceKept(), 0.0)}}
