"""Rows that are damaged: kept apart, so that what is around them goes on.

SQLite keeps anything in any column, and a flipped bit can make a text of a number or
a number of nine quintillion. Each reader of a table looks at what comes out of it,
leaves out what cannot be right, and has it moved into the table ``damaged``.
"""

import math
import sqlite3
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

LATEST_SECONDS: Final = 253_402_300_800.0  # the end of the year 9999
# A number that was counted up never comes near; SQLite finds no number above its largest.
MOST_NUMBER: Final = 2**53
_NUMBERED: Final = ("runs", "spool", "dead_letters", "backfills", "requested_runs")
_FOR_STORES: Final = ("spool", "dead_letters")


@dataclass(frozen=True, slots=True)
class DamagedRow:
    """A row that cannot be right.

    Attributes:
        table: Where it stands.
        at: Columns that tell it from the others, with their values.
        key: What it is, for people.
        payload: What is left of it.
        error: What is wrong.
    """

    table: str
    at: Mapping[str, Any] = field(repr=False)
    key: str
    payload: bytes | None = field(repr=False)
    error: str

    def __str__(self) -> str:
        """Return it for a log line."""
        return f"{self.table}: {self.key}: {self.error}; set aside"


def any_text(value: bytes) -> str:
    """Return text as the database has it; damaged bytes become surrogates, and are no text."""
    return value.decode(errors="surrogateescape")


def is_text(value: object) -> bool:
    """Return whether a value is text that can be written again."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_moment(value: object) -> bool:
    """Return whether a value is a time in seconds since the Unix epoch."""
    return isinstance(value, int | float) and math.isfinite(value) and abs(value) <= LATEST_SECONDS


def as_bytes(*values: Any) -> bytes:
    """Return the values of a damaged row as they can be kept."""
    return b"\0".join(map(_as_bytes, values))


def set_aside(
    connection: sqlite3.Connection, *, table: str, key: str, payload: bytes | None, error: str
) -> None:
    """Keep what is left of a damaged row, in a write; its owner deletes the row itself."""
    connection.execute(
        "INSERT INTO damaged (at, table_name, key, payload, error) VALUES (?, ?, ?, ?, ?)",
        (time.time(), table, key.encode(errors="replace").decode(), payload, error),
    )


def move_aside(connection: sqlite3.Connection, rows: Iterable[DamagedRow]) -> None:
    """Move damaged rows out of the way, in a write."""
    for row in rows:
        set_aside(connection, table=row.table, key=row.key, payload=row.payload, error=row.error)
        # As bytes, since text that is none could not be given to SQLite.
        where = " AND ".join(f"CAST({column} AS BLOB) IS ?" for column in row.at)
        values = [None if each is None else _as_bytes(each) for each in row.at.values()]
        connection.execute(f"DELETE FROM {row.table} WHERE {where}", values)  # noqa: S608 -- our own names


def mend_rows(connection: sqlite3.Connection) -> list[DamagedRow]:
    """Move rows aside that no reader would meet, or that leave no number for others; for a write.

    SQLite takes a table for full when its largest number is used, which would look
    like a full disk for ever. And what lies there for a store without a name lies
    there for none.
    """
    moved: list[DamagedRow] = []
    for table in _NUMBERED:
        out_of_reach = "id > ? OR id < 1"
        moved += _moved(connection, table, out_of_reach, MOST_NUMBER, "no number of ours")
        connection.execute(
            f"UPDATE sqlite_sequence SET seq = (SELECT coalesce(max(id), 0) FROM {table})"  # noqa: S608 -- our own names
            " WHERE name = ? AND (typeof(seq) <> 'integer' OR seq > ? OR seq < 0)",
            (table, MOST_NUMBER),
        )
    for table in _FOR_STORES:
        names = connection.execute(f"SELECT DISTINCT store FROM {table}").fetchall()  # noqa: S608 -- our own names
        for name in (name for (name,) in names if not is_text(name)):
            value = None if name is None else _as_bytes(name)
            moved += _moved(connection, table, "CAST(store AS BLOB) IS ?", value, "for no store")
    return moved


def _moved(
    connection: sqlite3.Connection, table: str, where: str, value: object, error: str
) -> list[DamagedRow]:
    rows = connection.execute(f"SELECT * FROM {table} WHERE {where}", (value,)).fetchall()  # noqa: S608 -- our own names
    found = [DamagedRow(table, {"id": row[0]}, str(row[0]), as_bytes(*row), error) for row in rows]
    move_aside(connection, found)
    return found


def _as_bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    return str(value).encode(errors="surrogateescape") if value is not None else b"NULL"
