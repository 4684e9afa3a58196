"""PostgreSQL and what speaks like it, such as TimescaleDB, by psycopg."""

from contextlib import suppress
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, ClassVar, Final

from .address import Address
from .dialect import Dialect, known

# A connection that was cut somewhere is noticed after a minute.
KEEPALIVES: Final = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}
NAME: Final = "ingestd"


class PostgreSQL(Dialect):
    """Reads in one transaction, with a cursor of the server's."""

    driver: ClassVar[str] = "psycopg"
    extra: ClassVar[str] = "postgresql"

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What the driver raises."""
        import psycopg  # noqa: PLC0415 -- an extra

        return (psycopg.Error,)

    def connect(self, address: Address, patience: float) -> Any:
        """Connect, and begin a transaction that only reads."""
        import psycopg  # noqa: PLC0415 -- an extra

        connection = psycopg.connect(
            prepare_threshold=None,  # a pooler may stand in between
            **known(
                address.options,
                host=address.host or None,
                port=address.port,
                user=address.user,
                password=address.password,
                dbname=address.database,
                connect_timeout=max(2, round(patience)),
                application_name=NAME,
                **KEEPALIVES,
            ),
        )
        try:
            connection.read_only = True
            for each, loader in loaders().items():
                connection.adapters.register_loader(each, loader)
            connection.execute("SET LOCAL TIME ZONE 'UTC'")
            connection.execute(
                "SELECT set_config('statement_timeout', %s, true)", [whole(patience)]
            )
        except BaseException:
            connection.close()
            raise
        return connection

    def cursor(self, connection: Any) -> Any:
        """Return a cursor that the server keeps."""
        return connection.cursor(name=NAME)

    def interrupt(self, connection: Any) -> None:
        """Ask the server to end what is going on."""
        with suppress(*self.errors):
            connection.cancel_safe(timeout=2)


def whole(patience: float) -> str:
    """Return seconds as the server takes them."""
    return f"{max(1, round(patience * 1000))}ms"


@cache
def loaders() -> dict[str, Any]:
    """Return what reads times: those that Python's cannot be are its first or its last one."""
    from psycopg import DataError  # noqa: PLC0415 -- an extra
    from psycopg.types import datetime as types  # noqa: PLC0415

    def bounded(base: Any, least: Any, most: Any) -> Any:
        def load(self: Any, data: Any) -> Any:
            try:
                return base.load(self, data)
            except DataError:
                return (
                    least if bytes(data).startswith(b"-") or bytes(data).endswith(b"BC") else most
                )

        return type(f"Bounded{base.__name__}", (base,), {"load": load})

    aware = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    naive = [each.replace(tzinfo=None) for each in aware]
    return {
        "timestamp": bounded(types.TimestampLoader, *naive),
        "timestamptz": bounded(types.TimestamptzLoader, *aware),
        "date": bounded(types.DateLoader, date.min, date.max),
    }
