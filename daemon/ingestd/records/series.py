"""Which series each collector has given, and how far each has come.

A series is noted when a collector's ``Naming`` meets it, which costs readings
nothing. After a start or a reload every series is met again, and the table's key
makes that harmless: what is there already is not written. Beside it stands the pace
of the series, written every few minutes, so that a daemon which starts knows the
sensors that had died before. Like the records of runs, notes are told, not promised:
what a kill costs is met again.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any, Final

from ingestd.disk import DamagedRow, Database, as_bytes, is_moment, is_text
from ingestd.health import PaceKept, SeriesKey
from ingestd.model import MICROSECONDS, Series, Tags

Named = tuple[str, Tags]  # name and sorted tags: what a store knows a series by
Note = tuple[str, str, Tags]  # collector, name, tags
# What is kept of each series of a collector, and for how long it had been silent by then.
Paces = Mapping[SeriesKey, tuple[PaceKept, float]]

# A plugin that invents names without end must fill neither memory nor disk.
MOST_SERIES: Final = 100_000  # of each collector
MOST_SERIES_WAITING: Final = 200_000
SEEN_AT: Final = "series_seen_at"  # in the table ``meta``
AT_ONCE: Final = 2_000  # a hundredth of a second, in which other writes wait
_SELECT: Final = (
    "SELECT collector, series, tags, newest_us, moved_at, shortest, longest FROM series"
)
_WRONG: Final = (ValueError, TypeError, RecursionError)


class SeriesNotes:
    """The notes that wait for the disk, and those on it."""

    def __init__(self) -> None:
        self._waiting: dict[Note, None] = {}
        self._paces: dict[Note, PaceKept] = {}
        self._seen_at: float | None = None
        self._full: frozenset[str] = frozenset()

    def add(self, collector: str, series: Series) -> bool:
        """Note a series; say whether there is something to write."""
        if collector in self._full or len(self._waiting) >= MOST_SERIES_WAITING:
            return False
        # As a store has it: a tag with an empty value is no tag.
        tags = tuple(pair for pair in series.tags if pair[1])
        self._waiting[collector, series.name, tags] = None
        return True

    def keep(self, collector: str, paces: Mapping[SeriesKey, PaceKept], *, seen_at: float) -> None:
        """Note how far series have come, as they are known at a time.

        Args:
            collector: Whose.
            paces: Of each that has moved since it was kept last.
            seen_at: Until when the silence of all others is known, in seconds since the epoch.
        """
        self._seen_at = seen_at
        if len(self._paces) + len(paces) <= MOST_SERIES_WAITING:
            self._paces.update({(collector, *key): pace for key, pace in paces.items()})

    async def write(self, database: Database) -> None:
        """Write the notes that wait for the disk.

        Raises:
            StateError: The rest goes on waiting.
        """
        while notes := list(islice(self._waiting, AT_ONCE)):
            self._full |= await database.write(partial(insert_series, notes=notes))
            for note in notes:
                self._waiting.pop(note, None)  # it may have been forgotten meanwhile
        while paces := list(islice(self._paces.items(), AT_ONCE)):
            await database.write(partial(upsert_paces, paces=paces))
            for note, pace in paces:
                if self._paces.get(note) is pace:  # not a newer one
                    del self._paces[note]
        if self._seen_at is not None:
            await database.write(partial(put_seen_at, seen_at=self._seen_at))
            self._seen_at = None

    async def forget(self, database: Database, collector: str, key: SeriesKey) -> bool:
        """Forget a series; return whether it was known.

        Raises:
            StateError: The database failed.
        """
        note = (collector, *key)
        waited = note in self._waiting
        self._waiting.pop(note, None)
        self._paces.pop(note, None)
        return await database.write(partial(delete_series, note=note)) or waited

    async def listed(
        self, database: Database, collector: str
    ) -> tuple[list[Named], list[DamagedRow]]:
        """Return the series of a collector, sorted, and rows that cannot be right.

        Raises:
            StateError: The database failed.
        """
        waiting = {(name, tags) for whose, name, tags in self._waiting if whose == collector}
        written, damaged = await database.read(partial(list_series, collector=collector))
        return sorted(waiting.union(written)), damaged


def insert_series(db: sqlite3.Connection, notes: Sequence[Note]) -> frozenset[str]:
    """Keep notes, as many as there is room for; return the collectors that may have no more."""
    rooms: dict[str, int] = {}
    for collector, name, tags in notes:
        if collector not in rooms:
            rooms[collector] = MOST_SERIES - _count(db, collector)
        if rooms[collector] > 0:
            row = (collector, name, _tags(tags))
            insert = "INSERT OR IGNORE INTO series (collector, series, tags) VALUES (?, ?, ?)"
            done = db.execute(insert, row)
            rooms[collector] -= done.rowcount
    return frozenset(collector for collector, room in rooms.items() if room <= 0)


def list_series(db: sqlite3.Connection, collector: str) -> tuple[list[Named], list[DamagedRow]]:
    """Return what is on disk of a collector's series, and rows that cannot be right."""
    found: list[Named] = []
    damaged: list[DamagedRow] = []
    for row in db.execute(f"{_SELECT} WHERE collector = ?", (collector,)):
        try:
            found.append(_named(*row[1:3]))
        except _WRONG as exc:
            damaged.append(_damaged(row, exc))
    return found, damaged


def upsert_paces(db: sqlite3.Connection, paces: Iterable[tuple[Note, PaceKept]]) -> None:
    """Keep how far series have come."""
    db.executemany(
        "INSERT INTO series (newest_us, moved_at, shortest, longest, collector, series, tags)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET newest_us = excluded.newest_us,"
        " moved_at = excluded.moved_at, shortest = excluded.shortest, longest = excluded.longest",
        [
            (kept.newest_us, kept.moved_at, kept.shortest, kept.longest, whose, name, _tags(tags))
            for (whose, name, tags), kept in paces
        ],
    )


def put_seen_at(db: sqlite3.Connection, seen_at: float) -> None:
    """Keep until when it is known what series have given."""
    db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (SEEN_AT, repr(seen_at)))


def load_paces(db: sqlite3.Connection) -> tuple[dict[str, Paces], list[DamagedRow]]:
    """Return what is kept of all series, by collector, and rows that cannot be right."""
    newest = db.execute("SELECT max(moved_at) FROM series").fetchone()
    noted = db.execute("SELECT value FROM meta WHERE key = ?", (SEEN_AT,)).fetchone()
    seen_at = max(map(_seconds, (newest, noted)))
    found: defaultdict[str, dict[SeriesKey, tuple[PaceKept, float]]] = defaultdict(dict)
    damaged: list[DamagedRow] = []
    for row in db.execute(_SELECT):
        collector, name, tags, *numbers = row
        try:
            if not is_text(collector):
                raise TypeError("expected the name of a collector")
            kept, key = _kept(*numbers), SeriesKey(*_named(name, tags))
        except _WRONG as exc:
            damaged.append(_damaged(row, exc))
        else:
            found[collector][key] = kept, max(0.0, seen_at - (kept.moved_at or seen_at))
    return dict(found), damaged


def delete_series(db: sqlite3.Connection, note: Note) -> bool:
    """Forget a series; return whether it was there."""
    collector, name, tags = note
    done = db.execute(
        "DELETE FROM series WHERE collector = ? AND series = ? AND tags = ?",
        (collector, name, _tags(tags)),
    )
    return done.rowcount > 0


def _seconds(row: Any) -> float:
    """Return the number in a row, or 0 if there is no row or no number in it."""
    with suppress(ValueError, TypeError):
        seconds = float(row[0])
        return seconds if is_moment(seconds) else 0.0
    return 0.0


def _kept(newest_us: Any, moved_at: Any, shortest: Any, longest: Any) -> PaceKept:
    """Return what a row says.

    Raises:
        ValueError: No clock says so.
        TypeError: It is no number.
    """
    if newest_us is None or moved_at is None:
        return PaceKept()
    moves = (None, None) if None in (shortest, longest) else (shortest + 0.0, longest + 0.0)
    numbers = (newest_us / MICROSECONDS, moved_at, *(each for each in moves if each is not None))
    if not all(map(is_moment, numbers)):
        raise ValueError("expected times before the year 10000")
    return PaceKept(int(newest_us), float(moved_at), *moves)


def _named(name: Any, tags: Any) -> Named:
    """Return the identity of a series in a row.

    Raises:
        ValueError: Its tags are no JSON, or no pairs.
        TypeError: Its name is no text.
    """
    if not is_text(name):
        raise TypeError("expected the name of a series")
    return name, _pairs(tags)


def _damaged(row: Sequence[Any], exc: Exception) -> DamagedRow:
    at = dict(zip(("collector", "series", "tags"), row[:3], strict=True))
    key = f"{row[1]!r:.100} of {row[0]!r:.100}"
    return DamagedRow("series", at, key, as_bytes(*row), f"damaged: {exc!r:.200}")


def _tags(tags: Tags) -> str:
    return json.dumps(tags)


def _pairs(text: str) -> Tags:
    return tuple((str(key), str(value)) for key, value in json.loads(text))


def _count(db: sqlite3.Connection, collector: str) -> int:
    (count,) = db.execute(
        "SELECT count(*) FROM series WHERE collector = ?", (collector,)
    ).fetchone()
    return int(count)
