"""What belongs to a connection stays in its thread, however an action ends."""

import asyncio
import sqlite3
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from ingestd.disk.database import Database

INSERT = "INSERT INTO damaged (at, table_name, key, error) VALUES (?, ?, ?, ?)"
ROWS = [(0.0, "t", "k", "e")] * 20
WRITERS, WRITES = 100, 60

Action = Callable[[sqlite3.Connection], object]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Open a new database."""
    async with await Database.open(tmp_path / "state.db") as opened:
        yield opened


@pytest.mark.slow  # it waits for some thousand writes: few of them meet each other so badly
async def test_cursors_that_are_returned_disturb_no_other_write(database: Database) -> None:
    """The loop frees each while the writer is busy with the same statement."""

    async def write() -> None:
        for _ in range(WRITES):
            await database.write(lambda db: db.executemany(INSERT, ROWS))

    await asyncio.gather(*(write() for _ in range(WRITERS)))

    (count,) = await database.read(lambda db: db.execute("SELECT count(*) FROM damaged").fetchone())
    assert count == WRITERS * WRITES * len(ROWS)


async def test_a_cursor_is_returned_closed(database: Database) -> None:
    """It still says what it has changed; rows cannot be read in another thread."""
    written = await database.write(lambda db: db.executemany(INSERT, ROWS))
    selected = await database.read(lambda db: db.execute("SELECT * FROM damaged"))

    assert written.rowcount == 20
    for cursor in (written, selected):
        with pytest.raises(sqlite3.ProgrammingError):
            cursor.fetchone()


def failing(seen: list[weakref.ref[sqlite3.Cursor]]) -> Action:
    """Return an action that fails while it has a cursor, and again on its way out."""

    def act(db: sqlite3.Connection) -> None:
        cursor = db.execute("SELECT 1")
        seen.append(weakref.ref(cursor))
        message = "on purpose"
        raise LookupError(message)

    def act_again(db: sqlite3.Connection) -> None:
        try:
            act(db)
        except LookupError as exc:
            cursor = db.execute("SELECT 2")
            seen.append(weakref.ref(cursor))
            message = "as well"
            raise ValueError(message) from exc

    return act_again


@pytest.mark.parametrize("way", [Database.write, Database.read])
async def test_an_error_takes_no_cursor_along(
    database: Database, way: Callable[[Database, Action], Awaitable[object]]
) -> None:
    """Its traceback says where it was raised, and has let go of what was used there."""
    seen: list[weakref.ref[sqlite3.Cursor]] = []

    with pytest.raises(ValueError, match="as well") as failed:
        await way(database, failing(seen))

    assert [each() for each in seen] == [None, None]
    assert failed.traceback[-1].name == "act_again"
