"""What a source has been asked for and does not have, so that nothing asks for it for ever.

After a backfill of holes, those that are still there are kept in the state database, each
with its series. ``gaps`` leaves them out until an operator wants to see all of them. A
hole that lies within one that is kept is known, too.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Self

from ingestd.backfilling.gaps import SECOND_US, Hole

Tags = tuple[tuple[str, str], ...]
Key = tuple[str, Tags]  # name and sorted tags

# A campus of meters that come and go must not fill the disk; the oldest are forgotten.
MOST: Final = 20_000  # of each collector


@dataclass(frozen=True, slots=True)
class Absence:
    """A stretch of a series of which the source has nothing.

    Attributes:
        series: The name of the series.
        tags: Its tags, sorted.
        after_us: The reading before it, or the beginning of what was looked at.
        end_us: The reading behind it, or the end of what was looked at.
        asked: When the source was asked, in seconds since the Unix epoch.
    """

    series: str
    tags: Tags
    after_us: int
    end_us: int
    asked: float

    @classmethod
    def in_seconds(
        cls, series: str, tags: Mapping[str, str], start: float, end: float, *, asked: float
    ) -> Self:
        """Return one whose times are told as those of the API, in seconds since the Unix epoch."""
        pairs = tuple(sorted(tags.items()))
        return cls(series, pairs, round(start * SECOND_US), round(end * SECOND_US), asked)


class Absences:
    """Those of one collector, to be looked up."""

    def __init__(self, known: Iterable[Absence]) -> None:
        self._known: defaultdict[Key, list[Absence]] = defaultdict(list)
        for each in known:
            self._known[each.series, each.tags].append(each)

    @classmethod
    def of_json(cls, found: Iterable[Mapping[str, Any]]) -> Self:
        """Return what the API lists."""
        return cls(
            Absence.in_seconds(
                each["series"],
                each["tags"],
                each["start"],
                each["end"],
                asked=each.get("asked", 0.0),
            )
            for each in found
        )

    def has(self, series: str, tags: Tags, hole: Hole) -> bool:
        """Say whether the source is known to have nothing in a hole."""
        return any(
            each.after_us <= hole.after_us and hole.end_us <= each.end_us
            for each in self._known.get((series, tags), ())
        )


def insert(db: sqlite3.Connection, collector: str, found: Sequence[Absence]) -> None:
    """Keep some of a collector; forget the oldest if there are too many."""
    db.executemany(
        "INSERT OR REPLACE INTO absent (collector, series, tags, after_us, end_us, asked)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        [
            (collector, each.series, json.dumps(each.tags), each.after_us, each.end_us, each.asked)
            for each in found
        ],
    )
    db.execute(
        "DELETE FROM absent WHERE collector = :collector AND rowid NOT IN"
        " (SELECT rowid FROM absent WHERE collector = :collector ORDER BY asked DESC LIMIT :most)",
        {"collector": collector, "most": MOST},
    )


def listed(db: sqlite3.Connection, collector: str) -> list[Absence]:
    """Return those of a collector; a damaged row is left out: its hole is asked for again."""
    columns = "CAST(series AS BLOB), CAST(tags AS BLOB), after_us, end_us, asked"
    rows = db.execute(
        f"SELECT {columns} FROM absent WHERE collector = ? ORDER BY rowid",  # noqa: S608 -- our own words
        (collector,),
    )
    found = []
    for series, tags, after_us, end_us, asked in rows:
        with suppress(ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            pairs = tuple((str(name), str(value)) for name, value in json.loads(tags.decode()))
            times = int(after_us), int(end_us), float(asked)
            found.append(Absence(series.decode(), pairs, *times))
    return found


def as_json(absences: Iterable[Absence]) -> list[dict[str, object]]:
    """Return them as the API shows them, with times in seconds since the Unix epoch."""
    return [
        {
            "series": each.series,
            "tags": dict(each.tags),
            "start": each.after_us / SECOND_US,
            "end": each.end_us / SECOND_US,
            "asked": each.asked,
        }
        for each in absences
    ]
