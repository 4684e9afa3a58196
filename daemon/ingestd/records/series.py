"""Which series each collector has given, so that an operator can look for what is missing.

A series is noted when a collector's ``Naming`` meets it, which costs readings
nothing. After a start or a reload every series is met again, and the table's key
makes that harmless: what is there already is not written, so nothing has to be
read at the start and nothing stays in memory. Like the records of runs, notes are
told, not promised: what a kill costs is met again.
"""

import json
import sqlite3
from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import Final

from ingestd.disk import Database
from ingestd.model import Series

Tags = tuple[tuple[str, str], ...]
Named = tuple[str, Tags]  # name and sorted tags: what a store knows a series by
Note = tuple[str, str, Tags]  # collector, name, tags

# A plugin that invents names without end must fill neither memory nor disk.
MOST_SERIES: Final = 100_000  # of each collector
MOST_SERIES_WAITING: Final = 200_000
AT_ONCE: Final = 2_000  # a hundredth of a second, in which other writes wait


class SeriesNotes:
    """The notes that wait for the disk, and those on it."""

    def __init__(self) -> None:
        self._waiting: dict[Note, None] = {}
        self._full: frozenset[str] = frozenset()

    def add(self, collector: str, series: Series) -> bool:
        """Note a series; say whether there is something to write."""
        if collector in self._full or len(self._waiting) >= MOST_SERIES_WAITING:
            return False
        # As a store has it: a tag with an empty value is no tag.
        tags = tuple(pair for pair in series.tags if pair[1])
        self._waiting[collector, series.name, tags] = None
        return True

    async def write(self, database: Database) -> None:
        """Write what waits.

        Raises:
            StateError: The rest goes on waiting.
        """
        while notes := list(islice(self._waiting, AT_ONCE)):
            self._full |= await database.write(partial(insert_series, notes=notes))
            for note in notes:
                del self._waiting[note]

    async def listed(self, database: Database, collector: str) -> list[Named]:
        """Return the series of a collector, sorted.

        Raises:
            StateError: The database failed.
        """
        waiting = {(name, tags) for whose, name, tags in self._waiting if whose == collector}
        written = await database.read(partial(list_series, collector=collector))
        return sorted(waiting.union(written))


def insert_series(db: sqlite3.Connection, notes: Sequence[Note]) -> frozenset[str]:
    """Keep notes, as many as there is room for; return the collectors that may have no more."""
    rooms: dict[str, int] = {}
    for collector, name, tags in notes:
        if collector not in rooms:
            rooms[collector] = MOST_SERIES - _count(db, collector)
        if rooms[collector] > 0:
            row = (collector, name, json.dumps(tags))
            done = db.execute("INSERT OR IGNORE INTO series VALUES (?, ?, ?)", row)
            rooms[collector] -= done.rowcount
    return frozenset(collector for collector, room in rooms.items() if room <= 0)


def list_series(db: sqlite3.Connection, collector: str) -> list[Named]:
    """Return what is on disk of a collector's series."""
    rows = db.execute("SELECT series, tags FROM series WHERE collector = ?", (collector,))
    return [(name, tuple((key, value) for key, value in json.loads(tags))) for name, tags in rows]


def _count(db: sqlite3.Connection, collector: str) -> int:
    (count,) = db.execute(
        "SELECT count(*) FROM series WHERE collector = ?", (collector,)
    ).fetchone()
    return int(count)
