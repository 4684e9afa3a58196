"""A damaged state database is set aside, and the daemon starts with an empty one."""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from ingestd.disk.database import Database
from ingestd.disk.schema import CHECKED_WHOLE_BYTES
from ingestd.errors import StateError
from tests.support.statedb import (
    MIB,
    WRITE_UNTIL_KILLED,
    keys,
    put,
    putting,
    spool,
)

# Each writes a file of some size, damages it, and has it read whole.
pytestmark = pytest.mark.slow


async def filled(path: Path) -> None:
    """Make a database with something in each of the tables that matter."""
    async with await Database.open(path) as database:
        for number in range(50):
            await database.write(putting(number, bytes(3000)))
        await database.write(lambda connection: spool(connection, 200_000))


def corrupt(path: Path, offset: int, data: bytes) -> None:
    """Overwrite some of the file."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


@pytest.mark.parametrize(
    "damage",
    [
        partial(corrupt, offset=0, data=b"not a database"),
        partial(corrupt, offset=16, data=b"\xff" * 100),
        partial(corrupt, offset=100, data=b"\xff" * 16000),
        partial(corrupt, offset=3 * 16384, data=b"\xff" * 5 * 16384),
        lambda path: os.truncate(path, 10 * 16384),
        lambda path: os.truncate(path, 10 * 16384 + 77),
    ],
)
async def test_a_damaged_file_is_set_aside(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """The daemon starts with an empty state, says so, and the old file can be examined."""
    path = tmp_path / "state.db"
    await filled(path)
    damage(path)
    damaged = path.read_bytes()

    async with await Database.open(path) as database:
        assert await database.read(keys) == []
        await database.write(lambda connection: put(connection, "new", 1))

    (aside,) = tmp_path.glob("state.db.damaged-*")
    assert database.damage.startswith(f"{path}: damaged: ")
    assert f"kept as {aside.name}, sources are read again from their beginning" in database.damage
    assert aside.read_bytes() == damaged


async def test_a_damaged_journal_costs_only_what_was_in_it(tmp_path: Path) -> None:
    """SQLite notices by its checksums; what it rolls back goes together."""
    path = tmp_path / "state.db"
    with subprocess.Popen(
        [sys.executable, "-c", WRITE_UNTIL_KILLED, str(path)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
    journal = path.with_name("state.db-wal")
    corrupt(journal, journal.stat().st_size // 2, b"\xff" * 100)

    async with await Database.open(path) as database:
        assert database.damage == ""


async def test_a_big_file_is_checked_where_it_is_small(tmp_path: Path) -> None:
    """A gigabyte of spool does not delay the start; its rows have checksums of their own."""
    path = tmp_path / "state.db"
    async with await Database.open(path) as database:
        for number in range(50):
            await database.write(putting(number, bytes(3000)))
        for _ in range(CHECKED_WHOLE_BYTES // MIB + 1):
            await database.write(lambda connection: spool(connection, MIB))
        root = await database.read(
            lambda c: c.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'meta'").fetchone()
        )
    corrupt(path, (root[0] - 1) * 16384, b"\xff" * 16384)

    async with await Database.open(path) as database:
        assert "damaged" in database.damage


async def test_a_file_that_cannot_be_opened_is_left_alone(tmp_path: Path) -> None:
    """Only damage is set aside; anything else is for the operator to mend."""
    (tmp_path / "state.db").mkdir()

    with pytest.raises(StateError, match="expected a file that this user can write"):
        await Database.open(tmp_path / "state.db")
