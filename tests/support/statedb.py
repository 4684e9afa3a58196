"""Small writes and large ones to a state database, and what keeps its writer busy."""

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable
from typing import Any

from ingestd.disk.database import Database
from tests.support.deadline import WITHIN

KIB = 1024
MIB = 1024 * KIB


def put(connection: sqlite3.Connection, key: str, value: object) -> None:
    """Write one small row."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def putting(number: int, value: object = 1) -> Callable[[sqlite3.Connection], None]:
    """Return an action that writes one small row."""
    return lambda connection: put(connection, f"k{number}", value)


def spool(connection: sqlite3.Connection, size: int) -> int:
    """Write one batch of that many bytes; return its id."""
    row = ("main", 0, 1, 0, 0, size, 0.0, 0, os.urandom(size))
    cursor = connection.execute(f"INSERT INTO spool VALUES (NULL{', ?' * 9})", row)
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def unspool(connection: sqlite3.Connection) -> None:
    """Delete the oldest batch."""
    connection.execute("DELETE FROM spool WHERE id = (SELECT MIN(id) FROM spool)")


def keys(connection: sqlite3.Connection) -> list[str]:
    """Return the keys in the order they were first written."""
    rows = connection.execute("SELECT CAST(value AS TEXT) FROM meta ORDER BY value")
    return [value for (value,) in rows]


def get(connection: sqlite3.Connection, key: str) -> Any:
    """Return a small row's value, or None."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return row and row[0]


class Held:
    """Keeps the writer busy until it is let go."""

    def __init__(self, database: Database) -> None:
        self._begun = threading.Event()
        self._go = threading.Event()
        self._database = database

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._database.write(self._hold, on_full="use_ballast"))
        while not (self._begun.is_set() or self._task.done()):  # noqa: ASYNC110 - it is another thread's event
            await asyncio.sleep(0)

    async def __aexit__(self, *_: object) -> None:
        self._go.set()
        await self._task

    def _hold(self, connection: sqlite3.Connection) -> None:
        del connection
        self._begun.set()
        assert self._go.wait(WITHIN)


WRITE_UNTIL_KILLED = """
import asyncio, sys
from pathlib import Path
from ingestd.disk.database import Database

def put(connection, number):
    connection.execute("INSERT INTO meta VALUES (?, ?)", (str(number), bytes(number % 5000)))

async def main():
    database = await Database.open(Path(sys.argv[1]))
    async def write(number):
        await database.write(lambda connection: put(connection, number))
        print(number, flush=True)
    for start in range(0, 1_000_000, 10):
        await asyncio.gather(*map(write, range(start, start + 10)))

asyncio.run(main())
"""


async def count(database: Database) -> int:
    """Return how many batches are spooled."""
    (rows,) = await database.read(lambda c: c.execute("SELECT count(*) FROM spool").fetchone())
    return int(rows)
