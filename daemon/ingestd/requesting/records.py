"""What is kept of requested runs in the state database: one row for each, waiting or ended.

A row says that a run has succeeded only when its readings are safe, and with that it
has the result. So a daemon that comes up after a kill runs again what was under way, and
nothing that had come to its end.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, Final

import msgspec

from ingestd.disk import DamagedRow, as_bytes, is_moment, is_text
from ingestd.records import request_id

KEPT_ENDED: Final = 1000  # of each collector
KEPT_BYTES: Final = 256 * 2**20  # of inputs and results of those that have ended, all in all
_COLUMNS: Final = ("id", "collector", "status", "project", "trace", "key", "added")
_BESIDE: Final = ("has_input", "has_result")
_SELECT: Final = (
    "SELECT id, collector, status, project, trace, key, added,"
    " input IS NOT NULL, result IS NOT NULL, CAST(record AS BLOB) FROM requested_runs"
)


class RequestStatus(StrEnum):
    """How a requested run stands."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


# The one place that says which are over; texts from JSON can be looked up in it.
OVER: Final = frozenset({RequestStatus.SUCCESS, RequestStatus.FAILED, RequestStatus.CANCELLED})
_OVER_IN_SQL: Final = ", ".join(f"'{status.value}'" for status in sorted(OVER))


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedRun:
    """A run that was asked for; times are in seconds since the Unix epoch.

    Attributes:
        id: Its number, ascending; 0 until it is kept.
        collector: Whose plugin is called.
        status: How it stands.
        project: What it is about, or None.
        trace: Which part of that, or None.
        key: What the one who asked called the request, or None.
        added: When it was asked for.
        updated: When it came to stand as it does.
        params: What is laid over the collector's params.
        commit: Whether what it gives as state is remembered, as that of a scheduled run is.
        digest: A mark of all that was asked for in one request.
        group: For which of the targets of that request it is, from 0.
        attempt: How often it has begun; more than once if the daemon or the collector ended.
        run: The number of its record among the runs, or None.
        readings: How many it gave.
        failure_message: Why it failed, in a line.
        traceback: Where, or None.
        has_input: Whether the plugin is given a document.
        has_result: Whether it gave one.
    """

    collector: str
    added: float
    updated: float
    id: int = 0
    status: RequestStatus = RequestStatus.PENDING
    project: str | None = None
    trace: str | None = None
    key: str | None = None
    params: dict[str, Any] = field(default_factory=dict, repr=False)
    commit: bool = False
    digest: str = ""
    group: int = 0
    attempt: int = 0
    run: int | None = None
    readings: int = 0
    failure_message: str | None = None
    traceback: str | None = None
    has_input: bool = False
    has_result: bool = False

    @property
    def over(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status in OVER

    @property
    def name(self) -> str:
        """Its number as people see it."""
        return request_id(self.id)

    @property
    def target(self) -> dict[str, str]:
        """What it is about, as arguments of the plugin."""
        target = {"project": self.project, "trace": self.trace}
        return {name: value for name, value in target.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which requested runs to list.

    Attributes:
        collector: Those of one collector, or None for all.
        status: Those that stand so, or None for all.
        project: Those about one project, likewise.
        trace: Those about one trace, likewise.
        before: Only those with a lower number; the newest come first.
        after: Only those with a higher number; then the oldest come first.
        limit: How many at most.
    """

    collector: str | None = None
    status: RequestStatus | None = None
    project: str | None = None
    trace: str | None = None
    before: int | None = None
    after: int | None = None
    limit: int = 100


_FIELDS: Final = tuple(each.name for each in fields(RequestedRun))
_REST: Final = tuple(name for name in _FIELDS if name not in {*_COLUMNS, *_BESIDE})

# Requested runs as they were found, and the rows that cannot be right.
Found = tuple[list[RequestedRun], list[DamagedRow]]


def insert(
    db: sqlite3.Connection, rows: Sequence[Mapping[str, Any]], inputs: Sequence[str | None]
) -> list[int]:
    """Keep new ones and return their numbers; forget the oldest of those that have ended."""
    numbers = []
    for row, given in zip(rows, inputs, strict=True):
        cursor = db.execute(
            "INSERT INTO requested_runs (collector, status, project, trace, key, added, record,"
            " input) VALUES (:collector, :status, :project, :trace, :key, :added, :record, :input)",
            {**row, "input": None if given is None else given.encode()},
        )
        assert cursor.lastrowid is not None  # noqa: S101 -- says so to the type checker
        numbers.append(cursor.lastrowid)
    for collector in {row["collector"] for row in rows}:
        _forget(db, collector)
    return numbers


def _forget(db: sqlite3.Connection, collector: str) -> None:
    """Forget ended ones: beyond a number of one collector, and beyond what all may hold."""
    db.execute(
        f"DELETE FROM requested_runs WHERE collector = :collector AND status IN ({_OVER_IN_SQL})"  # noqa: S608 -- our own words
        " AND id NOT IN (SELECT id FROM requested_runs WHERE collector = :collector"
        f" AND status IN ({_OVER_IN_SQL}) ORDER BY id DESC LIMIT :kept)",
        {"collector": collector, "kept": KEPT_ENDED},
    )
    db.execute(
        "WITH sizes AS (SELECT id, sum(coalesce(length(input), 0) + coalesce(length(result), 0))"  # noqa: S608 -- our own words
        f" OVER (ORDER BY id DESC) AS bytes FROM requested_runs WHERE status IN ({_OVER_IN_SQL}))"
        " DELETE FROM requested_runs WHERE id IN (SELECT id FROM sizes WHERE bytes > ?)",
        (KEPT_BYTES,),
    )


def update(db: sqlite3.Connection, row: Mapping[str, Any], result: str | None = None) -> None:
    """Put a record in the place of the one of its number, with its result if it has one."""
    db.execute(
        "UPDATE requested_runs SET status = :status, record = :record,"
        " result = coalesce(:result, result) WHERE id = :id",
        {**row, "result": None if result is None else result.encode()},
    )


def find(db: sqlite3.Connection, number: int) -> Found:
    """Return one, or none if there is none of that number, or no longer."""
    return _found(db.execute(f"{_SELECT} WHERE id = ?", (number,)))


def with_key(db: sqlite3.Connection, key: str) -> Found:
    """Return those that were asked for under a key, in order."""
    return _found(db.execute(f"{_SELECT} WHERE key = ? ORDER BY id", (key,)))


def unfinished(db: sqlite3.Connection) -> Found:
    """Return those that wait or were under way, in order."""
    over = f"coalesce(status, '') IN ({_OVER_IN_SQL})"
    return _found(db.execute(f"{_SELECT} WHERE NOT {over} ORDER BY id"))


def listed(db: sqlite3.Connection, wanted: Selection) -> Found:
    """Return those of a selection."""
    values = {name: value for name, value in asdict(wanted).items() if value is not None}
    same = [f"{n} = :{n}" for n in ("collector", "status", "project", "trace") if n in values]
    bounds = [f"id {sign} :{n}" for n, sign in (("before", "<"), ("after", ">")) if n in values]
    where = " AND ".join([*same, *bounds]) or "TRUE"
    order = "" if "after" in values else "DESC"
    return _found(db.execute(f"{_SELECT} WHERE {where} ORDER BY id {order} LIMIT :limit", values))


def document(db: sqlite3.Connection, number: int, which: str) -> bytes | None:
    """Return the ``input`` or the ``result`` of one as JSON, or None if there is none."""
    row = db.execute(f"SELECT {which} FROM requested_runs WHERE id = ?", (number,)).fetchone()  # noqa: S608 -- one of two words
    return row[0] if row is not None and isinstance(row[0], bytes) else None


def input_bytes(db: sqlite3.Connection) -> int:
    """Return how many bytes the inputs of those hold that wait or are under way."""
    (size,) = db.execute(
        "SELECT coalesce(sum(length(input)), 0) FROM requested_runs"  # noqa: S608 -- our own words
        f" WHERE status NOT IN ({_OVER_IN_SQL})"
    ).fetchone()
    return int(size)


def encode(record: RequestedRun) -> dict[str, Any]:
    """Return a record as a row, by the names of the columns."""
    rest = {name: getattr(record, name) for name in _REST}
    named = {name: getattr(record, name) for name in _COLUMNS}
    # Plugins say anything: json escapes what SQLite's UTF-8 could not hold.
    return {**named, "status": record.status.value, "record": json.dumps(rest)}


def _found(rows: Iterable[tuple[Any, ...]]) -> Found:
    records: list[RequestedRun] = []
    damaged: list[DamagedRow] = []
    for row in rows:
        try:
            records.append(_decode(*row))
        except (ValueError, TypeError, RecursionError, msgspec.MsgspecError) as exc:
            key = f"requested run {row[0]} of {row[1]!r:.100}"
            error = f"damaged: {exc!r:.200}"
            damaged.append(DamagedRow("requested_runs", {"id": row[0]}, key, as_bytes(*row), error))
    return records, damaged


def _decode(*row: Any) -> RequestedRun:
    """Return a record from its row.

    Raises:
        ValueError: It is damaged; JSON and types have errors of their own as well.
    """
    columns = dict(zip(_COLUMNS, row, strict=False))
    has_input, has_result, text = row[len(_COLUMNS) :]
    rest = json.loads(text, parse_constant=_no_number)
    record = msgspec.convert({**rest, **columns}, RequestedRun)
    if rest.keys() - {*_FIELDS}:
        raise ValueError("expected names that are known")
    texts = (record.collector, record.project or "", record.trace or "", record.key or "")
    if not all(map(is_text, texts)):
        raise ValueError("expected text in its columns")
    if not is_moment(record.added) or not is_moment(record.updated):
        raise ValueError("expected times before the year 10000")
    return replace(record, has_input=bool(has_input), has_result=bool(has_result))


def _no_number(text: str) -> float:
    raise ValueError(f"expected a number, got {text}")
