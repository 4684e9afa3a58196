"""What is kept of backfills in the state database: one row for each, asked for or ended.

The position in it is written only when everything before it is safe, so a daemon
that comes up after a kill goes on from there; it repeats a window and skips none.
"""

import itertools
import json
import sqlite3
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, Final

import msgspec

from ingestd.backfilling.windows import Span, share_done
from ingestd.disk import DamagedRow, as_bytes, is_moment

MOST_PROBLEMS: Final = 20
LONGEST_PROBLEM: Final = 1000  # characters
MOST_UNREAD: Final = 1000  # series; beyond that it may be any
KEPT_ENDED: Final = 100  # of each collector
COLUMNS: Final = ("id", "collector", "status", "asked")
_SELECT: Final = "SELECT id, collector, status, asked, CAST(record AS BLOB) FROM backfills"


class Status(StrEnum):
    """How a backfill stands."""

    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    CANCELLED = "cancelled"


# The one place that says which backfills are over; texts from JSON can be looked up in it.
OVER: Final = frozenset({Status.DONE, Status.CANCELLED})
_OVER_IN_SQL: Final = ", ".join(f"'{status.value}'" for status in sorted(OVER))


@dataclass(slots=True, kw_only=True)
class BackfillRecord:
    """A backfill, and how far it has come; times are in seconds since the Unix epoch.

    Attributes:
        id: Its number, ascending; 0 until it is kept.
        collector: Whose plugin reads it.
        spans: What to read, in order and apart.
        chunk: The longest window that the plugin is given, in seconds.
        rate: The most readings in a second, or None for no limit.
        asked: When it was asked for.
        status: How it stands.
        why: Why it does not get on, for people.
        ended: When it was done or cancelled, or None.
        position: Everything of the spans before it is safe.
        readings: How many its finished windows gave.
        points: How many of those can be stored.
        unusable: How many cannot, by reason.
        failures: How often in a row the window at the position has failed.
        error: Why, in a line.
        problems: What the plugin reported as wrong of windows that count as done.
        unread: The series that these are about, or None if that may be any.
    """

    collector: str
    spans: tuple[Span, ...]
    chunk: float
    rate: float | None
    asked: float
    position: float
    id: int = 0
    status: Status = Status.RUNNING
    why: str = ""
    ended: float | None = None
    readings: int = 0
    points: int = 0
    unusable: dict[str, int] = field(default_factory=dict)
    failures: int = 0
    error: str = ""
    problems: list[str] = field(default_factory=list)
    unread: list[str] | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more will come of the backfill."""
        return self.status in OVER

    @property
    def done(self) -> float:
        """How much of the backfill is done, from 0 to 1."""
        return share_done(self.spans, self.position)

    def note_problem(self, problem: str, unread: Collection[str] | None = None) -> None:
        """Keep what was wrong with a window, unless there were too many already.

        Args:
            problem: In words.
            unread: The series that it is about, or None if that may be any.
        """
        before = [] if not self.problems else self.unread
        both = None if before is None or unread is None else sorted({*before, *unread})
        self.unread = None if both is None or len(both) > MOST_UNREAD else both
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(f"{problem:.{LONGEST_PROBLEM}}")

    def as_dict(self) -> dict[str, Any]:
        """Return the record for a listing."""
        return {**asdict(self), "done": self.done}


# Backfills as they were found, and the rows that cannot be right.
Found = tuple[list[BackfillRecord], list[DamagedRow]]


def insert(db: sqlite3.Connection, row: Mapping[str, Any]) -> int:
    """Keep a new one and return its number; forget the oldest of those that have ended."""
    cursor = db.execute(
        "INSERT INTO backfills (collector, status, asked, record)"
        " VALUES (:collector, :status, :asked, :record)",
        row,
    )
    db.execute(
        "DELETE FROM backfills WHERE collector = :collector"  # noqa: S608 -- our own words
        f" AND status IN ({_OVER_IN_SQL})"
        " AND id NOT IN (SELECT id FROM backfills WHERE collector = :collector"
        " ORDER BY id DESC LIMIT :kept)",
        {"collector": row["collector"], "kept": KEPT_ENDED},
    )
    assert cursor.lastrowid is not None  # noqa: S101 -- says so to the type checker
    return cursor.lastrowid


def update(db: sqlite3.Connection, row: Mapping[str, Any]) -> None:
    """Put a record in the place of the one of its number."""
    db.execute("UPDATE backfills SET status = :status, record = :record WHERE id = :id", row)


def find(db: sqlite3.Connection, number: int) -> Found:
    """Return a backfill, or none if there is none of that number, or no longer."""
    return _found(db.execute(f"{_SELECT} WHERE id = ?", (number,)))


def listed(db: sqlite3.Connection, *, collector: str | None, limit: int) -> Found:
    """Return the newest, newest first."""
    rows = db.execute(
        f"{_SELECT} WHERE :collector IS NULL OR collector = :collector"
        " ORDER BY id DESC LIMIT :limit",
        {"collector": collector, "limit": limit},
    )
    return _found(rows)


def unfinished(db: sqlite3.Connection) -> Found:
    """Return those that go on."""
    ended = f"coalesce(status, '') IN ({_OVER_IN_SQL})"
    return _found(db.execute(f"{_SELECT} WHERE NOT {ended} ORDER BY id"))


def encode(record: BackfillRecord) -> dict[str, Any]:
    """Return a record as a row, by the names of the columns."""
    rest = {name: value for name, value in asdict(record).items() if name not in COLUMNS}
    named = {name: getattr(record, name) for name in COLUMNS}
    # Plugins say anything: json escapes what SQLite's UTF-8 could not hold.
    return {**named, "status": record.status.value, "record": json.dumps(rest)}


def decode(number: int, collector: str, status: str, asked: float, text: bytes) -> BackfillRecord:
    """Return a record from its row.

    Raises:
        ValueError: It is damaged; JSON and types have errors of their own as well.
    """
    columns = {"id": number, "collector": collector, "status": status, "asked": asked}
    rest = json.loads(text, parse_constant=_no_number)
    record = msgspec.convert({**rest, **columns}, BackfillRecord)
    if rest.keys() - {each.name for each in fields(BackfillRecord)}:
        raise ValueError("expected names that are known")
    times = [*itertools.chain(*record.spans), record.asked, record.position, record.ended or 0.0]
    if not all(map(is_moment, [*times, record.chunk, record.rate or 0.0])) or record.chunk <= 0:
        raise ValueError("expected times before the year 10000")
    return record


def _found(rows: Iterable[tuple[Any, ...]]) -> Found:
    records: list[BackfillRecord] = []
    damaged: list[DamagedRow] = []
    for row in rows:
        try:
            records.append(decode(*row))
        except (ValueError, TypeError, RecursionError, msgspec.MsgspecError) as exc:
            key = f"backfill {row[0]} of {row[1]!r:.100}"
            error = f"damaged: {exc!r:.200}"
            damaged.append(DamagedRow("backfills", {"id": row[0]}, key, as_bytes(*row), error))
    return records, damaged


def _no_number(text: str) -> float:
    raise ValueError(f"expected a number, got {text}")
