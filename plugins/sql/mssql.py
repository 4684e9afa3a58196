"""Microsoft SQL Server, by pymssql."""

from typing import Any, ClassVar

from .address import Address
from .dialect import Dialect, known


class MSSQL(Dialect):
    """Reads in one transaction, which is always rolled back: there are none that only read."""

    driver: ClassVar[str] = "pymssql"
    extra: ClassVar[str] = "mssql"
    quotes: ClassVar[tuple[str, str]] = ("[", "]")

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What the driver raises."""
        import pymssql  # noqa: PLC0415 -- an extra

        return (pymssql.Error,)

    def first(self, columns: str, rest: str) -> str:
        """Return a statement for one row."""
        return f"SELECT TOP 1 {columns} {rest}"

    def connect(self, address: Address, patience: float) -> Any:
        """Connect; transactions begin by themselves."""
        import pymssql  # noqa: PLC0415 -- an extra

        limit = max(1, round(patience))
        connection = pymssql.connect(
            autocommit=False,
            **known(
                address.options,
                server=address.host,
                port=str(address.port or 1433),
                user=address.user,
                password=address.password,
                database=address.database,
                timeout=limit,
                login_timeout=limit,
                appname="ingestd",
            ),
        )
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCK_TIMEOUT {limit * 1000}")
        except BaseException:
            connection.close()
            raise
        return connection

    def told(self, error: Exception) -> str:
        """Return what an error says; the driver has numbers and bytes in it."""
        parts = error.args[0] if error.args and isinstance(error.args[0], tuple) else error.args
        texts = [
            each.decode(errors="replace") if isinstance(each, bytes) else each for each in parts
        ]
        words = [each for each in texts if isinstance(each, str)]
        return " ".join(" ".join(words).split()) or super().told(error)
