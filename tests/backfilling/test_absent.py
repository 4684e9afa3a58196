"""What a source does not have is kept in the state database, bounded, and looked up by holes."""

import sqlite3
from pathlib import Path

import pytest

from ingestd.backfilling import absent
from ingestd.backfilling.absent import Absence, Absences
from ingestd.backfilling.gaps import Hole
from ingestd.disk.database import Database
from ingestd.disk.schema import MIGRATIONS

TAGS = (("meter", "Library"),)
GAP = Absence("level", TAGS, 1_000, 9_000, 5.0)
BEFORE = next(at for at, each in enumerate(MIGRATIONS) if "CREATE TABLE absent" in each)


async def test_database_of_an_earlier_version_gets_the_table(tmp_path: Path) -> None:
    """What was in it stays."""
    path = tmp_path / "state.db"
    async with await Database.open(path, migrations=MIGRATIONS[:BEFORE]) as database:
        await database.write(
            lambda db: db.execute("INSERT INTO series VALUES ('m', 'a', '[]', 1, 2, 3, 4)")
        )

    for _ in range(2):
        async with await Database.open(path) as database:
            await database.write(lambda db: absent.insert(db, "m", [GAP]))
            found = await database.read(lambda db: absent.listed(db, "m"))
            others = await database.read(lambda db: absent.listed(db, "n"))
            series = await database.read(lambda db: db.execute("SELECT * FROM series").fetchall())

    assert (found, others, len(series)) == ([GAP], [], 1)


@pytest.mark.parametrize(
    ("after_us", "end_us", "known"),
    [
        (1_000, 9_000, True),
        (2_000, 3_000, True),  # a part that is left when another was delivered late
        (999, 9_000, False),
        (8_000, 9_001, False),
    ],
)
def test_hole_is_known_if_it_lies_in_one_that_was_asked_for(
    after_us: int, end_us: int, *, known: bool
) -> None:
    """Holes of other series are not."""
    hole = Hole(after_us, after_us, end_us, 1, 1_000)

    assert Absences([GAP]).has("level", TAGS, hole) == known
    assert not Absences([GAP]).has("level", (), hole)
    assert not Absences([GAP]).has("flow", TAGS, hole)


def test_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A campus of meters that come and go does not fill the disk; other collectors lose nothing."""
    monkeypatch.setattr(absent, "MOST", 3)
    db = sqlite3.connect(":memory:")
    db.executescript(MIGRATIONS[BEFORE])
    absent.insert(db, "other", [GAP])

    for number in range(6):
        absent.insert(db, "m", [Absence("level", (), number, number + 1, float(number))])

    assert [each.after_us for each in absent.listed(db, "m")] == [3, 4, 5]
    assert absent.listed(db, "other") == [GAP]
