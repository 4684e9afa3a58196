"""The tables of BMON that an import reads, out of an export or out of the database."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ingestd.errors import NotPossible

Row = Mapping[str, Any]

APP: Final = "bmsapp"
SCRIPTS: Final = "periodicscript"
SENSORS: Final = "sensor"
UNITS: Final = "unit"
BUILDINGS: Final = "building"
ALL: Final = (SCRIPTS, SENSORS, UNITS, BUILDINGS)


@dataclass(frozen=True, slots=True)
class Export:
    """What was found of BMON's tables.

    Attributes:
        tables: The rows of each table that there is, with their numbers as ``id``.
    """

    tables: Mapping[str, Sequence[Row]] = field(repr=False)

    def __getitem__(self, table: str) -> Sequence[Row]:
        """Return the rows of a table, none if it is missing."""
        return self.tables.get(table, ())

    def __contains__(self, table: str) -> bool:
        """Whether a table is there."""
        return table in self.tables


def printable(text: Any) -> str:
    """Return a text in one line, without letters that nobody sees."""
    seen = (each if each.isprintable() else " " for each in str(text or ""))
    return " ".join("".join(seen).split())


def dumped(document: Any) -> Export:
    """Return what Django's ``dumpdata`` has written.

    Raises:
        NotPossible: It is something else.
    """
    wanted = f"expected what `manage.py dumpdata {APP}.{SCRIPTS}` writes"
    if not isinstance(document, list):
        raise NotPossible(f"{wanted}: a list, got {type(document).__name__}")
    found: dict[str, list[Row]] = {}
    for entry in document:
        if not isinstance(entry, dict) or not isinstance(entry.get("fields"), dict):
            raise NotPossible(f"{wanted}: records with fields, got {type(entry).__name__}")
        app, _, table = str(entry.get("model")).lower().partition(".")
        if app == APP and table in ALL:
            found.setdefault(table, []).append({"id": entry.get("pk"), **entry["fields"]})
    if not found:
        raise NotPossible(f"{wanted}, got no record of it among {len(document)}")
    return Export(found)


def stored(database: sqlite3.Connection) -> Export:
    """Return what BMON's database holds.

    Raises:
        NotPossible: It holds none of the tables.
    """
    wanted = f"expected BMON's database with a table {APP}_{SCRIPTS}"
    database.row_factory = sqlite3.Row
    try:
        rows = database.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        there = {str(row["name"]) for row in rows}
        # All columns, because older versions have fewer of them.
        found = {
            table: [dict(row) for row in database.execute(f"SELECT * FROM {name} ORDER BY id")]  # noqa: S608 -- our own names
            for table in ALL
            if (name := f"{APP}_{table}") in there
        }
    except sqlite3.Error as exc:
        raise NotPossible(f"{wanted}, got: {exc}") from exc
    if not found:
        raise NotPossible(f"{wanted}, got {len(there)} other tables")
    return Export(found)
