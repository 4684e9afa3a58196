"""The state database as the event loop sees it: awaitable writes and reads.

Writes go through one thread in the order they were asked for (``writer.py``);
an awaited write is on the disk. Reads have connections and threads of their
own, and see what was committed when they began.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from ingestd.clock import Clock
from ingestd.disk.actions import run
from ingestd.disk.directory import Ballast
from ingestd.disk.schema import (
    MIGRATIONS,
    move_aside,
    open_reader,
    open_writer,
    translate,
)
from ingestd.disk.writer import Job, OnFull, Writer
from ingestd.errors import DatabaseDamaged, DatabaseLost, DiskFull, StateError

T = TypeVar("T")
Action = Callable[[sqlite3.Connection], T]

MOST_QUEUED: Final = 1024  # writes; the next one waits for its turn to queue
READERS: Final = 2
# A folder that is moved away and back by hand is back by then, and so is a network file system
# that had to reconnect.
STAYS_LOST: Final = 5.0  # seconds


class Database:
    """An open state database.

    Attributes:
        path: Where it is.
        damage: What was wrong with the file that was found and where it is now,
            or an empty string. To be logged as an error: this database began empty.
    """

    def __init__(
        self, path: Path, writer: Writer, readers: ThreadPoolExecutor, *, damage: str
    ) -> None:
        self.path = path
        self.damage = damage
        self._loop = asyncio.get_running_loop()
        self._writer = writer
        self._room = asyncio.Semaphore(MOST_QUEUED)
        self._readers = readers
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._reading: set[Future[Any]] = set()
        self._closed = False
        self._missed = asyncio.Event()  # a write has found that the file is not there

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        ballast: Ballast | None = None,
        migrations: Sequence[str] = MIGRATIONS,
    ) -> Self:
        """Open the database, making or migrating it first; set it aside if it is damaged.

        Args:
            path: The file.
            ballast: What to release when the disk is full.
            migrations: One script for each version of the schema.

        Raises:
            DiskFull: There is no room for its journal, even without the ballast.
            StateError: It is of a later version than ours, or cannot be opened.
        """
        readers = ThreadPoolExecutor(READERS, thread_name_prefix="ingestd-state-read")
        opening = partial(_open_whole, path, ballast, migrations)
        try:
            connection, damage = await asyncio.wrap_future(readers.submit(opening))
        except StateError:
            readers.shutdown()
            raise
        writer = Writer(connection, path, ballast)
        writer.start()
        return cls(path, writer, readers, damage=damage)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def write(self, action: Action[T], *, on_full: OnFull = "fail") -> T:
        """Run the action in the next transaction and return its value once it is on disk.

        Actions run in the order in which they were asked for. One that raises
        leaves nothing behind and disturbs no other. Cancelling stops the
        waiting; what is queued already is still written.

        Args:
            action: Changes the database, in another thread; it must not begin,
                commit, roll back or run a script, and gives rows, not what reads them.
            on_full: ``use_ballast`` for what must get through on a full disk:
                deletes, and small commits without which the daemon is stuck.

        Raises:
            DiskFull: There was no room.
            DatabaseLost: The file is not at its place any more.
            StateError: The database failed, or is closed.
        """
        await self._room.acquire()
        try:
            future = self._submit(action, on_full)
        except StateError:
            self._room.release()
            raise
        future.add_done_callback(self._settled)
        return await asyncio.shield(future)

    async def read(self, action: Action[T]) -> T:
        """Run the action on a connection that can only read, and return its value.

        Raises:
            StateError: The database failed, or is closed.
        """
        if self._closed:
            raise StateError(f"{self.path}: closed")
        future = self._readers.submit(self._read, action)
        self._reading.add(future)
        future.add_done_callback(self._reading.discard)
        return await asyncio.wrap_future(future)

    async def lost(self, clock: Clock) -> DatabaseLost:
        """Wait until a write finds that the file has gone for good; return what it found.

        Nothing but a restart helps then: SQLite holds on to the file that it has opened.
        """
        while True:
            await self._missed.wait()
            self._missed.clear()
            await clock.sleep(STAYS_LOST)
            try:
                await self.write(lambda _: None)
            except DatabaseLost as error:
                return error
            except StateError:  # a disk that fails may work again
                continue

    async def close(self) -> None:
        """Finish what was asked for, write the journal back and end the threads."""
        if self._closed:
            return
        self._closed = True
        for future in list(self._reading):
            await asyncio.wait([asyncio.wrap_future(future)])
        self._readers.shutdown()
        for connection in self._connections:
            connection.close()
        ended = asyncio.Event()
        self._writer.stop(partial(self._call, ended.set))
        await ended.wait()
        self._writer.join()

    def _submit(self, action: Action[T], on_full: OnFull) -> asyncio.Future[T]:
        if self._closed:
            raise StateError(f"{self.path}: closed")
        future: asyncio.Future[T] = self._loop.create_future()

        def done(value: Any, error: Exception | None) -> None:
            self._call(partial(self._finish, future, value, self._translated(error)))

        self._writer.put(Job(action, on_full, done))
        return future

    def _settled(self, future: asyncio.Future[Any]) -> None:
        self._room.release()
        if not future.cancelled():
            future.exception()  # a caller that was cancelled does not ask for it any more

    def _finish(self, future: asyncio.Future[T], value: T, error: Exception | None) -> None:
        if isinstance(error, DatabaseLost):
            self._missed.set()
        _resolve(future, value, error)

    def _call(self, callback: Callable[[], None]) -> None:
        """Call back on the event loop, unless that has gone."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback)

    def _translated(self, error: Exception | None) -> Exception | None:
        if not isinstance(error, sqlite3.Error):
            return error
        translated = translate(error, self.path)
        translated.__cause__ = error
        return translated

    def _read(self, action: Action[T]) -> T:
        try:
            return run(action, self._reader())
        except sqlite3.Error as exc:
            raise translate(exc, self.path) from exc

    def _reader(self) -> sqlite3.Connection:
        """Return this thread's connection."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = open_reader(self.path)
            self._connections.append(connection)
        return connection


def _resolve(future: asyncio.Future[T], value: T, error: Exception | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)


def _open_whole(
    path: Path, ballast: Ballast | None, migrations: Sequence[str]
) -> tuple[sqlite3.Connection, str]:
    """Open the database, setting a damaged one aside; return it with what was damaged."""
    try:
        return _open_with_room(path, ballast, migrations), ""
    except DatabaseDamaged as exc:
        aside = move_aside(path)
        damage = f"{exc}; kept as {aside.name}, sources are read again from their beginning"
    return _open_with_room(path, ballast, migrations), damage


def _open_with_room(
    path: Path, ballast: Ballast | None, migrations: Sequence[str]
) -> sqlite3.Connection:
    try:
        return open_writer(path, migrations)
    except DiskFull:
        if ballast is None or not ballast.release():
            raise
    return open_writer(path, migrations)
