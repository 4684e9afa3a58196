"""Tables of SQLite for the plugin ``sql``, and what it reads of them."""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from ingestd.plugins import sql
from ingestd.testing import collect, context

NOON: Final = datetime(2026, 7, 1, 12, tzinfo=UTC)
T0: Final = NOON.timestamp()


class TableFile:
    """A database with a table ``log`` of ids, times, names and values.

    Attributes:
        path: Where it is.
    """

    def __init__(self, path: Path, columns: str = "id INTEGER PRIMARY KEY, t, name, v") -> None:
        self.path = path
        self.execute(f"CREATE TABLE log ({columns})")

    def execute(self, statement: str) -> None:
        """Execute a statement, and commit it."""
        with closing(sqlite3.connect(self.path)) as db, db:
            db.execute(statement)

    def add(self, rows: Iterable[Sequence[Any]]) -> None:
        """Add rows with the values of all columns, and commit them."""
        found = list(rows)
        marks = ", ".join("?" * len(found[0]))
        with closing(sqlite3.connect(self.path)) as db, db:
            db.executemany(f"INSERT INTO log VALUES ({marks})", found)

    def log(self, *rows: tuple[float, Any]) -> None:
        """Add rows of time and value, with the next ids, for the series ``a``."""
        with closing(sqlite3.connect(self.path)) as db, db:
            db.executemany("INSERT INTO log (t, name, v) VALUES (?, 'a', ?)", rows)

    @property
    def params(self) -> dict[str, Any]:
        """What the plugin is given for it."""
        return {
            "file": str(self.path),
            "table": "log",
            "time": "t",
            "series": "{name}",
            "value": "v",
        }


class Runs:
    """Runs one after the other, each with the state that the one before has left.

    Args:
        params: What the plugin is given.
        now: When they begin.
        zone: The zone of the collector.

    Attributes:
        state: What the last run has left.
        notes: What it has noted.
    """

    def __init__(
        self, params: dict[str, Any], *, now: datetime = NOON, zone: str | None = None
    ) -> None:
        self.params, self.now, self.zone = params, now, zone
        self.state: dict[str, Any] = {}
        self.notes: list[str] = []

    async def results(self, **params: Any) -> list[dict[str, Any]]:
        """Return the results of one run."""
        async with context(now=self.now, timezone=self.zone) as ctx:
            found = await collect(sql.run, ctx=ctx, **{**self.state, **self.params, **params})
            self.notes = list(ctx.notes)
        if "start" not in params:
            self._keep(found)
        return found

    async def readings(self, **params: Any) -> list[tuple[Any, ...]]:
        """Return the readings of one run, which has nothing to complain of."""
        results = await self.results(**params)
        assert [each["script_error"] for each in results if "script_error" in each] == []
        return [reading for each in results for reading in each["readings"]]

    async def values(self, **params: Any) -> list[Any]:
        """Return the values of one run."""
        return [reading[2] for reading in await self.readings(**params)]

    def _keep(self, results: list[dict[str, Any]]) -> None:
        for result in results:
            self.state |= {n: v for n, v in result.items() if n not in {"readings", "script_error"}}
