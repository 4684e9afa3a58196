"""What the state database acknowledges is on the disk, and survives a kill."""

import asyncio
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from ingestd.disk.database import MOST_QUEUED, Database
from ingestd.errors import StateError
from tests.support.deadline import WITHIN
from tests.support.statedb import (
    WRITE_UNTIL_KILLED,
    Held,
    get,
    keys,
    put,
    putting,
    spool,
)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Open a new database."""
    async with await Database.open(tmp_path / "state.db") as opened:
        yield opened


def noting(number: int, done: list[int]) -> Callable[[sqlite3.Connection], None]:
    """Return an action that only notes that it ran."""
    return lambda _: done.append(number)


def fail(connection: sqlite3.Connection) -> None:
    """Write something, and then raise."""
    put(connection, "half", 1)
    message = "on purpose"
    raise LookupError(message)


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
    with pytest.raises(StateError, match=r"state\.db: "):
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
    with pytest.raises(StateError, match=r"state\.db: .*nonsense"):
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


@pytest.mark.slow  # a Python process starts
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
        [sys.executable, "-c", script, str(tmp_path / "state.db")], timeout=WITHIN, check=False
    )

    assert ended.returncode == 3


@pytest.mark.slow  # a Python process starts
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
