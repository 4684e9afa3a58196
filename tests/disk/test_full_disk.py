"""A full disk loses nothing that was acknowledged, and keeps room for what makes room."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ingestd.disk.database import Database
from ingestd.disk.directory import BALLAST_BYTES, Ballast
from ingestd.errors import DiskFull, StateError
from tests.support.deadline import WITHIN
from tests.support.disk import fill
from tests.support.statedb import (
    KIB,
    Held,
    count,
    get,
    put,
    putting,
    spool,
    unspool,
)

# Each fills a small disk, or waits until one has been emptied.
pytestmark = pytest.mark.slow


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Open a new database."""
    async with await Database.open(tmp_path / "state.db") as opened:
        yield opened


@pytest.fixture
async def cramped(small_disk: Path) -> AsyncIterator[tuple[Database, Ballast]]:
    """Open a database with a ballast on a disk of 80 MiB."""
    ballast = Ballast(small_disk / "ballast", size=BALLAST_BYTES)
    assert ballast.make()
    async with await Database.open(small_disk / "state.db", ballast=ballast) as database:
        yield database, ballast


async def spool_until_full(database: Database) -> int:
    """Spool batches of 200 kB until the disk is full; return how many went in."""
    for number in range(1000):
        try:
            await database.write(lambda connection: spool(connection, 200_000))
        except DiskFull:
            return number
    raise AssertionError


async def test_a_full_disk_loses_nothing_that_was_acknowledged(
    cramped: tuple[Database, Ballast],
) -> None:
    """The batch that did not fit is refused whole; the ballast is not for it."""
    database, ballast = cramped

    accepted = await spool_until_full(database)

    assert accepted > 10
    assert await count(database) == accepted
    assert ballast.present
    assert ballast.make()


async def test_deletes_get_through_on_a_full_disk(cramped: tuple[Database, Ballast]) -> None:
    """The ballast makes the room that a delete needs; a delivery can go on."""
    database, _ = cramped
    accepted = await spool_until_full(database)
    fill(database.path.parent)

    for _ in range(accepted):
        await database.write(unspool, on_full="use_ballast")

    assert await count(database) == 0


async def test_a_drained_spool_gives_its_room_back(cramped: tuple[Database, Ballast]) -> None:
    """The file shrinks, the ballast returns, and the next outage can be spooled.

    That the rest of the disk stays full changes nothing but how much fits.
    """
    database, ballast = cramped
    accepted = await spool_until_full(database)
    fill(database.path.parent)
    for _ in range(accepted):
        await database.write(unspool, on_full="use_ballast")
    async with asyncio.timeout(WITHIN):
        while not (ballast.present and ballast.room):  # noqa: ASYNC110 - it is in another thread
            await asyncio.sleep(0.01)

    again = await spool_until_full(database)

    assert ballast.present
    assert again >= accepted // 4


async def test_only_what_makes_room_gets_through_while_the_ballast_is_out(
    cramped: tuple[Database, Ballast],
) -> None:
    """The room that the ballast gave is not spooled full again."""
    database, ballast = cramped
    filler = fill(database.path.parent)
    ballast.release()

    with pytest.raises(DiskFull, match="no room on the disk but for what makes room"):
        await database.write(lambda connection: spool(connection, 1000))
    await database.write(lambda connection: put(connection, "a", 1), on_full="use_ballast")

    filler.unlink()
    await database.write(lambda connection: spool(connection, 1000))
    assert ballast.present


async def test_a_small_commit_does_not_fail_for_a_big_neighbour(
    cramped: tuple[Database, Ballast],
) -> None:
    """In one group, the batch that does not fit is refused and the state is kept."""
    database, _ = cramped
    await spool_until_full(database)

    async with Held(database):
        big = asyncio.create_task(database.write(lambda c: spool(c, 200_000)))
        small = asyncio.create_task(database.write(putting(1), on_full="use_ballast"))
        await asyncio.sleep(0)
    await asyncio.wait([big, small])

    assert isinstance(big.exception(), DiskFull)
    assert small.exception() is None
    assert await database.read(lambda c: get(c, "k1")) == 1


async def test_a_full_disk_at_the_start_costs_the_ballast(small_disk: Path) -> None:
    """A daemon that was restarted on a full disk can still deliver what it spooled."""
    path = small_disk / "state.db"
    async with await Database.open(path) as database:
        await database.write(lambda connection: spool(connection, 200_000))
    ballast = Ballast(small_disk / "ballast", size=BALLAST_BYTES)
    assert ballast.make()
    fill(small_disk)

    async with await Database.open(path, ballast=ballast) as database:
        await database.write(unspool, on_full="use_ballast")
        assert await count(database) == 0


def limit(connection: sqlite3.Connection) -> None:
    """Have SQLite's own limit stand in for a full disk where no small disk can be mounted."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count={pages + 4}").fetchone()


async def test_a_database_at_its_size_limit_refuses_and_goes_on(database: Database) -> None:
    """What is too big leaves nothing behind; what fits is written."""
    await database.write(limit)
    with pytest.raises(DiskFull, match="no room on the disk"):
        await database.write(lambda connection: spool(connection, 200_000))

    await database.write(lambda connection: put(connection, "a", 1))
    assert await database.read(lambda c: get(c, "a")) == 1
    assert await count(database) == 0


class UnknownFault(Ballast):
    """A ballast with a bug."""

    def release(self) -> bool:
        """Raise an error that is none of ours."""
        raise LookupError("on purpose")


@pytest.mark.parametrize("kind", [Ballast, UnknownFault])
async def test_a_ballast_that_cannot_be_released_fails_the_write_alone(
    tmp_path: Path, kind: type[Ballast]
) -> None:
    """A disk that is read-only by now, or even a bug, must not end the one thread that writes."""
    path = tmp_path / "ballast"
    path.mkdir()  # so that unlinking it fails
    ballast = kind(path, size=KIB)

    async with (
        asyncio.timeout(WITHIN),
        await Database.open(tmp_path / "state.db", ballast=ballast) as database,
    ):
        await database.write(limit, on_full="use_ballast")
        with pytest.raises(StateError, match=r"no room on the disk|LookupError: on purpose"):
            await database.write(lambda c: spool(c, 200_000), on_full="use_ballast")

        await database.write(putting(1), on_full="use_ballast")
        assert await database.read(lambda c: get(c, "k1")) == 1
