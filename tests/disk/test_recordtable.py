"""Records are written in the end, however often the disk fails, and set aside if damaged."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from ingestd.disk import DamagedRow, Database, RecordTable
from ingestd.disk.recordtable import RETRY
from tests.support.clock import VirtualClock
from tests.support.plugins import LogLines
from tests.support.statedb import get, put


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Open a new database."""
    async with await Database.open(tmp_path / "state.db") as opened:
        yield opened


def unwritable(_: sqlite3.Connection) -> None:
    """Fail as a disk does."""
    message = "disk I/O error"
    raise sqlite3.OperationalError(message)


async def test_record_is_written_when_the_disk_is_well_again(database: Database) -> None:
    """As it is by then; the log says once that it cannot be."""
    clock, log = VirtualClock(), LogLines()
    table = RecordTable("a backfill", database=database, clock=clock, log=log)
    attempts: list[float] = []

    def action() -> Callable[[sqlite3.Connection], None]:
        attempts.append(clock.monotonic())
        number = len(attempts)
        return unwritable if number < 3 else lambda db: put(db, "attempt", number)

    began = clock.monotonic()
    await clock.drive(table.save(action))

    assert await database.read(lambda db: get(db, "attempt")) == 3
    assert attempts == [began, began + RETRY, began + 2 * RETRY]
    assert [(level, event) for level, event, _ in log.lines] == [
        ("error", "a backfill cannot be written")
    ]


async def test_damaged_record_is_set_aside_and_told(database: Database) -> None:
    """The others are given as they were found."""
    log = LogLines()
    table = RecordTable("a backfill", database=database, clock=VirtualClock(), log=log)
    await database.write(lambda db: put(db, "bad", 1))
    damaged = DamagedRow("meta", {"key": "bad"}, "backfill 7", b"left", "damaged: no number")

    assert await table.sound((["good"], [damaged])) == ["good"]

    assert await database.read(lambda db: get(db, "bad")) is None
    kept = "SELECT table_name, key, payload FROM damaged"
    found = await database.read(lambda db: db.execute(kept).fetchall())
    assert found == [("meta", "backfill 7", b"left")]
    (line,) = log.lines
    assert line == (
        "error",
        "a backfill was damaged, and is given up",
        {"problem": "meta: backfill 7: damaged: no number; set aside"},
    )
