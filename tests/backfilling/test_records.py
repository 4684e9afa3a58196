"""Backfills on disk: what was written comes back, and what is damaged is set aside."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from ingestd.backfilling import records as backfillrecords
from ingestd.backfilling.records import KEPT_ENDED, MOST_PROBLEMS, BackfillRecord, Status
from ingestd.disk import Database, move_aside


def record(collector: str = "meters", **values: object) -> BackfillRecord:
    """Make a record."""
    some = {
        "collector": collector,
        "spans": ((0.0, 10.5), (20.0, 30.0)),
        "chunk": 5.0,
        "rate": None,
        "asked": 1.5,
        "position": 0.0,
    }
    return BackfillRecord(**{**some, **values})  # type: ignore[arg-type]


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Give an empty database."""
    async with await Database.open(tmp_path / "state.db") as opened:
        yield opened


async def insert(database: Database, some: BackfillRecord) -> BackfillRecord:
    """Keep a record."""
    row = backfillrecords.encode(some)
    some.id = await database.write(partial(backfillrecords.insert, row=row))
    return some


async def find(database: Database, number: int) -> BackfillRecord | None:
    """Read a record."""
    found, _ = await database.read(partial(backfillrecords.find, number=number))
    return next(iter(found), None)


async def test_record_comes_back_as_it_was(database: Database) -> None:
    """It is equal after an insert, and after an update."""
    one = await insert(database, record())
    first = await find(database, one.id)
    one.position, one.readings, one.points, one.unusable = 5.0, 7, 6, {"value": 1}
    one.status, one.why, one.failures, one.error = Status.PAUSED, "why", 2, "an\ud800error"
    one.note_problem("problem")
    await database.write(partial(backfillrecords.update, row=backfillrecords.encode(one)))

    assert first == record(id=one.id)
    assert await find(database, one.id) == one
    assert await find(database, one.id + 1) is None


async def test_those_that_go_on_are_found(database: Database) -> None:
    """They come in the order in which they were asked for."""
    kept = [
        await insert(database, record(status=status, collector=status))
        for status in (Status.PAUSED, Status.DONE, Status.RUNNING, Status.CANCELLED)
    ]
    found, damage = await database.write(backfillrecords.unfinished)

    assert found == [kept[0], kept[2]]
    assert damage == []


async def test_damaged_rows_are_told_apart(database: Database) -> None:
    """The others go on, and what was wrong is told and can be set aside."""
    one, two, three = [await insert(database, record(collector=name)) for name in "abc"]
    damaged = [("{", one.id), ('{"spans": [[1]]}', two.id)]
    sql = "UPDATE backfills SET record = ? WHERE id = ?"
    await database.write(lambda db: db.executemany(sql, damaged))

    found, damage = await database.write(backfillrecords.unfinished)
    await database.write(partial(move_aside, rows=damage))
    aside = await database.read(
        lambda db: db.execute("SELECT table_name, key, payload FROM damaged ORDER BY id").fetchall()
    )

    assert found == [three]
    assert len(damage) == 2
    assert str(damage[0]).startswith("backfills: backfill 1 of 'a': damaged: JSONDecodeError")
    assert [(table, payload.split(b"\0")[-1]) for table, _, payload in aside] == [
        ("backfills", b"{"),
        ("backfills", b'{"spans": [[1]]}'),
    ]
    assert await find(database, one.id) is None


async def test_list_has_the_newest_first(database: Database) -> None:
    """It is of one collector or of all of them."""
    a, b, c = [await insert(database, record(collector=name)) for name in ("a", "b", "a")]

    async def listed(collector: str | None, limit: int) -> list[BackfillRecord]:
        listing = partial(backfillrecords.listed, collector=collector, limit=limit)
        return (await database.read(listing))[0]

    assert await listed(None, 10) == [c, b, a]
    assert await listed("a", 10) == [c, a]
    assert await listed("a", 1) == [c]


async def test_old_ones_are_forgotten(database: Database) -> None:
    """Those of the same collector that have ended, and never one that goes on."""
    first = await insert(database, record())
    other = await insert(database, record(collector="other", status=Status.DONE))
    for _ in range(KEPT_ENDED + 3):
        last = await insert(database, record(status=Status.DONE))

    kept, _ = await database.read(partial(backfillrecords.listed, collector="meters", limit=1000))

    assert len(kept) <= KEPT_ENDED + 1
    assert kept[0] == last
    assert kept[-1] == first
    assert await find(database, other.id) == other


def test_problems_are_bounded() -> None:
    """A plugin may report one for each of a thousand windows."""
    one = record()
    for _ in range(MOST_PROBLEMS + 5):
        one.note_problem("x" * 5000)

    assert len(one.problems) == MOST_PROBLEMS
    assert len(one.problems[0]) == 1000
