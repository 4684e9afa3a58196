"""SQLite, by Python's own library."""

import sqlite3
import time
from contextlib import suppress
from typing import Any, ClassVar, Final
from urllib.parse import quote, urlencode

from ingestd.plugins import _files

from .address import Address
from .dialect import MARK, Dialect

STEPS: Final = 10_000  # of its machine between two looks at the clock
HINTS: Final = {
    sqlite3.SQLITE_CANTOPEN: "; a database in WAL mode needs the right to write into its folder",
    sqlite3.SQLITE_READONLY: "; a database in WAL mode needs the right to write into its folder",
    sqlite3.SQLITE_BUSY: " by another program, longer than request_timeout",
    sqlite3.SQLITE_INTERRUPT: ": it took longer than request_timeout",
}


class SQLite(Dialect):
    """Reads a file, which is opened for reading only."""

    driver: ClassVar[str] = "sqlite3"
    mark: ClassVar[str] = "?"
    mixes: ClassVar[bool] = True

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What the driver raises; a file that is not there is noticed before."""
        return (sqlite3.Error, OSError)

    def finished(self, text: str) -> str:
        """Return a statement as the driver takes it."""
        return text.replace(MARK, self.mark)

    def sorted_by(self, name: str, *, few: bool) -> str:
        """Return what rows are sorted by.

        If an index has the order, it is followed through the whole table, however few rows are
        wanted. It does not have that of an expression.
        """
        return f"+{name}" if few else name

    def connect(self, address: Address, patience: float) -> Any:
        """Open the file."""
        _files.check(address.file)  # says more than SQLite does
        query = urlencode({**address.options, "mode": "ro"})
        connection = sqlite3.connect(
            f"file:{quote(address.file)}?{query}", uri=True, timeout=patience, isolation_level=None
        )
        connection.text_factory = decoded
        self.before_fetch(connection, patience)
        return connection

    def before_fetch(self, connection: Any, patience: float) -> None:
        """Have the next rows come within that time."""
        end = time.monotonic() + patience
        connection.set_progress_handler(lambda: time.monotonic() > end, STEPS)

    def interrupt(self, connection: Any) -> None:
        """Have what is going on in another thread end soon."""
        with suppress(sqlite3.Error):
            connection.interrupt()

    def told(self, error: Exception) -> str:
        """Return what an error says."""
        if isinstance(error, OSError):
            return error.strerror or str(error)
        code = getattr(error, "sqlite_errorcode", None) or 0
        return super().told(error) + HINTS.get(code & 0xFF, "")


def decoded(text: bytes) -> str:
    """Return a text; a character that is none must not hide the rows behind it."""
    return text.decode(errors="replace")
