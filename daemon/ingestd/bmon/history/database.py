"""BMON's database of readings: a table for each sensor, named by its id, with ``ts`` and ``val``.

It is read page by page, each with a query of its own that ends with it. A query that
stays open would keep BMON from storing for as long as a store here lets us wait.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any, Final, Self

from ingestd.errors import NotPossible

WAIT_FOR_BMON: Final = 60.0  # seconds that it may take to store what it was given
COLUMNS: Final = frozenset({"ts", "val"})
INTERNAL: Final = ("_", "sqlite_")  # BMON notes the last count of each meter in _last_raw
TIMES: Final = "typeof(ts) IN ('integer', 'real')"

Row = tuple[float, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """The readings of one sensor.

    Attributes:
        name: The id of the sensor.
        timed: Whether SQLite sees to it that every row has a time.
    """

    name: str
    timed: bool = True

    @property
    def quoted(self) -> str:
        """The name as SQL has it."""
        return '"' + self.name.replace('"', '""') + '"'


class History:
    """A database of readings, opened to be read only.

    Args:
        path: The file; BMON may go on writing to it.

    Raises:
        NotPossible: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._db = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro",
                uri=True,
                timeout=WAIT_FOR_BMON,
                check_same_thread=False,  # pages are read in threads, one after the other
            )
        except sqlite3.Error as exc:
            raise NotPossible(f"{path}: cannot be opened: {exc}") from exc
        self._db.text_factory = _text

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self._db.close()

    def tables(self) -> tuple[list[Table], list[str]]:
        """Return the tables of sensors by their names, and the names of other tables.

        Raises:
            NotPossible: There are none, or it is no database.
        """
        rows = self._ask("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        names = [str(name) for (name,) in rows if not str(name).startswith(INTERNAL)]
        found, others = [], []
        for name in names:
            columns = self._ask("SELECT name, type, pk FROM pragma_table_info(?)", name)
            if {column for column, _, _ in columns} >= COLUMNS:
                keys = [(column, kind.upper()) for column, kind, pk in columns if pk]
                found.append(Table(name, timed=keys == [("ts", "INTEGER")]))
            else:
                others.append(name)
        if not found:
            got = ", ".join(others[:3]) or "none"
            text = "expected BMON's readings: a table with ts and val for each sensor"
            raise NotPossible(f"{self._path}: {text}, got tables: {got}")
        return found, others

    def span(self, table: Table) -> tuple[float, float]:
        """Return the first and the last time of a sensor, twice 0 if it has no readings."""
        query = "SELECT min(ts), max(ts) FROM {table} WHERE {times}"
        ((first, last),) = self._ask(self._query(query, table))
        return (0.0, 0.0) if first is None else (float(first), float(last))

    def untimed(self, table: Table) -> int:
        """Return how many rows of a sensor have no time."""
        if table.timed:
            return 0
        query = "SELECT count(*) FROM {table} WHERE NOT {times}"
        ((count,),) = self._ask(self._query(query, table))
        return int(count)

    def page(
        self,
        table: Table,
        *,
        after: float | None,
        size: int,
        start: float = -inf,
        end: float = inf,
    ) -> Sequence[Row]:
        """Return the next rows of a sensor, in time order.

        Args:
            table: The sensor.
            after: The time of the last row that was read, or None at the beginning.
            size: How many rows at most.
            start: The first time that is wanted, in seconds since the Unix epoch.
            end: The first time that no longer is.
        """
        query = (
            "SELECT ts, val FROM {table} WHERE {times} AND ts >= ? AND ts > ? AND ts < ?"
            " ORDER BY ts LIMIT ?"
        )
        after = -inf if after is None else after
        return self._ask(self._query(query, table), start, after, end, size)

    def _query(self, text: str, table: Table) -> str:
        return text.format(table=table.quoted, times="true" if table.timed else TIMES)

    def _ask(self, query: str, *values: Any) -> list[Any]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as exc:
            raise NotPossible(f"{self._path}: cannot be read: {exc}") from exc


def _text(raw: bytes) -> str:
    """Return a text, whatever its bytes: one that is damaged costs only itself."""
    return raw.decode(errors="replace")
