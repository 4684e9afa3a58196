"""What the daemon remembers of its collectors outlives it, or is known to be lost."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingestd.contract.memory import Memory
from ingestd.disk.database import Database
from ingestd.errors import ResultError, StateError
from ingestd.model import Series
from ingestd.records import series as seriesnotes
from ingestd.records.memories import encode, put
from ingestd.records.runs import KEPT_RUNS, KEPT_SECONDS, Outcome, RunRecord
from ingestd.records.store import PRUNE_EVERY, Kept, StateStore
from tests.support.clock import START, VirtualClock

MEMORY = Memory(
    state={"last_ts": 1.5, "since": datetime(2024, 2, 29, tzinfo=UTC), "seen": ("a", b"\0")},
    hidden={"token": "s3cret"},
    masks={"password": "fingerprint"},
)


def ran(collector: str = "lab", **values: Any) -> RunRecord:
    """Return the record of a run."""
    return RunRecord(**{"collector": collector, "tick": START, "started": START, **values})


async def damage(database: Database, column: str, value: bytes) -> None:
    """Overwrite one column of every row, as text that may not be text."""
    sql = f"UPDATE state SET {column} = CAST(? AS TEXT)"
    await database.write(lambda db: db.execute(sql, (value,)))


# Memories


async def test_a_memory_comes_back(store: StateStore) -> None:
    """State, hidden and masks are what was committed."""
    await store.commit("lab", MEMORY)

    assert await store.load("lab") == Kept(MEMORY, changed=START)
    assert await store.load_all() == {"lab": Kept(MEMORY, changed=START)}


async def test_a_new_collector_begins_with_nothing(store: StateStore) -> None:
    """What was never committed is empty, not an error."""
    assert await store.load("lab") == Kept(Memory())


async def test_a_memory_is_readable_in_the_file(store: StateStore, database: Database) -> None:
    """An operator with the sqlite3 command reads YAML."""
    await store.commit("lab", Memory(state={"last_ts": 1.5, "sites": ["a", "b"]}))

    (text,) = await database.read(lambda db: db.execute("SELECT state FROM state").fetchone())

    assert text == "last_ts: 1.5\nsites:\n- a\n- b\n"


async def test_what_cannot_be_kept_leaves_the_old_memory(store: StateStore) -> None:
    """The error names the key, and the next run continues from where the last good one was."""
    await store.commit("lab", MEMORY)

    with pytest.raises(ResultError, match=r"state\.a\[1\]: cannot be kept"):
        await store.commit("lab", Memory(state={"a": [1, object()]}))
    assert (await store.load("lab")).memory == MEMORY


async def test_a_memory_can_share_a_transaction(store: StateStore, database: Database) -> None:
    """When the rest of the transaction fails, the memory was not moved either."""

    def both(db: sqlite3.Connection) -> None:
        put(db, encode("lab", MEMORY, now=START))
        message = "the readings did not get through"
        raise LookupError(message)

    with pytest.raises(LookupError):
        await database.write(both)
    assert await store.load("lab") == Kept(Memory())


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("state", b"last_ts: 2.5\n"),
        ("state", b"\xff\xfe not utf-8"),
        ("state", b"!!python/object/apply:os.getcwd []\n"),
        ("hidden", b"{"),
        ("masks", b""),
        ("crc", b"0"),
    ],
)
async def test_a_damaged_memory_is_set_aside(
    store: StateStore, database: Database, column: str, value: bytes
) -> None:
    """It is reported once and kept for examination; the collector begins anew."""
    await store.commit("lab", MEMORY)
    await damage(database, column, value)

    found = await store.load("lab")

    assert found.memory == Memory()
    assert found.damage == (
        "state of lab: damaged: its checksum differs; set aside, it begins with an empty state"
    )
    assert await store.load("lab") == Kept(Memory())
    ((table, key),) = await database.read(
        lambda db: db.execute("SELECT table_name, key FROM damaged").fetchall()
    )
    assert (table, key) == ("state", "lab")


async def test_a_damaged_memory_hurts_no_other(store: StateStore, database: Database) -> None:
    """All the others are loaded."""
    await store.commit("lab", MEMORY)
    await damage(database, "state", b"\xff")
    await store.commit("roof", MEMORY)

    found = await store.load_all()

    assert "damaged" in found["lab"].damage
    assert found["roof"].memory == MEMORY


async def test_a_message_about_damage_tells_no_secret(
    store: StateStore, database: Database
) -> None:
    """The damaged text may be the hidden one."""
    await store.commit("lab", MEMORY)
    await damage(database, "hidden", b"token: [s3cret")

    assert "s3cret" not in repr(await store.load("lab"))


async def test_reset_forgets_the_state_and_keeps_the_masks(store: StateStore) -> None:
    """Reading a source again from the beginning brings no deleted password back."""
    await store.commit("lab", MEMORY)

    assert await store.reset("lab")
    assert (await store.load("lab")).memory == Memory(masks=MEMORY.masks)
    assert not await store.reset("lab")


async def test_reset_can_forget_the_masks_too(store: StateStore) -> None:
    """It does so only when the operator asks for it."""
    await store.commit("lab", MEMORY)

    assert await store.reset("lab", masks=True)
    assert (await store.load("lab")).memory == Memory()


COMMIT_UNTIL_KILLED = """
import asyncio, sys
from pathlib import Path
from ingestd.clock import SystemClock
from ingestd.contract.memory import Memory
from ingestd.disk.database import Database
from ingestd.records.store import StateStore

async def main():
    store = await StateStore.open(await Database.open(Path(sys.argv[1])), SystemClock())
    for number in range(1_000_000):
        await store.commit("lab", Memory(state={"number": number}))
        print(number, flush=True)

asyncio.run(main())
"""


@pytest.mark.slow  # a Python process starts
async def test_a_committed_memory_survives_a_kill(tmp_path: Path, clock: VirtualClock) -> None:
    """The memory that is found is the last that was acknowledged, or the one after it."""
    path = tmp_path / "state.db"
    with subprocess.Popen(
        [sys.executable, "-c", COMMIT_UNTIL_KILLED, str(path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for _ in range(50):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        numbers = process.stdout.read().split("\n")[:-1] or ["49"]
        process.wait()

    async with await Database.open(path) as database:
        found = await (await StateStore.open(database, clock)).load("lab")
    assert found.memory.state["number"] - int(numbers[-1]) in {0, 1}


# Run records


async def test_a_run_is_found_before_and_after_it_is_written(store: StateStore) -> None:
    """A record is found at once, although it waits to share a commit."""
    record = ran(
        outcome=Outcome.FAILED, error="no route", details="Traceback\ud800", unusable={"no time": 3}
    )

    number = store.add_run(record)
    waiting = await store.run(number)
    await store.flush()
    written = await store.run(number)

    assert waiting == written
    assert written is not None
    assert written.as_dict() == {**record.as_dict(), "id": number}


async def test_an_unknown_run_is_none(store: StateStore) -> None:
    """A run that never was, or that was forgotten long ago."""
    assert await store.run(77) is None


async def test_runs_are_listed_newest_first_and_paged(store: StateStore) -> None:
    """Written and waiting ones together, of all collectors or of one."""
    for number in range(6):
        store.add_run(ran("even" if number % 2 == 0 else "odd"))
        if number == 3:
            await store.flush()

    all_of_them = [record.id for record in await store.runs(limit=4)]
    page = [record.id for record in await store.runs(limit=4, before=all_of_them[-1])]
    odd = [record.id for record in await store.runs("odd", limit=10)]

    assert all_of_them == [6, 5, 4, 3]
    assert page == [2, 1]
    assert odd == [6, 4, 2]


async def test_the_last_runs_outlive_the_daemon(
    store: StateStore, database: Database, clock: VirtualClock
) -> None:
    """A restarted daemon knows for which ticks its collectors ran, and numbers on."""
    store.add_run(ran("a", tick=1.0))
    store.add_run(ran("b", tick=2.0))
    store.add_run(ran("a", tick=3.0))
    before = store.last_runs()
    await store.close()

    again = await StateStore.open(database, clock)

    assert again.last_runs() == before
    assert {name: record.tick for name, record in before.items()} == {"a": 3.0, "b": 2.0}
    assert again.add_run(ran("a")) == 4


async def test_old_runs_are_forgotten_and_failures_later(store: StateStore) -> None:
    """A busy collector's failure of last night is still there after a hundred good runs."""
    failure = store.add_run(ran(outcome=Outcome.FAILED))
    for _ in range(2 * KEPT_RUNS + PRUNE_EVERY):
        store.add_run(ran())
    quiet = store.add_run(ran("quiet"))
    await store.flush()

    kept = [record.id for record in await store.runs("lab", limit=1000)]

    assert len(kept) == KEPT_RUNS + 1
    assert kept[-1] == failure
    assert await store.run(quiet) is not None


async def test_runs_of_a_month_ago_are_forgotten_but_the_last(
    store: StateStore, clock: VirtualClock
) -> None:
    """Age counts, not number; the last one always tells when a collector ran."""
    for _ in range(PRUNE_EVERY):
        store.add_run(ran(outcome=Outcome.FAILED))
    clock.step(KEPT_SECONDS + 1)
    await store.flush()

    assert [record.id for record in await store.runs("lab", limit=1000)] == [PRUNE_EVERY]


async def test_records_that_cannot_be_written_wait(store: StateStore, database: Database) -> None:
    """They are still listed, and are written when the database is well again."""
    await database.write(lambda db: db.execute("ALTER TABLE runs RENAME TO away"))
    number = store.add_run(ran())
    with pytest.raises(StateError, match=r"state\.db: "):
        await store.flush()
    assert await store.run(number) is not None

    await database.write(lambda db: db.execute("ALTER TABLE away RENAME TO runs"))
    await store.flush()

    assert [record.id for record in await store.runs(limit=10)] == [number]


async def eventually_counted(database: Database, table: str) -> None:
    """Return when a table has a row."""
    count = f"SELECT count(*) FROM {table}"
    while not (await database.read(lambda db: db.execute(count).fetchone()))[0]:  # noqa: ASYNC110 -- no event tells
        await asyncio.sleep(0.01)


async def test_records_are_written_by_themselves(
    store: StateStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A timer writes them within seconds, without a flush."""
    monkeypatch.setattr("ingestd.records.store.RECORDS_WAIT", 0.01)
    store.add_run(ran())

    await eventually_counted(database, "runs")


# Series


def series(name: str, **tags: str) -> Series:
    """Return a series as a naming makes it."""
    return Series(name, tuple(sorted(tags.items())))


async def test_series_are_listed_before_and_after_they_are_written(
    store: StateStore, database: Database, clock: VirtualClock
) -> None:
    """Each once, by name and tags; those of others are not among them."""
    for _ in range(2):
        store.note_series("lab", series("level", site="b", unit=""))
        store.note_series("lab", series("level", site="a"))
        store.note_series("hall", series("power"))
        before = await store.series("lab")
        await store.flush()
    again = await StateStore.open(database, clock)
    again.note_series("lab", series("level", site="a"))

    expected = [("level", (("site", "a"),)), ("level", (("site", "b"),))]
    assert before == expected
    assert await store.series("lab") == expected
    assert await again.series("lab") == expected
    assert await again.series("unknown") == []
    await again.close()


async def test_series_are_written_by_themselves(
    store: StateStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A timer writes them within seconds, although no run has ended."""
    monkeypatch.setattr("ingestd.records.store.RECORDS_WAIT", 0.01)
    store.note_series("m", series("level"))

    await eventually_counted(database, "series")


async def test_what_is_noted_already_writes_nothing(store: StateStore, database: Database) -> None:
    """After a restart every series is met again, and the disk must not notice."""
    for number in range(3):
        store.note_series("lab", series(f"s{number}"))
    await store.flush()
    before = await database.write(lambda db: db.total_changes)
    for number in range(3):
        store.note_series("lab", series(f"s{number}"))
    await store.flush()

    assert await database.write(lambda db: db.total_changes) == before


async def test_a_collector_that_invents_names_without_end_is_bounded(
    store: StateStore, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first series stay, and no other collector suffers."""
    monkeypatch.setattr(seriesnotes, "MOST_SERIES", 10)
    monkeypatch.setattr(seriesnotes, "AT_ONCE", 4)
    for number in range(30):
        store.note_series("wild", series(f"s{number:02}"))
    store.note_series("lab", series("level"))
    await store.flush()
    store.note_series("wild", series("one more"))

    assert [name for name, _ in await store.series("wild")] == [f"s{n:02}" for n in range(10)]
    assert await store.series("lab") == [("level", ())]


async def test_notes_that_cannot_be_written_wait(store: StateStore, database: Database) -> None:
    """A full disk costs none of them."""
    store.note_series("lab", series("level"))
    await database.write(lambda db: db.execute("ALTER TABLE series RENAME TO away"))
    with pytest.raises(StateError):
        await store.flush()
    await database.write(lambda db: db.execute("ALTER TABLE away RENAME TO series"))
    await store.flush()

    (found,) = await database.read(lambda db: db.execute("SELECT * FROM series").fetchall())
    assert found[:3] == ("lab", "level", "[]")
