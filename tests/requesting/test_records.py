"""Requested runs on disk: an older file, damaged rows, and what is forgotten."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ingestd.clock import SystemClock
from ingestd.disk.database import Database
from ingestd.disk.schema import MIGRATIONS
from ingestd.records import runs
from ingestd.requesting import records
from ingestd.requesting.records import RequestedRun, RequestStatus, Selection
from ingestd.requesting.store import RequestedRunStore

BEFORE = next(at for at, each in enumerate(MIGRATIONS) if "CREATE TABLE requested_runs" in each)


class Log:
    """Takes what is logged."""

    def __init__(self) -> None:
        self.errors: list[str] = []

    def error(self, event: str, **_values: Any) -> None:
        """Keep the phrase of an error."""
        self.errors.append(event)


@pytest.fixture
def log() -> Log:
    """Give a log."""
    return Log()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Give a state database."""
    async with await Database.open(tmp_path / "state.db") as opened:
        yield opened


@pytest.fixture
def store(database: Database, log: Log) -> RequestedRunStore:
    """Give a store of requested runs."""
    return RequestedRunStore(database, clock=SystemClock(), log=log)


def request(**values: Any) -> RequestedRun:
    """Return a requested run that waits."""
    return RequestedRun(**{"collector": "m", "added": 1.0, "updated": 1.0, **values})


async def test_an_older_file_is_brought_up(tmp_path: Path) -> None:
    """The records of its runs are those of a schedule."""
    path = tmp_path / "state.db"
    text = '{"collector": "m", "tick": 5.0, "started": 5.0, "outcome": "ok"}'
    with closing(sqlite3.connect(path)) as db:
        for step in MIGRATIONS[:BEFORE]:
            db.executescript(step)
        db.execute(f"PRAGMA user_version={BEFORE}")
        db.execute("INSERT INTO runs VALUES (7, 'm', 'ok', 5.0, ?)", (text,))
        db.commit()
        older, _ = runs.latest_runs(db)
        first = runs.first_runs(db)
    async with await Database.open(path) as database:
        found, damaged = await database.read(runs.latest_runs)
        listed = await database.read(lambda db: records.listed(db, Selection()))

    assert [each.id for each in older] == [each.id for each in found] == [7]
    assert first == {"m": 5.0}
    assert (found[0].requested, damaged, listed) == (None, [], ([], []))


async def test_everything_comes_back(store: RequestedRunStore) -> None:
    """What is read is what was written, with its documents."""
    new = request(project="1", trace="ü", key="k", params={"a": [1, None]}, digest="d", group=2)
    (added,) = await store.add([new], ['{"x": 1}'])
    ended = request(
        id=added.id, project="1", trace="ü", key="k", params={"a": [1, None]}, digest="d", group=2,
        status=RequestStatus.SUCCESS, updated=9.0, attempt=3, run=17, readings=2,
    )  # fmt: skip
    await store.save(ended, '{"y": 2}')

    (found,) = await store.with_key("k")
    assert (found.has_input, found.has_result) == (True, True)
    assert records.encode(found) == records.encode(ended)
    assert await store.document(added.id, "input") == {"x": 1}
    assert await store.document(added.id, "result") == {"y": 2}
    assert await store.unfinished() == []


@pytest.mark.parametrize(
    "damage",
    [
        "record = '{'",
        "record = '{\"nosuch\": 1}'",
        "status = 'PERHAPS'",
        "added = 1e300",
        "collector = CAST(x'ff' AS TEXT)",
        "project = x'ff'",
    ],
)
async def test_a_damaged_row_is_set_aside(
    store: RequestedRunStore, database: Database, log: Log, damage: str
) -> None:
    """Those beside it are made."""
    first, second = await store.add([request(), request()], [None, None])
    await database.write(
        lambda db: db.execute(f"UPDATE requested_runs SET {damage} WHERE id = ?", (first.id,))
    )

    assert [each.id for each in await store.unfinished()] == [second.id]
    assert log.errors == ["a requested run was damaged, and is given up"]
    assert await store.find(first.id) is None
    kept = await database.read(lambda db: db.execute("SELECT table_name FROM damaged").fetchall())
    assert kept == [("requested_runs",)]


async def test_the_oldest_that_ended_are_forgotten(
    store: RequestedRunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By number, and by the size of what they were given and gave; those that wait never."""
    monkeypatch.setattr(records, "KEPT_ENDED", 3)
    over = [request(status=RequestStatus.SUCCESS) for _ in range(5)]
    await store.add([request(), *over, request(collector="other")], [None] * 7)
    await store.add([request()], [None])
    by_number = [each.id for each in await store.listed(Selection())]
    monkeypatch.setattr(records, "KEPT_BYTES", 25)
    await store.save(request(id=6, status=RequestStatus.SUCCESS), '"0123456789"')
    await store.save(request(id=5, status=RequestStatus.SUCCESS), '"0123456789"')
    await store.save(request(id=4, status=RequestStatus.SUCCESS), '"0123456789"')
    await store.add([request()], [None])

    assert by_number == [8, 7, 6, 5, 4, 1]
    assert [each.id for each in await store.listed(Selection())] == [9, 8, 7, 6, 5, 1]
