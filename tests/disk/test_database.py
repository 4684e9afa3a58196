"""What the state database acknowledges is on the disk, and survives a kill."""

import asyncio
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ingestd.disk.database import MOST_QUEUED, Database
from ingestd.disk.directory import BALLAST_BYTES, Ballast
from ingestd.disk.schema import CHECKED_WHOLE_BYTES, MIGRATIONS
from ingestd.errors import DiskFull, StateError
from tests.support.disk import fill

KIB = 1024
MIB = 1024 * KIB


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Open a new database."""
    async with await Database.open(tmp_path / "state.db") as opened:
        yield opened


def put(connection: sqlite3.Connection, key: str, value: object) -> None:
    """Write one small row."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def putting(number: int, value: object = 1) -> Callable[[sqlite3.Connection], None]:
    """Return an action that writes one small row."""
    return lambda connection: put(connection, f"k{number}", value)


def noting(number: int, done: list[int]) -> Callable[[sqlite3.Connection], None]:
    """Return an action that only notes that it ran."""
    return lambda _: done.append(number)


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


def fail(connection: sqlite3.Connection) -> None:
    """Write something, and then raise."""
    put(connection, "half", 1)
    message = "on purpose"
    raise LookupError(message)


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
        assert self._go.wait(30)


async def test_what_is_written_can_be_read(database: Database) -> None:
    """A write returns its action's value, and the next read sees what it did."""
    assert await database.write(lambda connection: spool(connection, 10)) == 1
    assert await database.write(lambda connection: spool(connection, 10)) == 2

    assert await database.read(lambda c: c.execute("SELECT count(*) FROM spool").fetchone()) == (2,)


async def test_a_commit_is_to_wait_for_the_disk(database: Database) -> None:
    """No kill can show what a power cut would, so the setting itself is looked at."""
    pragma = "PRAGMA synchronous"
    full = 2

    assert await database.write(lambda db: db.execute(pragma).fetchone()) == (full,)


async def test_reading_cannot_write(database: Database) -> None:
    """A read has a connection that refuses changes."""
    with pytest.raises(StateError, match="readonly"):
        await database.read(lambda connection: put(connection, "a", 1))


async def test_a_read_does_not_wait_for_a_write(database: Database) -> None:
    """Readers see the last commit while the writer is busy."""
    await database.write(lambda connection: put(connection, "a", 1))

    async with Held(database):
        assert await database.read(lambda connection: get(connection, "a")) == 1


async def test_writes_happen_in_the_order_they_were_asked_for(database: Database) -> None:
    """However many wait, a later write never comes before an earlier one."""
    order: list[int] = []

    async with asyncio.TaskGroup() as tasks:
        for number in range(3 * MOST_QUEUED):
            tasks.create_task(database.write(noting(number, order)))

    assert order == list(range(3 * MOST_QUEUED))


async def test_writes_that_wait_share_a_commit(database: Database) -> None:
    """While one commit is on its way to the disk, the next group gathers."""
    statements: list[str] = []
    await database.write(lambda connection: connection.set_trace_callback(statements.append))

    async with Held(database):
        tasks = [asyncio.create_task(database.write(putting(number))) for number in range(100)]
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)

    await database.write(lambda connection: connection.set_trace_callback(None))
    assert sum(statement.startswith("INSERT") for statement in statements) == 100
    assert statements.count("COMMIT") <= 4


async def test_an_action_that_raises_disturbs_no_other(database: Database) -> None:
    """Its own changes are undone and its caller hears why; its neighbours are committed."""
    async with Held(database):
        before = asyncio.create_task(database.write(lambda c: put(c, "before", 1)))
        failing = asyncio.create_task(database.write(fail))
        after = asyncio.create_task(database.write(lambda c: put(c, "after", 1)))
        await asyncio.sleep(0)
    await asyncio.wait([before, failing, after])

    assert isinstance(failing.exception(), LookupError)
    assert before.exception() is after.exception() is None
    assert await database.read(lambda c: get(c, "before")) == 1
    assert await database.read(lambda c: get(c, "after")) == 1
    assert await database.read(lambda c: get(c, "half")) is None


async def test_an_error_of_sqlite_is_told_in_our_words(database: Database) -> None:
    """Callers need not know what is underneath."""
    with pytest.raises(StateError, match=r"state\.db: no such table: nonsense"):
        await database.write(lambda connection: connection.execute("DELETE FROM nonsense"))


async def test_a_cancelled_write_is_still_written(database: Database) -> None:
    """A caller may be cancelled; the order of the writes stays."""
    async with Held(database):
        first = asyncio.create_task(database.write(lambda c: put(c, "a", "first")))
        second = asyncio.create_task(database.write(lambda c: put(c, "a", "second")))
        await asyncio.sleep(0)
        first.cancel()
        second.cancel()
    await asyncio.wait([first, second])

    assert first.cancelled()
    assert second.cancelled()
    await database.write(lambda _: None)
    assert await database.read(lambda c: get(c, "a")) == "second"


async def test_writers_wait_when_the_queue_is_full(database: Database) -> None:
    """The queue has a bound, and who is cancelled while waiting for it wrote nothing."""
    done: list[int] = []

    async with Held(database):
        tasks = [
            asyncio.create_task(database.write(noting(number, done)))
            for number in range(MOST_QUEUED + 50)
        ]
        await asyncio.sleep(0)
        for task in tasks[MOST_QUEUED - 1 :]:
            task.cancel()
    await asyncio.wait(tasks)

    assert done == list(range(MOST_QUEUED - 1))
    assert await database.write(lambda _: "still alive") == "still alive"


async def test_closing_writes_what_is_queued(tmp_path: Path) -> None:
    """Nothing that was asked for is lost by closing, and no thread or journal is left."""
    path = tmp_path / "state.db"
    database = await Database.open(path)
    tasks = [asyncio.create_task(database.write(putting(number))) for number in range(100)]
    await asyncio.sleep(0)

    await database.close()
    await database.close()
    await asyncio.gather(*tasks)

    assert sorted(p.name for p in tmp_path.iterdir()) == ["state.db"]
    assert not [t for t in threading.enumerate() if t.name.startswith("ingestd-state")]
    async with await Database.open(path) as again:
        assert len(await again.read(keys)) == 100


async def test_a_closed_database_says_so(tmp_path: Path) -> None:
    """Writing or reading after the end is an error, not a wait for ever."""
    database = await Database.open(tmp_path / "state.db")
    await database.close()

    with pytest.raises(StateError, match=r"state\.db: closed"):
        await database.write(lambda _: None)
    with pytest.raises(StateError, match=r"state\.db: closed"):
        await database.read(lambda _: None)


async def test_the_file_is_private(database: Database) -> None:
    """The database and its journal are for our user only, under any umask."""
    await database.write(lambda connection: put(connection, "a", 1))

    for path in database.path.parent.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.slow
def test_a_loop_that_dies_without_closing_leaves_no_process_behind(tmp_path: Path) -> None:
    """A crash on the event loop ends the process, threads or no threads."""
    script = """
import asyncio, sys
from pathlib import Path
from ingestd.disk.database import Database

async def main():
    database = await Database.open(Path(sys.argv[1]))
    await database.write(lambda connection: None)
    await database.read(lambda connection: None)
    sys.exit(3)

asyncio.run(main())
"""
    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "state.db")], timeout=20, check=False
    )

    assert ended.returncode == 3


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


@pytest.mark.slow
@pytest.mark.parametrize("seed", [random.randrange(10**6) for _ in range(5)])
async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, seed: int) -> None:
    """Kill it at any instant: every write that returned is there, and the file is whole."""
    path = tmp_path / "state.db"
    with subprocess.Popen(
        [sys.executable, "-c", WRITE_UNTIL_KILLED, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline().strip()]
        timer = threading.Timer(random.Random(seed).uniform(0, 0.4), process.kill)
        timer.start()
        acknowledged += process.stdout.read().split("\n")[:-1]
        timer.join()

    async with await Database.open(path) as database:
        rows = await database.read(lambda c: c.execute("SELECT key FROM meta").fetchall())
        assert process.returncode == -signal.SIGKILL
        assert database.damage == ""
        assert set(acknowledged) <= {key for (key,) in rows}


# Damage


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


# Migrations


async def test_migrations_run_once_and_in_order(tmp_path: Path) -> None:
    """A database of an older version is brought up to ours, with what is in it."""
    path = tmp_path / "state.db"
    steps = ["CREATE TABLE meta (a)", "ALTER TABLE meta ADD b", "UPDATE meta SET b = a + 1"]
    async with await Database.open(path, migrations=steps[:1]) as database:
        await database.write(lambda connection: connection.execute("INSERT INTO meta VALUES (1)"))

    for _ in range(2):
        async with await Database.open(path, migrations=steps) as database:
            rows = await database.read(lambda c: c.execute("SELECT * FROM meta").fetchall())

    assert rows == [(1, 2)]


async def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    """The version before is still whole, for the daemon before."""
    path = tmp_path / "state.db"
    good = ["CREATE TABLE meta (a)"]
    async with await Database.open(path, migrations=good):
        pass

    with pytest.raises(StateError, match="nonsense"):
        await Database.open(path, migrations=[*good, "DROP TABLE meta; SELECT nonsense"])

    async with await Database.open(path, migrations=good) as database:
        assert await database.read(lambda c: c.execute("SELECT * FROM meta").fetchall()) == []


async def test_a_later_version_is_refused(tmp_path: Path) -> None:
    """An older daemon does not touch what it cannot understand."""
    path = tmp_path / "state.db"
    async with await Database.open(path, migrations=[*MIGRATIONS, "CREATE TABLE later (a)"]):
        pass
    before = path.read_bytes()

    with pytest.raises(StateError, match="written by a later ingestd: expected schema version"):
        await Database.open(path)
    assert path.read_bytes() == before


# A full disk


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


async def count(database: Database) -> int:
    """Return how many batches are spooled."""
    (rows,) = await database.read(lambda c: c.execute("SELECT count(*) FROM spool").fetchone())
    return int(rows)


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
    async with asyncio.timeout(20):
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
        asyncio.timeout(10),
        await Database.open(tmp_path / "state.db", ballast=ballast) as database,
    ):
        await database.write(limit, on_full="use_ballast")
        with pytest.raises(StateError, match=r"no room on the disk|LookupError: on purpose"):
            await database.write(lambda c: spool(c, 200_000), on_full="use_ballast")

        await database.write(putting(1), on_full="use_ballast")
        assert await database.read(lambda c: get(c, "k1")) == 1
