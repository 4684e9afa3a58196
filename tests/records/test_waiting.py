"""What waits in memory to be written is listed and forgotten like the rest, and bounded."""

import asyncio

import pytest

from ingestd.disk.database import Database
from ingestd.health import PaceKept, SeriesKey
from ingestd.model import Series
from ingestd.records import series as seriesnotes
from ingestd.records import store as records
from ingestd.records.runs import KEPT_SECONDS, Outcome, RunRecord
from ingestd.records.series import SeriesNotes
from ingestd.records.store import PRUNE_EVERY, StateStore
from tests.support.clock import START, VirtualClock

MOVED = PaceKept(1, START, 60.0, 90.0)


def key(name: str) -> SeriesKey:
    """Return what a series without tags is known by."""
    return SeriesKey(name, ())


async def test_records_that_wait_are_bounded(
    store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the disk is full for days, the oldest records go."""
    monkeypatch.setattr(records, "MOST_RECORDS_WAITING", 2)
    waiting = []
    for _ in range(3):
        store.add_run(RunRecord(collector="lab", tick=START, started=START))
        waiting.append([each.id for each in await store.runs(limit=10)])

    assert waiting == [[1], [2, 1], [3, 2]]


async def test_records_that_wait_are_paged(store: StateStore) -> None:
    """The next page begins below a number, whether that one is written or not."""
    for _ in range(3):
        store.add_run(RunRecord(collector="lab", tick=START, started=START))

    assert [each.id for each in await store.runs(limit=10, before=3)] == [2, 1]


def test_notes_that_wait_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than that are not noted, and ask for no write."""
    monkeypatch.setattr(seriesnotes, "MOST_SERIES_WAITING", 2)
    notes = SeriesNotes()

    assert [notes.add("lab", Series(name)) for name in "abc"] == [True, True, False]


async def test_paces_that_wait_are_bounded(
    store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that are one too many are left out; they come again with the next reading."""
    monkeypatch.setattr(seriesnotes, "MOST_SERIES_WAITING", 3)
    store.keep_paces("lab", {key("a"): MOVED})
    store.keep_paces("lab", {key(name): MOVED for name in "bcd"})
    store.keep_paces("lab", {key(name): MOVED for name in "ef"})
    await store.flush()

    assert sorted(name for name, _ in await store.series("lab")) == ["a", "e", "f"]


async def test_a_collector_may_give_as_many_series_as_it_may(
    store: StateStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last one that there is room for is noted after the others were written, too."""
    monkeypatch.setattr(seriesnotes, "MOST_SERIES", 3)
    for names in ("ab", "c"):
        for name in names:
            store.note_series("lab", Series(name))
        await store.flush()

    assert [name for name, _ in await store.series("lab")] == ["a", "b", "c"]


async def test_a_series_is_forgotten_before_it_was_written(store: StateStore) -> None:
    """It was known, and neither its note nor its pace brings it back."""
    for name in "ab":
        store.note_series("lab", Series(name))
        store.keep_paces("lab", {key(name): MOVED})

    assert await store.forget_series("lab", key("a"))
    await store.flush()
    assert await store.series("lab") == [key("b")]
    assert not await store.forget_series("lab", key("a"))


async def test_a_series_is_forgotten_while_it_is_written(database: Database) -> None:
    """The write goes on with what else waits, and the series is gone."""
    notes = SeriesNotes()
    for name in "ab":
        notes.add("lab", Series(name))
        notes.keep("lab", {key(name): MOVED}, seen_at=START)

    await asyncio.gather(notes.write(database), notes.forget(database, "lab", key("a")))

    assert await notes.listed(database, "lab") == ([key("b")], [])


async def test_collectors_without_room_stay_known(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each that has as many series as it may is noted no more, one beside the other."""
    monkeypatch.setattr(seriesnotes, "MOST_SERIES", 1)
    notes = SeriesNotes()
    for collector in ("lab", "roof"):
        notes.add(collector, Series("level"))
        await notes.write(database)

    assert [notes.add(name, Series("flow")) for name in ("lab", "roof", "hall")] == [
        False,
        False,
        True,
    ]


async def test_runs_are_pruned_when_enough_have_come_together(
    store: StateStore, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of several flushes count, and collectors that are too many at once come next."""
    monkeypatch.setattr(records, "PRUNE_AT_ONCE", 1)
    clock.step(KEPT_SECONDS + 1)
    left = []
    for number in (PRUNE_EVERY // 2, PRUNE_EVERY // 2, 0, 0):
        for name in ["lab", "roof"] * number:
            store.add_run(RunRecord(collector=name, tick=START, started=START))
        await store.flush()
        left.append(len(await store.runs(limit=1000)))

    assert left == [PRUNE_EVERY, PRUNE_EVERY + 1, 2, 2]


async def test_records_that_cannot_be_written_hold_up_no_stop(
    store: StateStore, database: Database
) -> None:
    """They are told, not promised."""
    await database.write(lambda db: db.execute("ALTER TABLE runs RENAME TO away"))
    store.add_run(RunRecord(collector="lab", tick=START, started=START))

    await store.close()


async def test_failed_runs_are_listed_by_themselves(store: StateStore) -> None:
    """Those that wait and those that are written."""
    for outcome in Outcome:
        store.add_run(RunRecord(collector="lab", tick=START, started=START, outcome=outcome))
    waiting = [each.outcome for each in await store.runs(limit=10, failing=True)]
    await store.flush()
    written = [each.outcome for each in await store.runs(limit=10, failing=True)]

    assert waiting == written == [Outcome.TIMEOUT, Outcome.FAILED]
