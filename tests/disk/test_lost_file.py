"""What is acknowledged is found by a restart, also when the file is taken away."""

import errno
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ingestd.disk.database import Database
from ingestd.disk.ownfile import diagnosed
from ingestd.errors import DiskFull, StateError
from tests.support.disk import fill


def put(db: sqlite3.Connection) -> None:
    """Write a row."""
    db.execute(
        "INSERT INTO damaged (at, table_name, key, payload, error) VALUES (0, 't', 'k', x'', '')"
    )


def delete_file(state: Path) -> None:
    """Delete the database alone."""
    (state / "state.db").unlink()


def delete_folder(state: Path) -> None:
    """Delete everything."""
    shutil.rmtree(state)


def delete_journal(state: Path) -> None:
    """Delete the journal alone."""
    (state / "state.db-wal").unlink()


def cut_journal(state: Path) -> None:
    """Cut the journal to nothing."""
    os.truncate(state / "state.db-wal", 0)


def replace_file(state: Path) -> None:
    """Put a copy in its place, as a restored backup would be."""
    shutil.copy(state / "state.db", state / "copy")
    (state / "copy").replace(state / "state.db")


@pytest.mark.parametrize(
    "harm", [delete_file, delete_folder, delete_journal, cut_journal, replace_file]
)
async def test_what_cannot_be_found_again_is_not_acknowledged(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    """The next write fails, and says what to do."""
    state = tmp_path / "state"
    state.mkdir()
    async with await Database.open(state / "state.db") as database:
        await database.write(put)
        harm(state)

        with pytest.raises(StateError, match="restart ingestd") as caught:
            await database.write(put)
        assert not isinstance(caught.value, DiskFull)


async def test_a_file_that_comes_back_is_written_again(tmp_path: Path) -> None:
    """Moving a folder away and back ends by itself."""
    state = tmp_path / "state"
    state.mkdir()
    async with await Database.open(state / "state.db") as database:
        await database.write(put)
        state.rename(tmp_path / "away")
        with pytest.raises(StateError, match=os.strerror(errno.ENOENT)):
            await database.write(put)
        (tmp_path / "away").rename(state)

        await database.write(put)


def test_a_read_only_disk_is_not_called_full(small_disk: Path) -> None:
    """SQLite tells both alike; making room would not help."""
    path, full = small_disk / "state.db", DiskFull("no room")
    assert diagnosed(path, full) is full
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)

    error = diagnosed(path, full)

    assert not isinstance(error, DiskFull)
    assert "Read-only file system" in str(error)


def test_a_full_disk_is_called_full(small_disk: Path) -> None:
    """Room is what it needs."""
    fill(small_disk)
    full = DiskFull("no room")

    assert diagnosed(small_disk / "state.db", full) is full
