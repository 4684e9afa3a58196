"""A disk that refuses to write although it has room: what was acknowledged stays, and it goes on.

The kernel refuses as it would for a disk with bad blocks, by a limit of this process.
"""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from ingestd.disk.database import Database
from ingestd.disk.directory import Ballast
from ingestd.errors import DiskFull, StateError
from tests.support.disk import refusing_writes
from tests.support.statedb import MIB, count, get, put, spool


@pytest.fixture
def ballast(tmp_path: Path) -> Ballast:
    """Keep some space back."""
    made = Ballast(tmp_path / "ballast", size=MIB)
    assert made.make()
    return made


@pytest.fixture
async def database(tmp_path: Path, ballast: Ballast) -> AsyncIterator[Database]:
    """Open a database that holds one row."""
    async with await Database.open(tmp_path / "state.db", ballast=ballast) as opened:
        await opened.write(lambda connection: put(connection, "before", 1))
        yield opened


async def test_a_write_that_is_refused_leaves_nothing_behind(database: Database) -> None:
    """Small or large; the next one that the disk takes is written."""
    with refusing_writes():
        for size in (10, 10 * MIB):
            with pytest.raises(StateError, match=r"state\.db: expected a disk that takes writes"):
                await database.write(partial(spool, size=size))

    await database.write(lambda connection: put(connection, "after", 1))
    assert await count(database) == 0
    assert await database.read(lambda connection: get(connection, "before")) == 1
    assert await database.read(lambda connection: get(connection, "after")) == 1


async def test_what_is_on_the_disk_can_be_read_while_it_refuses_writes(database: Database) -> None:
    """The first reader, too, which has yet to open the file."""
    with refusing_writes():
        assert await database.read(lambda connection: get(connection, "before")) == 1


async def test_a_disk_that_refuses_writes_is_not_full(database: Database, ballast: Ballast) -> None:
    """To give up what is kept back would help nothing."""
    with refusing_writes(), pytest.raises(StateError) as caught:
        await database.write(lambda db: put(db, "small", 1), on_full="use_ballast")

    assert not isinstance(caught.value, DiskFull)
    assert ballast.present


async def test_a_database_can_be_closed_on_a_disk_that_refuses_writes(
    database: Database,
) -> None:
    """What was acknowledged is found by the next daemon."""
    await database.write(lambda connection: spool(connection, MIB))
    with refusing_writes():
        await database.close()

    async with await Database.open(database.path) as again:
        assert again.damage == ""
        assert await count(again) == 1
        assert await again.read(lambda connection: get(connection, "before")) == 1


async def test_a_database_cannot_be_made_on_a_disk_that_refuses_writes(tmp_path: Path) -> None:
    """That is told, and nothing is set aside for it."""
    path = tmp_path / "new.db"
    with refusing_writes(), pytest.raises(StateError):
        await Database.open(path)

    async with await Database.open(path) as database:
        assert database.damage == ""
    assert [each.name for each in tmp_path.glob("new.db*")] == ["new.db"]
