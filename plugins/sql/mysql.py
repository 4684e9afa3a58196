"""MySQL and MariaDB, by PyMySQL."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, ClassVar

from .address import Address
from .dialect import Dialect, known


class MySQL(Dialect):
    """Reads in one transaction, with rows that come as they are fetched."""

    driver: ClassVar[str] = "pymysql"
    extra: ClassVar[str] = "mysql"
    quotes: ClassVar[tuple[str, str]] = ("`", "`")

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What the driver raises; what it does not understand of an answer may be anything."""
        import pymysql  # noqa: PLC0415 -- an extra

        return (pymysql.Error, OSError, RuntimeError)

    def connect(self, address: Address, patience: float) -> Any:
        """Connect, and begin a transaction that only reads."""
        import pymysql  # noqa: PLC0415 -- an extra
        from pymysql.cursors import SSCursor  # noqa: PLC0415

        connection = pymysql.connect(
            cursorclass=SSCursor,
            conv=conversions(),
            **known(
                address.options,
                host=address.host or None,
                port=address.port,
                user=address.user,
                password=address.password,
                database=address.database,
                charset="utf8mb4",
                connect_timeout=max(1, round(patience)),
                # Its own limit comes first, and says more.
                read_timeout=patience + 5,
                write_timeout=patience + 5,
                program_name="ingestd",
            ),
        )
        try:
            for each in settings(connection, patience):
                with connection.cursor() as cursor:
                    cursor.execute(each)
        except BaseException:
            connection.close()
            raise
        return connection

    def interrupt(self, connection: Any) -> None:
        """Cut the connection: nothing else reaches a statement from here."""
        with suppress(Exception):  # it may be in any state
            connection._sock.shutdown(2)  # noqa: SLF001 -- there is no other way

    def close(self, connection: Any, cursor: Any) -> None:
        """Close a connection at once: its cursor would read all of the rows that are left."""
        result = connection._result  # noqa: SLF001 -- there is no other way
        if result is not None:
            result.unbuffered_active, result.connection = False, None
        if cursor is not None:
            cursor.connection = None
        super().close(connection, None)

    def told(self, error: Exception) -> str:
        """Return what an error says; the driver has a number before it."""
        if len(error.args) == 2 and isinstance(error.args[0], int):
            return " ".join(str(error.args[1]).split()) or super().told(error)
        return super().told(error)


def settings(connection: Any, patience: float) -> list[str]:
    """Return what a session begins with."""
    limit = f"max_execution_time = {max(1, round(patience * 1000))}"
    if "mariadb" in str(connection.get_server_info()).lower():
        limit = f"max_statement_time = {patience:g}"
    return [
        "SET time_zone = '+00:00'",
        f"SET SESSION {limit}",
        "SET SESSION TRANSACTION READ ONLY",
        "START TRANSACTION READ ONLY",
    ]


def conversions() -> dict[Any, Any]:
    """Return how what comes is read: unlike DATETIME, TIMESTAMP is an instant."""
    from pymysql.constants import FIELD_TYPE  # noqa: PLC0415 -- an extra
    from pymysql.converters import conversions as usual  # noqa: PLC0415
    from pymysql.converters import convert_datetime  # noqa: PLC0415

    def instant(text: Any) -> Any:
        found = convert_datetime(text)
        return found.replace(tzinfo=UTC) if isinstance(found, datetime) else found

    def bits(data: Any) -> int:
        return int.from_bytes(data)

    return {**usual, FIELD_TYPE.TIMESTAMP: instant, FIELD_TYPE.BIT: bits}
