"""Whether what is written to a database can be found again, and why a disk does not take it.

SQLite goes on writing to a file that was deleted, replaced, or whose journal was cut by
another program, and says that all is well; a restart finds none of it. A look after each
commit costs two system calls of a microsecond, beside the sync that takes a hundred times
as long.
"""

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from ingestd.disk.directory import FULL
from ingestd.errors import DatabaseLost, DiskFull, StateError

# How a journal begins, whatever the byte order of its checksums.
JOURNAL_MAGIC: Final = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
MENDING: Final = "restart ingestd; what it wrote meanwhile is not kept"
TRIED_BYTES: Final = 4096


class OwnFile:
    """A database that is open, and its place in the file system.

    Args:
        path: Where it was when it was opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._journal = f"{path}-wal"
        self._own = self._there()

    def check(self) -> None:
        """See that the file at the path is the one that was opened, and its journal whole.

        Raises:
            DatabaseLost: What was just written would not be found by a restart.
        """
        if self._there() != self._own:
            raise DatabaseLost(f"{self._path}: another file is in its place: {MENDING}")
        try:
            # No lock of SQLite is on the journal, so that closing it gives none away.
            file = os.open(self._journal, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as exc:
            raise DatabaseLost(f"{self._journal}: {exc.strerror}: {MENDING}") from exc
        try:
            start = os.pread(file, 4, 0)
        finally:
            os.close(file)
        if start and start not in JOURNAL_MAGIC:  # an empty one has been written back
            raise DatabaseLost(f"{self._journal}: cut by another program: {MENDING}")

    def _there(self) -> tuple[int, int]:
        try:
            found = self._path.stat()
        except OSError as exc:
            raise DatabaseLost(f"{self._path}: {exc.strerror}: {MENDING}") from exc
        return found.st_dev, found.st_ino


def diagnosed(path: Path, error: StateError) -> StateError:
    """Return why a disk did not take a write: SQLite tells a full one from no other failure.

    Args:
        path: The database.
        error: What SQLite's error was taken for.
    """
    if not isinstance(error, DiskFull):
        return error
    tried = path.with_name(f"{path.name}.tried")
    try:
        file = os.open(tried, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(file, bytes(TRIED_BYTES))
            os.fsync(file)
        finally:
            os.close(file)
            with suppress(OSError):
                tried.unlink()
    except OSError as exc:
        if exc.errno == errno.ENOENT:
            return DatabaseLost(f"{path}: {exc.strerror}: {MENDING}")
        if exc.errno not in FULL:
            return StateError(f"{path}: expected a disk that takes writes, got {exc.strerror}")
    return error
