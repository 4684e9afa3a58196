"""A state database of an earlier version is brought up to ours; a later one is left alone."""

from pathlib import Path

import pytest

from ingestd.disk.database import Database
from ingestd.disk.schema import MIGRATIONS
from ingestd.errors import StateError


async def test_migrations_run_once_and_in_order(tmp_path: Path) -> None:
    """A database of an older version is brought up to ours, with what is in it."""
    path = tmp_path / "state.db"
    steps = ["CREATE TABLE meta (a)", "ALTER TABLE meta ADD b", "UPDATE meta SET b = a + 1"]
    async with await Database.open(path, migrations=steps[:1]) as database:
        await database.write(lambda connection: connection.execute("INSERT INTO meta VALUES (1)"))

    for _ in range(2):
        async with await Database.open(path, migrations=steps) as database:
            rows = await database.read(lambda c: c.execute("SELECT * FROM meta").fetchall())

    assert rows == [(1, 2)]


async def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    """The version before is still whole, for the daemon before."""
    path = tmp_path / "state.db"
    good = ["CREATE TABLE meta (a)"]
    async with await Database.open(path, migrations=good):
        pass

    with pytest.raises(StateError, match="nonsense"):
        await Database.open(path, migrations=[*good, "DROP TABLE meta; SELECT nonsense"])

    async with await Database.open(path, migrations=good) as database:
        assert await database.read(lambda c: c.execute("SELECT * FROM meta").fetchall()) == []


async def test_a_later_version_is_refused(tmp_path: Path) -> None:
    """An older daemon does not touch what it cannot understand."""
    path = tmp_path / "state.db"
    async with await Database.open(path, migrations=[*MIGRATIONS, "CREATE TABLE later (a)"]):
        pass
    before = path.read_bytes()

    with pytest.raises(StateError, match="written by a later ingestd: expected schema version"):
        await Database.open(path)
    assert path.read_bytes() == before
