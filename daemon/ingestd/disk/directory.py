"""The state directory: one daemon at a time, private, with room to spare.

``lock`` is held with flock(2) for as long as the daemon lives, and says who
holds it and where it listens; the kernel lets go of it however the daemon
ends, so a file that no process has locked means that no daemon runs. ``ballast`` is
disk space that is kept back: on a full disk SQLite cannot even delete, so
the ballast goes first.
"""

import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

from ingestd.errors import StateDirectoryBusy, StateError
from ingestd.plugins import _files

BALLAST_BYTES: Final = 16 * 1024 * 1024
# A process that asks who holds the lock has it for an instant; starting daemons sit that out.
LOCK_PATIENCE: Final = 0.5  # seconds
FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a state directory.

    Attributes:
        pid: Its process id.
        started: When it took the directory, in seconds since the Unix epoch.
        listen: Where its HTTP API is: ``http://127.0.0.1:8470``, ``unix:/path``,
            or empty if it has none or not yet.
    """

    pid: int
    started: float
    listen: str = ""


class Ballast:
    """A file that keeps some disk space back for when there is no other left."""

    def __init__(self, path: Path, *, size: int) -> None:
        self._path = path
        self._size = size

    @property
    def present(self) -> bool:
        """Whether the space is being kept back."""
        return self._path.exists()

    @property
    def room(self) -> bool:
        """Whether the disk has as much free again."""
        return self._free() >= self._size

    def make(self) -> bool:
        """Keep the space back if the disk has twice as much free; say whether it is now.

        Twice, so that making it does not fill the disk that it was released on.
        """
        if self.present:
            return True
        half_made = self._path.with_suffix(".new")
        try:
            half_made.unlink(missing_ok=True)
            if self._free() < 2 * self._size:
                return False
            self._allocate(half_made)
            half_made.replace(self._path)
        except OSError as exc:
            with suppress(OSError):
                half_made.unlink()
            if exc.errno in FULL:
                return False
            raise StateError(f"{self._path}: cannot be written: {exc.strerror}") from exc
        return True

    def release(self) -> bool:
        """Give the space to the disk; say whether there was any to give."""
        try:
            self._path.unlink()
        except OSError:  # gone already, or the whole disk is read-only by now
            return False
        return True

    def _free(self) -> int:
        disk = os.statvfs(self._path.parent)
        return disk.f_bavail * disk.f_frsize

    def _allocate(self, path: Path) -> None:
        # Allocated rather than sparse or compressible, or else it would keep nothing back.
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(file, 0, self._size)
        finally:
            os.close(file)


class StateDirectory:
    """A state directory that this process holds.

    Attributes:
        path: Where it is.
        database: The path of the database in it.
        ballast: The space kept back.
        warnings: What an operator should look at, to be logged.
    """

    def __init__(self, path: Path, lock: int, ballast: Ballast, warnings: tuple[str, ...]) -> None:
        self.path = path
        self.database = path / "state.db"
        self.ballast = ballast
        self.warnings = warnings
        self._lock = lock
        self._started = time.time()

    @classmethod
    @contextmanager
    def open(cls, path: Path, *, ballast_bytes: int = BALLAST_BYTES) -> Iterator[Self]:
        """Create the directory if need be and hold it until the context ends.

        Raises:
            StateDirectoryBusy: Another process holds it; the message has its pid.
            StateError: It cannot be created, does not answer, or is not ours to write in.
        """
        see_that_it_answers(path)
        lock = _lock(path)
        try:
            ballast = Ballast(path / "ballast", size=ballast_bytes)
            warnings = (*_unprivate(path), *_unballasted(path, ballast, ballast_bytes))
            directory = cls(path, lock, ballast, warnings)
            directory.announce("")
            yield directory
        finally:
            os.close(lock)

    def announce(self, listen: str) -> None:
        """Write down where this process listens, for ``holder`` to find."""
        text = json.dumps(asdict(Holder(os.getpid(), self._started, listen))).encode()
        try:
            # In this order, since writing over what is there works on a full disk too.
            os.pwrite(self._lock, text, 0)
            os.ftruncate(self._lock, len(text))
        except OSError as exc:
            # The lock itself holds on a full disk too, and that is what counts.
            if exc.errno not in FULL:
                raise StateError(f"{self.path}: cannot be written: {exc.strerror}") from exc


def holder(path: Path) -> Holder | None:
    """Return which process holds the state directory, or None if it is free.

    Raises:
        StateError: The directory does not answer, or is not ours to read.
    """
    see_that_it_answers(path)
    try:
        file = os.open(path / "lock", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise StateError(f"{path}: cannot be read: {exc.strerror}") from exc
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_holder(file)
    finally:
        os.close(file)
    return None


def see_that_it_answers(path: Path) -> None:
    """Ask once, with bounded patience: the kernel waits for a server that has gone without end.

    Raises:
        StateError: It does not answer.
    """
    try:
        _files.within(path, lambda: os.path.lexists(path / "lock"))
    except _files.Unresponsive as exc:
        wanted = "expected a directory on a disk that answers"
        raise StateError(f"{path}: {wanted}, got one that {exc.strerror}") from exc


def _read_holder(file: int) -> Holder:
    """Return what the lock file says; pid 0 if it does not say who holds it."""
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            return Holder(**json.loads(os.pread(file, 4096, 0)))
        except (ValueError, TypeError):  # caught between the lock and the words
            if time.monotonic() > deadline:
                return Holder(pid=0, started=0)
        time.sleep(0.02)


def _lock(path: Path) -> int:
    """Return a file descriptor that holds the lock for as long as it is open."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        wanted = "expected a directory that this user can write in"
        raise StateError(f"{path}: {wanted}, got {exc.strerror}") from exc
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                other = _read_holder(file)
                os.close(file)
                raise StateDirectoryBusy(_busy(path, other)) from None
            time.sleep(0.02)
        else:
            return file


def _busy(path: Path, other: Holder) -> str:
    who = f"process {other.pid}" if other.pid else "another process"
    where = f", which listens on {other.listen}" if other.listen else ""
    return f"{path}: in use by {who}{where}; stop it first, or choose another state directory"


def _unprivate(path: Path) -> Iterator[str]:
    # Reported, not mended: the operator may have meant it, or another user own the directory.
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        yield f"{path}: holds secrets, expected mode 0700, got {mode:04o}"


def _unballasted(path: Path, ballast: Ballast, size: int) -> Iterator[str]:
    if not ballast.make():
        yield f"{path}: the disk is nearly full, expected room for a ballast of {size} bytes"
