"""The kinds of databases, each with its driver and its statements."""

from collections.abc import Mapping
from typing import Final

from . import address
from .dialect import MARK, Dialect
from .mssql import MSSQL
from .mysql import MySQL
from .postgresql import PostgreSQL
from .sqlite import SQLite

__all__ = ["DIALECTS", "MARK", "Dialect"]

DIALECTS: Final[Mapping[str, Dialect]] = {
    address.SQLITE: SQLite(),
    address.POSTGRESQL: PostgreSQL(),
    address.MYSQL: MySQL(),
    address.MSSQL: MSSQL(),
}
