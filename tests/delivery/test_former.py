"""What is noted of stores that have gone, and what becomes of what they have left."""

import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from ingestd.delivery import deadletters, spool
from ingestd.delivery.former import (
    GONE,
    OLDER,
    Adopted,
    FormerStore,
    FormerStores,
    adopt,
    delete,
    drop,
    first_body,
    is_as_before,
    left_behind,
    needs_adoption,
    read,
    remembered,
    said_of_former,
    save,
)
from ingestd.delivery.spool import Contents
from ingestd.disk import MIGRATIONS, Ballast, Database
from ingestd.disk.schema import open_writer
from ingestd.model import EARLIEST_US, Body
from tests.support.disk import fill


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Open a new database."""
    async with await Database.open(tmp_path / "state.db") as opened:
        yield opened


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """Open a new database as its writer does."""
    with closing(open_writer(tmp_path / "rules.db", MIGRATIONS)) as opened:
        yield opened


def spooled(
    db: sqlite3.Connection, store: str, *times_us: int, points: int = 1, now: float = 1.0
) -> None:
    """Leave bodies in the spool of a store, each with points up to a time."""
    for time_us in times_us:
        body = Body(b"at %d" % time_us, points, time_us - 1, time_us)
        spool.insert(db, store, body, droppable=False, now=now)


def refused(db: sqlite3.Connection, store: str, count: int) -> None:
    """Leave dead letters of a store."""
    deadletters.insert(db, [(store, 1.0, "", b"")] * count)


def names(db: sqlite3.Connection) -> list[tuple[str, int]]:
    """Return the stores that are known, and whether they are configured."""
    return db.execute("SELECT name, configured FROM stores ORDER BY name").fetchall()


def waiting(db: sqlite3.Connection) -> dict[str, list[bytes]]:
    """Return what waits, by the name of the store."""
    rows = db.execute("SELECT store, data FROM spool ORDER BY id").fetchall()
    return {store: [data for name, data in rows if name == store] for store, _ in rows}


# What is noted


async def test_a_database_from_before_knows_its_spool(tmp_path: Path) -> None:
    """What waited for a store then is that of a former store now, if the store has gone."""
    path = tmp_path / "state.db"
    with closing(open_writer(path, MIGRATIONS[:3])) as db:
        spooled(db, "old", 7)
        spooled(db, "main", 7)

    async with await Database.open(path) as database:
        found = await database.write(lambda db: remembered(db, {"main": None}))

    assert found == {"old": FormerStore(horizon_us=7)}


@pytest.mark.parametrize(
    ("former", "store", "first_us", "moves"),
    [
        (FormerStore(), "new", 10, True),
        (FormerStore(horizon_us=10), "new", 10, True),
        (FormerStore(horizon_us=10), "new", 11, False),
        (FormerStore(horizon_us=10, mark_us=5), "new", 4, True),
        (FormerStore(horizon_us=10, mark_us=5), "new", 5, False),
        (FormerStore(horizon_us=10, beside=frozenset({"other"})), "other", 1, False),
    ],
)
def test_what_moves_the_mark(
    former: FormerStore, store: str, first_us: int, *, moves: bool
) -> None:
    """A time that waits, earlier than those before, for a store that was not beside it."""
    assert former.is_moved_by(store, first_us) == moves


def test_stores_are_noted_from_start_to_start(db: sqlite3.Connection) -> None:
    """The ones beside it are those of the last start; one that left nothing is forgotten."""
    remembered(db, dict.fromkeys(["old", "empty", "main"]))
    spooled(db, "old", 7)

    found = remembered(db, dict.fromkeys(["main", "new"]))
    again = remembered(db, dict.fromkeys(["main", "new"]))

    assert found == {"old": FormerStore(beside=frozenset({"empty", "main"}), horizon_us=7)}
    assert again == found
    assert names(db) == [("main", 1), ("new", 1), ("old", 0)]


def test_a_former_store_that_has_nothing_left_is_forgotten(db: sqlite3.Connection) -> None:
    """An operator may have dropped what waited for it, with the command and no daemon."""
    remembered(db, {"old": None})
    spooled(db, "old", 7)
    remembered(db, {"main": None})
    db.execute("DELETE FROM spool")

    assert remembered(db, {"main": None}) == {}
    assert names(db) == [("main", 1)]


def test_a_store_that_will_be_taken_over_is_not_watched(db: sqlite3.Connection) -> None:
    """Neither is what was kept back of it, which waits for a person; both stay known."""
    remembered(db, {"old": None})
    spooled(db, "old", 7)
    spooled(db, f"old{OLDER}", 7)

    assert remembered(db, {"main": "old"}) == {}
    assert names(db) == [("main", 1), ("old", 1)]


@pytest.mark.parametrize(
    ("configured", "waits", "expected"),
    [
        (["main", "other"], [], True),
        (["main", "other"], ["main", "other"], True),
        (["main", "other"], ["main", "gone"], False),
        (["main"], [], False),
        (["main", "other", "new"], ["main"], False),
    ],
)
def test_nothing_is_noted_when_the_stores_are_those_of_the_last_start(
    db: sqlite3.Connection, configured: list[str], waits: list[str], *, expected: bool
) -> None:
    """And no other has left anything."""
    remembered(db, dict.fromkeys(["main", "other"]))
    for name in waits:
        spooled(db, name, 7)

    assert is_as_before(db, dict.fromkeys(configured)) == expected


def test_a_former_store_is_read_as_it_was_saved(db: sqlite3.Connection) -> None:
    """What is damaged lets everything correct what waits, and nothing hides it."""
    saved = FormerStore(beside=frozenset({"a", "b"}), mark_us=5)
    save(db, "old", saved)
    spooled(db, "old", 7)
    assert read(db, "old") == FormerStore(beside=saved.beside, mark_us=5, horizon_us=7)

    for damaged in ("", "5", "[" * 100_000, b"\xff"):
        db.execute("UPDATE stores SET beside = ?, mark_us = 'text'", (damaged,))
        found = read(db, "old")
        assert (found.beside, found.mark_us) == (frozenset(), EARLIEST_US)


@pytest.mark.parametrize("name", ["old", b"\xff", "caf\udcc3"])
def test_a_name_is_deleted_whatever_it_is(db: sqlite3.Connection, name: str | bytes) -> None:
    """A flipped bit may have made a name that is no text; the others stay."""
    raw = name if isinstance(name, bytes) else name.encode(errors="surrogateescape")
    for each in (raw, b"main"):
        db.execute("INSERT INTO stores (name, configured) VALUES (CAST(? AS TEXT), 0)", (each,))

    delete(db, name)

    assert names(db) == [("main", 0)]


# What is told


@pytest.mark.parametrize(
    ("name", "points", "waits", "to"),
    [
        ("old", 1, f"{GONE}; 1 reading left", "STORE"),
        ("old", 1234, f"{GONE}; 1,234 readings left", "STORE"),
        ("old@older", 2, "2 readings that may be older than what is stored", "old --overwrite"),
    ],
)
def test_what_a_former_store_has_left_is_told(name: str, points: int, waits: str, to: str) -> None:
    """With the commands that mend it."""
    commands = f"ingestd spool move {name} {to} sends them, ingestd spool drop {name} deletes them"

    assert said_of_former(name, points) == f"{waits}; {commands}"


def test_a_former_store_that_has_nothing_left_is_told_as_that() -> None:
    """There is nothing to mend."""
    assert said_of_former("old", 0) == "no longer in the configuration"


def test_only_stores_that_have_gone_have_left_something(db: sqlite3.Connection) -> None:
    """What waits for the others is on its way."""
    spooled(db, "main", 7)
    spooled(db, "old", 7, points=2)

    assert left_behind(db, ["main"]) == [f"old: {said_of_former('old', 2)}"]


# What is taken over


@pytest.mark.parametrize(
    ("waits", "dead", "known", "expected"),
    [
        ([], [], {}, False),
        (["old"], [], {}, True),
        ([], ["old"], {}, True),
        ([], [], {"old": 1}, True),
        (["other"], ["other"], {"other": 0}, False),
        ([], [], {"main": 1}, False),
        ([], [], {"main": 0}, True),
    ],
)
def test_what_is_taken_over_at_a_start(
    db: sqlite3.Connection,
    waits: list[str],
    dead: list[str],
    known: Mapping[str, int],
    *,
    expected: bool,
) -> None:
    """What the former name has left, and what the name itself has when it comes back."""
    for name in waits:
        spooled(db, name, 7)
    for name in dead:
        refused(db, name, 1)
    for name, configured in known.items():
        db.execute("INSERT INTO stores (name, configured) VALUES (?, ?)", (name, configured))

    assert needs_adoption(db, "main", "old") == expected
    assert needs_adoption(db, "main", None) == (known == {"main": 0})


def test_what_waits_for_several_is_taken_over_whole(db: sqlite3.Connection) -> None:
    """In the order in which it came, with the dead letters; what others have stays."""
    spooled(db, "main", 90, points=7, now=3.0)
    spooled(db, "old", 20, 10, points=2, now=2.0)
    spooled(db, "elder", 30, points=3, now=1.0)
    spooled(db, "gone", 40)
    for name, count in (("old", 2), ("elder", 3), ("gone", 4)):
        refused(db, name, count)
        save(db, name, FormerStore())

    found = adopt(db, "main", ["main", "old", "elder", "empty"])

    spooled_us = Contents(3, 7, len(b"at 20") * 3, 30, 1.0)
    assert found == Adopted(spooled=spooled_us, dead=5, kept_back=0)
    assert waiting(db) == {"main": [b"at 90", b"at 20", b"at 10", b"at 30"], "gone": [b"at 40"]}
    assert [deadletters.count(db, name) for name in ("main", "gone")] == [5, 4]
    assert names(db) == [("gone", 0), ("main", 1)]


def test_nothing_to_take_over_is_nothing(db: sqlite3.Connection) -> None:
    """A store may have gone with all of its points stored."""
    assert adopt(db, "main", ["old"]) == Adopted(spooled=Contents(), dead=0, kept_back=0)
    assert names(db) == [("main", 1)]


def test_what_may_be_older_than_what_is_stored_is_kept_back(db: sqlite3.Connection) -> None:
    """All from the mark on, of each store, the one that comes back included."""
    spooled(db, "old", 4, 5, 6, points=2)
    spooled(db, "main", 14, 15, points=3)
    save(db, "old", FormerStore(mark_us=5))
    save(db, "main", FormerStore(mark_us=15))

    found = adopt(db, "main", ["main", "old"])

    assert (found.spooled.points, found.kept_back) == (2, 7)
    assert waiting(db) == {
        "old@older": [b"at 5", b"at 6"],
        "main@older": [b"at 15"],
        "main": [b"at 4", b"at 14"],
    }


def test_a_mark_of_a_store_that_is_configured_is_over(db: sqlite3.Connection) -> None:
    """It came back since, and took over what waited."""
    spooled(db, "old", 5)
    save(db, "old", FormerStore(mark_us=5))
    db.execute("UPDATE stores SET configured = 1")

    assert adopt(db, "main", ["old"]).kept_back == 0


def test_a_damaged_mark_keeps_everything_back(db: sqlite3.Connection) -> None:
    """Whatever was sent since may be newer, also that from before 1970."""
    spooled(db, "old", -5, 5)
    save(db, "old", FormerStore())
    db.execute("UPDATE stores SET mark_us = 'text'")

    assert adopt(db, "main", ["old"]).kept_back == 2


def test_an_operator_may_have_all_of_it_taken_over(db: sqlite3.Connection) -> None:
    """Whoever knows that nothing newer was sent has it overwritten."""
    spooled(db, "old", 4, 5)
    save(db, "old", FormerStore(mark_us=5))

    found = adopt(db, "main", ["old"], overwrite=True)

    assert (found.spooled.points, found.kept_back) == (2, 0)
    assert waiting(db) == {"main": [b"at 4", b"at 5"]}


def test_what_waits_for_a_former_store_is_dropped(db: sqlite3.Connection) -> None:
    """Only its own."""
    spooled(db, "old", 4, 5, points=2)
    spooled(db, "main", 4)
    save(db, "old", FormerStore())
    save(db, "other", FormerStore())

    assert drop(db, "old") == 4
    assert waiting(db) == {"main": [b"at 4"]}
    assert names(db) == [("other", 0)]


def test_the_first_body_is_the_one_that_waited_longest(db: sqlite3.Connection) -> None:
    """It shows for which kind of store the others were made."""
    spooled(db, "main", 1)
    spooled(db, "old", 3, 2)

    assert first_body(db, "old") == b"at 3"
    assert first_body(db, "none") is None


# While the daemon runs


async def test_a_store_that_goes_is_noted_once_its_points_are_spooled(database: Database) -> None:
    """From the beginning what its successor is sent moves the mark, in memory and on disk."""
    stores = FormerStores(database)
    await stores.remember({"old": None, "other": None})
    stores.removed("old", ["other"])
    await database.write(lambda db: spooled(db, "old", 7))
    await stores.note("new", 9)
    await stores.ended("old")
    marks = [await noted(database)]
    for store, first_us in (("new", 8), ("other", 1), ("new", 5), ("new", 6), ("new", 4)):
        await stores.note(store, first_us)
        marks.append(await noted(database))

    beside = frozenset({"old", "other"})
    assert marks == [
        FormerStore(beside=beside, mark_us=mark, horizon_us=7) for mark in (9, 9, 9, 5, 5, 4)
    ]


async def noted(database: Database) -> FormerStore:
    """Return what is on disk of the store that has gone."""
    return await database.read(lambda db: read(db, "old"))


async def test_what_is_later_than_all_that_waits_moves_no_mark(database: Database) -> None:
    """The spool's horizon is known once its own delivery has ended."""
    stores = FormerStores(database)
    stores.removed("old", [])
    await database.write(lambda db: spooled(db, "old", 7))
    await stores.ended("old")
    await stores.note("new", 8)

    assert (await noted(database)).mark_us is None


async def test_a_store_that_goes_and_leaves_nothing_is_forgotten(database: Database) -> None:
    """Nothing that comes later could correct anything of it."""
    stores = FormerStores(database)
    await stores.remember({"old": None})
    stores.removed("old", [])
    await stores.ended("old")
    await stores.note("new", 1)

    assert await database.read(names) == []


async def test_a_store_that_came_back_is_not_noted(database: Database) -> None:
    """Neither its end nor what the others are sent."""
    stores = FormerStores(database)
    await stores.remember({"old": None})
    await database.write(lambda db: spooled(db, "old", 7))
    stores.removed("old", [])
    stores.forget("old")
    stores.forget("old")
    await stores.ended("old")
    await stores.note("new", 1)

    assert await database.read(names) == [("old", 1)]


@pytest.mark.slow  # a small disk is filled
async def test_a_full_disk_lets_the_marks_move(small_disk: Path) -> None:
    """Nothing is sent before its mark is on disk, and the room that is needed is kept for it."""
    ballast = Ballast(small_disk / "ballast", size=8 << 20)
    ballast.make()
    async with await Database.open(small_disk / "state.db", ballast=ballast) as database:
        await database.write(lambda db: spooled(db, "old", 7))
        fill(small_disk)
        stores = FormerStores(database)
        await stores.remember({"new": None})
        await stores.note("new", 5)

        assert (await noted(database)).mark_us == 5
