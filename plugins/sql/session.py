"""A connection to a database, and the rows that it gives, one part after the other."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, Self, TypeVar

from .address import Address
from .dialects import Dialect
from .errors import SqlError
from .statements import Statement
from .thread import Thread

T = TypeVar("T")
Row = tuple[Any, ...]
# How much longer than a database itself we wait for it, in seconds.
GRACE: Final = 10.0


class Session:
    """Reads from a database; connects when it has to.

    Args:
        dialect: Of the database.
        address: Where it is.
        patience: How long a statement, and the next rows of it, may take, in seconds.

    Attributes:
        reading: Whether a statement has begun and may have more rows.
    """

    def __init__(self, dialect: Dialect, address: Address, *, patience: float) -> None:
        self._dialect, self._address, self._patience = dialect, address, patience
        self._thread = Thread()
        self._connection: Any = None
        self._cursor: Any = None
        self.reading = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        connection, busy = self._connection, self._thread.busy
        if busy and connection is not None:
            # It may wait for the network itself.
            await asyncio.to_thread(self._dialect.interrupt, connection)
        self._thread.finish(self._close)

    async def names(self, statement: Statement) -> list[str]:
        """Return the columns of a statement's rows."""

        def ask() -> list[str]:
            cursor = self._connected().cursor()
            try:
                self._execute(cursor, statement)
                cursor.fetchall()
                return [column[0] for column in cursor.description]
            finally:
                cursor.close()

        return await self._call(ask)

    async def one(self, statement: Statement) -> Row | None:
        """Return the only row of a statement, or None."""

        def ask() -> Row | None:
            cursor = self._connected().cursor()
            try:
                self._execute(cursor, statement)
                rows = cursor.fetchall()
                return tuple(rows[0]) if rows else None
            finally:
                cursor.close()

        return await self._call(ask)

    async def begin(self, statement: Statement) -> None:
        """Begin to read the rows of a statement."""

        def ask() -> None:
            connection = self._connected()
            self._cursor = self._dialect.cursor(connection)
            self._execute(self._cursor, statement)

        await self._call(ask)
        self.reading = True

    async def fetch(self, count: int) -> Sequence[Row]:
        """Return the next rows; fewer than were asked for are the last ones."""

        def ask() -> Sequence[Row]:
            self._dialect.before_fetch(self._connection, self._patience)
            found: Sequence[Row] = self._cursor.fetchmany(count)
            return found

        return await self._call(ask)

    async def work(self, function: Callable[[], T]) -> T:
        """Return what a function returns that takes long and asks nothing of the database."""
        return await self._thread.call(function, patience=None)

    def release(self) -> None:
        """Leave the database alone until the next statement: others may wait for us."""
        self.reading = False
        self._thread.do(self._close)

    def _connected(self) -> Any:
        if self._connection is None:
            self._connection = self._dialect.connect(self._address, self._patience)
        return self._connection

    def _execute(self, cursor: Any, statement: Statement) -> None:
        self._dialect.before_fetch(self._connection, self._patience)
        text = self._dialect.finished(statement.text)
        self._dialect.execute(cursor, text, list(statement.arguments))

    def _close(self) -> None:
        connection, cursor = self._connection, self._cursor
        self._connection = self._cursor = None
        if connection is not None:
            self._dialect.close(connection, cursor)

    async def _call(self, function: Callable[[], T]) -> T:
        """Return what a function returns.

        Raises:
            SqlError: The database does not answer, or not as it should.
        """
        try:
            return await self._thread.call(function, patience=2 * self._patience + GRACE)
        except TimeoutError:
            raise SqlError(f"{self._address}: no answer within {self._patience:g} s") from None
        except self._dialect.errors as error:
            raise SqlError(f"{self._address}: {self._dialect.told(error)}") from None
