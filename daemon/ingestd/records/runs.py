"""The records of runs: what is told about a run long after its log line has gone.

Records are told, not promised: a kill may cost those of the last seconds, but
then the collectors' states, which follow their readings, are where they were.
So records wait in memory to share a commit, since at hundreds of runs a second
each with its own would wear out a disk for little.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Final

import msgspec

from ingestd.disk import DamagedRow, as_bytes, is_moment, is_text, move_aside
from ingestd.records.requestids import number_of

KEPT_RUNS: Final = 100  # of each collector, and as many again that did not go well
_SELECT: Final = "SELECT id, collector, outcome, started, CAST(record AS BLOB) FROM runs"
KEPT_SECONDS: Final = 30 * 86400.0


class Outcome(StrEnum):
    """How a run ended; where records are told as JSON, its text stands for it."""

    OK = "ok"
    DEGRADED = "degraded"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"


# The one place that says which runs count as what; texts from JSON can be looked up in both.
FAILED_OUTCOMES: Final = frozenset({Outcome.FAILED, Outcome.TIMEOUT})
GOOD_OUTCOMES: Final = frozenset({Outcome.OK, Outcome.DEGRADED})


@dataclass(slots=True, kw_only=True)
class RunRecord:
    """How one run went.

    Attributes:
        id: Its number, ascending in the order in which runs ended; 0 until it is kept.
        collector: The name of the collector that ran.
        tick: The time for which it was scheduled, in seconds since the Unix epoch.
        started: When it really began, likewise.
        seconds: How long it took, in seconds.
        outcome: How it ended.
        readings: How many the plugin gave.
        points: How many of those can be stored.
        unusable: How many cannot, by reason.
        samples: A few of the unusable ones, told for people.
        degraded: What the plugin itself reported as wrong.
        notes: What the plugin told people besides, which is no failure.
        late: How many series of the collector had given nothing for too long by its end.
        late_series: Those of them that had been silent for the longest time.
        error: Why it failed, in a line.
        details: The traceback.
        output: The end of what the plugin printed.
        requested: The number of the requested run that it was, as people see it, or None for
            one of the schedule.
        told: Name of a host -> what that host would show of the run; empty if the plugin was
            not written for it.
    """

    collector: str
    tick: float
    started: float
    id: int = 0
    seconds: float = 0.0
    outcome: Outcome = Outcome.OK
    readings: int = 0
    points: int = 0
    unusable: Mapping[str, int] = field(default_factory=dict)
    samples: Sequence[str] = field(default_factory=list)
    degraded: str = ""
    notes: Sequence[str] = field(default_factory=list)
    late: int = 0
    late_series: Sequence[str] = field(default_factory=list)
    error: str = ""
    details: str = ""
    output: str = ""
    requested: str | None = None
    told: Mapping[str, Mapping[str, str | float]] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether the plugin failed, and should be left alone for a while."""
        return self.outcome in FAILED_OUTCOMES

    def as_dict(self) -> dict[str, Any]:
        """Return the record for a listing, with what each host tells under the host's own name."""
        values = {name: getattr(self, name) for name in _OWN_FIELDS}
        return {**values, **self.told}


# Everything else in a stored record was told by a host.
_FIELDS: Final = frozenset(each.name for each in fields(RunRecord))
_OWN_FIELDS: Final = tuple(each.name for each in fields(RunRecord) if each.name != "told")


# Records as they were found, and the rows that cannot be right.
Found = tuple[list[RunRecord], list[DamagedRow]]


def first_runs(db: sqlite3.Connection) -> dict[str, float]:
    """Return when the first run on record of each collector began, by name."""
    first = f"SELECT min(id) FROM runs WHERE {_scheduled(db)} GROUP BY collector"  # noqa: S608 -- our own words
    rows = db.execute(f"SELECT collector, started FROM runs WHERE id IN ({first})")  # noqa: S608 -- our own words
    return {name: started for name, started in rows if is_text(name) and is_moment(started)}


def newest_run(db: sqlite3.Connection) -> int:
    """Return the number of the last run on record, or 0."""
    (newest,) = db.execute("SELECT max(id) FROM runs").fetchone()
    return newest or 0


def latest_runs(db: sqlite3.Connection) -> Found:
    """Return the last run of every collector; requested ones say nothing of how it is."""
    last = f"SELECT max(id) FROM runs WHERE {_scheduled(db)} GROUP BY collector"  # noqa: S608 -- our own words
    return _found(db.execute(f"{_SELECT} WHERE id IN ({last})"))


def _scheduled(db: sqlite3.Connection) -> str:
    """Return the condition for runs that were not requested; an older ingestd knew no others."""
    columns = {row[1] for row in db.execute("PRAGMA table_info(runs)")}
    return "requested IS NULL" if "requested" in columns else "TRUE"


def take_up_runs(db: sqlite3.Connection) -> Found:
    """Return the last good run of every collector; move aside what stands before. For a write."""
    moved: list[DamagedRow] = []
    while True:
        records, damaged = latest_runs(db)
        if not damaged:
            return records, moved
        move_aside(db, damaged)
        moved += damaged


def list_runs(
    db: sqlite3.Connection,
    *,
    collector: str | None,
    limit: int,
    before: int,
    failing: bool = False,
) -> Found:
    """Return the newest runs with a number below ``before``, newest first.

    Args:
        db: The state database.
        collector: Whose, or None for those of all.
        limit: How many at most.
        before: The number below which they are.
        failing: Whether only those that failed are wanted.
    """
    whose = "" if collector is None else "collector = :collector AND"
    which = "outcome IN ('failed', 'timeout') AND" if failing else ""
    rows = db.execute(
        f"{_SELECT} WHERE {whose} {which} id < :before ORDER BY id DESC LIMIT :limit",
        {"collector": collector, "before": before, "limit": limit},
    )
    return _found(rows)


def recent_outcomes(
    db: sqlite3.Connection, collectors: Iterable[str], *, most: int
) -> dict[str, list[tuple[int, str]]]:
    """Return the numbers and outcomes of the newest scheduled runs, newest first.

    Args:
        db: The state database.
        collectors: Whose.
        most: How many of each.
    """
    query = (
        "SELECT id, outcome FROM runs WHERE collector = ? AND requested IS NULL"
        " ORDER BY id DESC LIMIT ?"
    )
    return {name: db.execute(query, (name, most)).fetchall() for name in collectors}


def find_run(db: sqlite3.Connection, run_id: int) -> Found:
    """Return the record of a run, or none if it is there no longer."""
    return _found(db.execute(f"{_SELECT} WHERE id = ?", (run_id,)))


def insert_runs(db: sqlite3.Connection, records: Iterable[RunRecord]) -> None:
    """Write the records of runs that have ended."""
    rows = [
        (
            *(record.id, record.collector, record.outcome, record.started, _to_json(record)),
            None if record.requested is None else number_of(record.requested),
        )
        for record in records
    ]
    db.executemany(
        "INSERT OR REPLACE INTO runs (id, collector, outcome, started, record, requested)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        rows,
    )


def prune_runs(db: sqlite3.Connection, collector: str, *, now: float) -> None:
    """Forget a collector's old runs, the last one never.

    Kept are the newest, and as many again of those that did not go well, so
    that a busy collector's trouble of last night is still there in the morning. Requested
    runs are counted apart, lest a portfolio of them should drive out all others.
    """
    for requested in (False, True):
        _prune(db, collector, requested=requested, since=now - KEPT_SECONDS)


def _prune(db: sqlite3.Connection, collector: str, *, requested: bool, since: float) -> None:
    db.execute(
        """
        WITH
        these AS (
            SELECT id, outcome, started FROM runs
            WHERE collector = :collector AND (requested IS NOT NULL) = :requested
        ),
        newest AS (SELECT id, started FROM these ORDER BY id DESC LIMIT :kept),
        unwell AS (
            SELECT id, started FROM these WHERE outcome <> 'ok' ORDER BY id DESC LIMIT :kept
        )
        DELETE FROM runs WHERE id IN (SELECT id FROM these)
        AND id NOT IN (SELECT id FROM newest WHERE started >= :since)
        AND id NOT IN (SELECT id FROM unwell WHERE started >= :since)
        AND id <> (SELECT max(id) FROM newest)
        """,
        {"collector": collector, "requested": requested, "kept": KEPT_RUNS, "since": since},
    )


def _to_json(record: RunRecord) -> str:
    values = record.as_dict()
    del values["id"]
    # Plugins print anything: json escapes what SQLite's UTF-8 could not hold.
    return json.dumps(values)


def _found(rows: Iterable[tuple[Any, ...]]) -> Found:
    records: list[RunRecord] = []
    damaged: list[DamagedRow] = []
    for run_id, *row in rows:
        try:
            records.append(_record(run_id, *row))
        except (ValueError, TypeError, LookupError, RecursionError, msgspec.MsgspecError) as exc:
            error = f"damaged: {exc!r:.200}"
            key = f"run {run_id} of {row[0]!r:.100}"
            damaged.append(DamagedRow("runs", {"id": run_id}, key, as_bytes(*row), error))
    return records, damaged


def _record(
    run_id: int, collector: object, outcome: object, started: object, text: bytes
) -> RunRecord:
    """Return a record from its row.

    Raises:
        ValueError: It is damaged; JSON and types have errors of their own as well.
    """
    values = json.loads(text, parse_constant=_no_number)
    if not isinstance(values, dict):
        raise TypeError("expected a JSON object")
    told = {name: dict(values.pop(name)) for name in values.keys() - _FIELDS}
    record = msgspec.convert({**values, "id": run_id, "told": told}, RunRecord)
    if (record.collector, record.outcome, record.started) != (collector, outcome, started):
        raise ValueError("expected columns that agree with the record")
    if not all(map(is_moment, (record.tick, record.started, record.seconds))):
        raise ValueError("expected times before the year 10000")
    return record


def _no_number(text: str) -> float:
    raise ValueError(f"expected a number, got {text}")
