"""What is noted of stores that have gone."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ingestd.delivery import spool
from ingestd.delivery.former import FormerStore, remembered
from ingestd.disk import MIGRATIONS, Database
from ingestd.disk.schema import open_writer
from ingestd.model import Body


async def test_a_database_from_before_knows_its_spool(tmp_path: Path) -> None:
    """What waited for a store then is that of a former store now, if the store has gone."""
    path = tmp_path / "state.db"
    with closing(open_writer(path, MIGRATIONS[:3])) as db:
        for name in ("old", "main"):
            spool.insert(db, name, Body(b"x", 1, 5, 7), droppable=False, now=1.0)

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


async def test_stores_are_noted_from_start_to_start(tmp_path: Path) -> None:
    """The ones beside it are those of the last start; one that left nothing is forgotten."""
    async with await Database.open(tmp_path / "state.db") as database:
        await database.write(lambda db: remembered(db, dict.fromkeys(["old", "empty", "main"])))
        body = Body(b"x", 1, 5, 7)
        await database.write(lambda db: spool.insert(db, "old", body, droppable=False, now=1.0))

        found = await database.write(lambda db: remembered(db, dict.fromkeys(["main", "new"])))
        again = await database.write(lambda db: remembered(db, dict.fromkeys(["main", "new"])))
        rows = await database.read(names)

    assert found == {"old": FormerStore(beside=frozenset({"empty", "main"}), horizon_us=7)}
    assert again == found
    assert rows == [("main", 1), ("new", 1), ("old", 0)]


def names(db: sqlite3.Connection) -> list[tuple[str, int]]:
    """Return the stores that are known, and whether they are configured."""
    return db.execute("SELECT name, configured FROM stores ORDER BY name").fetchall()
