"""The one thread that writes to the state database, many writers' actions to a commit.

A commit waits for the disk, and while it does the next actions queue up; the
thread then takes them all, runs each in a savepoint of one transaction, in the
order they came, and commits once. So the disk decides how big the groups are,
and no action waits for more than two commits.

A full disk. Everything is written to the journal first and later written back
into the file, which may grow by as much again; so even a delete needs room.
Actions either may use the ballast (deletes, and the small commits that let the
daemon go on) or may not (those that fill the disk). The latter are refused while
less is free than the ballast holds, so that the journal can be written back
even if another program fills the rest. Should the disk be full all the same, the
ballast goes; pages that deletes have freed are given back to the disk, and once
there is room enough the ballast is made again.
"""

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from ingestd.disk.actions import run
from ingestd.disk.directory import Ballast
from ingestd.disk.ownfile import OwnFile, diagnosed
from ingestd.disk.schema import PAGE_BYTES, is_full, translate
from ingestd.errors import DiskFull, StateError

OnFull = Literal["fail", "use_ballast"]

LARGEST_GROUP: Final = 64
# Free pages that the file keeps for the next outage, and how many are given back at a time.
SLACK_PAGES: Final = 32 * 1024 * 1024 // PAGE_BYTES
GIVEN_BACK_PAGES: Final = 1024 * 1024 // PAGE_BYTES


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """An action to be written.

    Attributes:
        action: Changes the database; it must not begin, commit or roll back.
        on_full: Whether it may use the ballast when the disk is full.
        done: Called from the thread with the action's value, or with why it
            left nothing behind.
    """

    action: Callable[[sqlite3.Connection], Any]
    on_full: OnFull
    done: Callable[[Any, Exception | None], None]


@dataclass(frozen=True, slots=True)
class JobResult:
    """How a job ended."""

    job: Job
    value: Any = field(default=None, repr=False)
    error: Exception | None = None


class Writer:
    """The thread, its queue and its connection, which it closes when it ends."""

    def __init__(self, connection: sqlite3.Connection, path: Path, ballast: Ballast | None) -> None:
        self._connection = connection
        self._path = path
        self._own = OwnFile(path)
        self._ballast = ballast
        self._queue: deque[Job] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        # A daemon thread: an interpreter that ends without close() must not wait for it.
        self._thread = threading.Thread(target=self._work, name="ingestd-state", daemon=True)
        self._ended: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def put(self, job: Job) -> None:
        """Queue a job."""
        with self._changed:
            self._queue.append(job)
            self._changed.notify()

    def stop(self, ended: Callable[[], None]) -> None:
        """Let the thread write what is queued and end; ``ended`` is called from it at last."""
        with self._changed:
            self._ended = ended
            self._stopping = True
            self._changed.notify()

    def join(self) -> None:
        """Wait for the thread to end."""
        self._thread.join()

    def _work(self) -> None:
        try:
            while jobs := self._take():
                for result in self._settle_or_fail(jobs):
                    result.job.done(result.value, result.error)
        finally:
            # The last connection to close writes the journal back into the file.
            with suppress(sqlite3.Error):
                self._connection.close()
            self._ended()

    def _take(self) -> list[Job]:
        """Wait for jobs and return the next group; an empty one at the end."""
        while True:
            with self._changed:
                if self._queue:
                    size = min(len(self._queue), LARGEST_GROUP)
                    return [self._queue.popleft() for _ in range(size)]
                if self._stopping:
                    return []
            if not self._tidy():
                with self._changed:
                    self._changed.wait_for(lambda: self._queue or self._stopping)

    def _settle_or_fail(self, jobs: Sequence[Job]) -> list[JobResult]:
        try:
            return self._settle(jobs)
        # Border: without this thread every later write would wait for ever, without a word.
        except StateError as exc:
            return failed(jobs, exc)
        except Exception as exc:  # noqa: BLE001 (it is told to those that wait for the jobs)
            return failed(jobs, StateError(f"{self._path}: {type(exc).__name__}: {exc}"))

    def _settle(self, jobs: Sequence[Job]) -> list[JobResult]:
        """Write what can be written of a group."""
        error: StateError = DiskFull(f"{self._path}: no room on the disk but for what makes room")
        for attempt in self._attempts(jobs):
            try:
                results = self._commit(attempt)
            except sqlite3.Error as exc:
                error = diagnosed(self._path, translate(exc, self._path))
                if not isinstance(error, DiskFull):
                    break
            else:
                return results + failed([job for job in jobs if job not in attempt], error)
        return failed(jobs, diagnosed(self._path, error))

    def _attempts(self, jobs: Sequence[Job]) -> Iterator[Sequence[Job]]:
        """Yield what to try to commit, one after the other for as long as the disk is full."""
        if self._ballast is None:
            yield jobs
            return
        essential = [job for job in jobs if job.on_full == "use_ballast"]
        if essential != jobs and self._has_room(self._ballast):
            yield jobs
        if essential:
            yield essential
            self._ballast.release()
            self._give_back()
            yield essential

    def _commit(self, jobs: Sequence[Job]) -> list[JobResult]:
        """Run all the jobs in one transaction.

        Raises:
            sqlite3.Error: It left nothing behind.
            DatabaseLost: A restart would not find what it left.
        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            results = [self._run(job) for job in jobs]
            self._connection.execute("COMMIT")
            self._own.check()
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        return results

    def _run(self, job: Job) -> JobResult:
        """Run one job in a savepoint of the transaction."""
        self._connection.execute("SAVEPOINT job")
        try:
            value = run(job.action, self._connection)
        except Exception as exc:  # the border to the caller's code
            # Some errors of SQLite end the whole transaction, and a full disk concerns every job.
            if isinstance(exc, sqlite3.Error) and (
                is_full(exc) or not self._connection.in_transaction
            ):
                raise
            self._connection.execute("ROLLBACK TO job")
            self._connection.execute("RELEASE job")
            return JobResult(job, error=exc)
        self._connection.execute("RELEASE job")
        return JobResult(job, value)

    def _has_room(self, ballast: Ballast) -> bool:
        """Tell whether the disk may be filled further, after giving back what we can spare."""
        try:
            if not (ballast.make() and ballast.room):
                self._give_back()
            return ballast.make() and ballast.room
        except (StateError, OSError):
            return False

    def _tidy(self) -> bool:
        """Give some of the file back to the disk; tell whether there is more to give."""
        free = self._free_pages()
        if free > SLACK_PAGES:
            self._vacuum()
        elif free == 0 or self._ballast is None or self._has_room(self._ballast):
            return False
        return self._free_pages() < free

    def _give_back(self) -> None:
        """Give free pages, and the journal's, back to the disk."""
        self._vacuum()
        with suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _vacuum(self) -> None:
        with suppress(sqlite3.Error):
            # It does one page for each row that is fetched.
            pragma = f"PRAGMA incremental_vacuum({GIVEN_BACK_PAGES})"
            self._connection.execute(pragma).fetchall()

    def _free_pages(self) -> int:
        try:
            (pages,) = self._connection.execute("PRAGMA freelist_count").fetchone()
        except sqlite3.Error:
            return 0
        return int(pages)


def failed(jobs: Sequence[Job], error: StateError) -> list[JobResult]:
    """Return a result for each job, each with an exception of its own."""
    return [JobResult(job, error=type(error)(str(error))) for job in jobs]
