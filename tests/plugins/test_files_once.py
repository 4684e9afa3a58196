"""``files`` takes in exports: each content once, whatever becomes of its file."""

import gzip
import os
import zipfile
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from ingestd.plugins import files
from ingestd.testing import TestContext, context, results
from tests.support.filesplugin import FilesRuns, hour, lines


@pytest.fixture
async def ctx() -> AsyncIterator[TestContext]:
    """Give the context of some runs."""
    async with context(collector="exports") as ctx:
        yield ctx


@pytest.fixture
def runs(tmp_path: Path, ctx: TestContext) -> FilesRuns:
    """Give runs over a folder of files."""
    folder = tmp_path / "in"
    folder.mkdir()
    return FilesRuns(folder, ctx)


async def test_a_file_is_read_once(runs: FilesRuns) -> None:
    """The second run has nothing new."""
    runs.write("a.csv", 1, 2)

    assert await runs.run() == [(hour(0), "kwh", 1.0), (hour(1), "kwh", 2.0)]
    assert await runs.run() == []


@pytest.mark.parametrize("how", ["rename", "copy", "touch", "upload"])
async def test_a_content_is_read_once_whatever_its_file_is_called(
    runs: FilesRuns, how: str
) -> None:
    """A hash of the content tells, also when the first file has long gone."""
    first = runs.write("a.csv", 1, 2)
    await runs.run()
    match how:
        case "rename":
            first.rename(runs.folder / "b.csv")
        case "copy":
            (runs.folder / "b.csv").write_bytes(first.read_bytes())
        case "touch":
            os.utime(first, (1, 1))
        case _:
            first.unlink()
            await runs.run()
            runs.write("c.csv", 1, 2)

    assert await runs.run() == []
    assert await runs.run() == []


async def test_a_file_that_has_changed_is_read_as_a_whole(runs: FilesRuns) -> None:
    """An export may be corrected under the same name, even without becoming longer."""
    runs.write("a.csv", 1, 2)
    await runs.run()
    runs.write("a.csv", 1, 3)

    assert await runs.values() == [1, 3]


async def test_a_file_that_is_still_being_written_is_left(runs: FilesRuns) -> None:
    """So are those whose names say so."""
    runs.params["settle"] = "1h"
    for name in ("a.csv", "b.csv.part", ".c.csv", "d.tmp", "~$e.csv"):
        runs.write(name, 1)

    assert await runs.run() == []
    assert runs.ctx.notes == ["1 files were touched within 3600 s: later"]


async def test_names_that_are_ignored_can_be_chosen(runs: FilesRuns) -> None:
    """Instead of the usual ones."""
    runs.params["ignore"] = ["*.csv"]
    runs.write("a.csv", 1)
    runs.write("a.part", 2)

    assert await runs.values() == [2]


async def test_a_run_that_is_cut_off_goes_on_where_it_was(runs: FilesRuns) -> None:
    """Each result is a checkpoint within a large file."""
    text = "".join(f"2026-07-01T00:00:{at % 60:02}Z,{at}\n" for at in range(20_000))
    (runs.folder / "a.csv").write_text("time,kwh\n" + text)
    read = len(await runs.cut_off())

    assert 0 < read < 20_000
    assert await runs.values() == list(range(read, 20_000))


async def test_a_file_that_was_begun_and_has_changed_is_read_from_its_beginning(
    runs: FilesRuns,
) -> None:
    """A position means nothing in another content."""
    runs.write("a.csv", *[1.5] * 20)
    runs.state["reading"] = ["00" * 8, "11" * 8, 0, 100, True]

    assert len(await runs.run()) == 20


@pytest.mark.parametrize("after", ["move", "delete"])
async def test_a_file_leaves_when_its_readings_are_safe(
    runs: FilesRuns, after: str, tmp_path: Path
) -> None:
    """Not before: while no store has them, it stays."""
    runs.params |= {
        "after": after,
        **({"move_to": str(tmp_path / "done")} if after == "move" else {}),
    }
    path = runs.write("a.csv", 1)
    runs.ctx.safe.clear()
    async with aclosing(results(files.run, ctx=runs.ctx, **runs.params)) as found:
        runs.remember(await anext(found))
        assert path.exists()

    assert path.exists()
    runs.ctx.safe.set()
    assert await runs.values() == []
    assert not path.exists()
    assert (tmp_path / "done" / "a.csv").exists() == (after == "move")
    assert await runs.run() == []


async def test_a_dry_run_leaves_files_where_they_are(runs: FilesRuns) -> None:
    """It stores nothing."""
    runs.params |= {"after": "delete"}
    path = runs.write("a.csv", 1)
    runs.ctx.keeps = False

    assert await runs.values() == [1]
    assert await runs.values() == []
    assert path.exists()


async def test_a_file_that_was_known_when_the_daemon_started_leaves(
    runs: FilesRuns, tmp_path: Path
) -> None:
    """What is in the state on disk is safe; a kill may have come between that and the move."""
    path = runs.write("a.csv", 1)
    await runs.run()
    runs.params |= {"after": "delete"}
    async with context(collector="exports") as runs.ctx:
        assert await runs.run() == []

    assert not path.exists()


async def test_moved_files_keep_their_folders_and_replace_none(
    runs: FilesRuns, tmp_path: Path
) -> None:
    """A device may call each of its exports the same."""
    done = tmp_path / "done"
    runs.params |= {"path": f"{runs.folder}/*/*.csv", "after": "move", "move_to": str(done)}
    (runs.folder / "m1").mkdir()
    for value in (1, 2, 3):
        runs.write("m1/export.csv", value)
        await runs.run()

    moved = {path.relative_to(done).as_posix() for path in done.rglob("*.csv")}
    assert moved == {"m1/export.csv", "again-2/m1/export.csv", "again-3/m1/export.csv"}


async def test_parts_of_paths_name_series(runs: FilesRuns) -> None:
    """Also in tags, and in times that are told in two places."""
    runs.params |= {
        "path": f"{runs.folder}/{{site}}/{{day}}_*.csv",
        "time": "{day} {clock}",
        "timezone": "UTC",
        "values": {"{site}_{file}": "kwh"},
        "tags": {"site": "{site}"},
    }
    (runs.folder / "attic").mkdir()
    (runs.folder / "attic" / "2026-07-01_x.csv").write_text("clock,kwh\n01:00,1\n24:00,2\n")

    series, tags = "attic_2026-07-01_x", {"site": "attic"}
    assert await runs.run() == [(hour(1), series, 1.0, tags), (hour(24), series, 2.0, tags)]


async def test_packed_files_are_read(runs: FilesRuns) -> None:
    """A zip may have several, and others beside them."""
    (runs.folder / "a.csv.gz").write_bytes(gzip.compress(b"time,kwh\n" + lines(1).encode()))
    with zipfile.ZipFile(runs.folder / "b.zip", "w") as archive:
        archive.writestr("README.txt", "read me")
        archive.writestr("x.csv", "time,kwh\n" + lines(2, start=1))
        archive.writestr("y.csv", "time,kwh\n" + lines(3, start=2))

    assert sorted(await runs.values()) == [1, 2, 3]


@pytest.mark.parametrize("size", [10, -10])
async def test_a_broken_gzip_costs_no_other_file(runs: FilesRuns, size: int) -> None:
    """It is told in each run until it is mended, and read then."""
    whole = gzip.compress(b"time,kwh\n" + lines(*[1] * 20).encode())
    (runs.folder / "a.csv.gz").write_bytes(whole[:size])
    runs.write("b.csv", 2)

    assert 2 in await runs.values()
    (first,) = runs.problems
    assert await runs.run() == []
    assert runs.problems == [first]
    assert "a.csv.gz: expected a whole gzip or zip file" in first
    (runs.folder / "a.csv.gz").write_bytes(whole)
    assert await runs.values() == [1] * 20
    assert runs.problems == []


async def test_a_file_without_a_usable_reading_is_not_taken_for_read(
    runs: FilesRuns, tmp_path: Path
) -> None:
    """With wrong params a whole folder would be gone, and nothing stored."""
    runs.params |= {"after": "delete"}
    (runs.folder / "a.csv").write_text("time,kwh\n01.07.2026 02:00,5\n")

    assert [value for _, _, value in await runs.run()] == [5]  # for the daemon to count
    assert "expected readings, got none that can be used; the first: time: " in runs.problems[0]
    assert await runs.run() == []  # not again with the same params
    assert runs.problems
    runs.params |= {"time_format": "%d.%m.%Y %H:%M", "timezone": "UTC"}
    assert await runs.run() == [(hour(2), "kwh", 5.0)]
    assert list(runs.folder.iterdir()) == []


@pytest.mark.parametrize("name", ["kwh", "Zähler (kWh)"])
async def test_a_file_without_values_is_read(runs: FilesRuns, name: str) -> None:
    """A sensor was off all day: its cells are empty."""
    runs.params["values"] = {"kwh": f'"{name}"'}
    (runs.folder / "a.csv").write_text(f"time,{name}\n2026-07-01T00:00:00Z,\n")

    assert await runs.run() == [(hour(0), "kwh", None)]
    assert runs.problems == []
    assert await runs.run() == []


@pytest.mark.parametrize("name", ["kw", "Zähler (kWh)"])
async def test_a_file_without_the_column_is_not_taken_for_read(runs: FilesRuns, name: str) -> None:
    """The name may be misspelt."""
    runs.params["values"] = {"kwh": f'"{name}"'}
    runs.write("a.csv", 1)

    await runs.run()
    assert "the first: kwh: expected a number, got None" in runs.problems[0]


async def test_an_empty_file_is_no_fault(runs: FilesRuns) -> None:
    """Nor is a header alone: there is nothing yet."""
    (runs.folder / "a.csv").touch()
    runs.write("b.csv")

    assert await runs.run() == []
    assert runs.problems == []


async def test_a_folder_that_is_not_there_fails_the_run(runs: FilesRuns) -> None:
    """The disk may not be mounted; nothing is forgotten for that."""
    runs.write("a.csv", 1)
    await runs.run()
    runs.folder.rename(runs.folder.with_name("away"))

    with pytest.raises(OSError, match="in: expected a folder that is there, got none"):
        await runs.run()
    runs.folder.with_name("away").rename(runs.folder)
    assert await runs.run() == []


async def test_pipes_and_folders_are_no_files(runs: FilesRuns) -> None:
    """A pipe would be waited for."""
    os.mkfifo(runs.folder / "a.csv")
    (runs.folder / "b.csv").mkdir()
    (runs.folder / "c.csv").symlink_to("/dev/zero")

    assert await runs.run() == []


async def test_state_of_another_kind_is_left_aside(runs: FilesRuns) -> None:
    """Whoever edits it has files read again, and no failure."""
    runs.write("a.csv", 1)
    runs.state = {"read": "x", "earlier": 5, "reading": {}, "refused": None, "positions": "no"}

    assert await runs.values() == [1]


async def test_a_backfill_reads_files_anew(runs: FilesRuns, tmp_path: Path) -> None:
    """Those that were moved, too; what lies outside of the window is left out."""
    runs.params |= {"after": "move", "move_to": str(tmp_path / "done")}
    runs.write("a.csv", 1, 2, 3)
    await runs.run()
    runs.write("a.csv", 4, start=1)
    await runs.run()
    window: dict[str, Any] = {"start": at(1), "end": at(2)}

    assert await runs.run(**window) == [(hour(1), "kwh", 2.0), (hour(1), "kwh", 4.0)]


def at(number: int) -> Any:
    """Return an hour of the day as the daemon tells windows."""
    from datetime import UTC, datetime  # noqa: PLC0415

    return datetime.fromtimestamp(hour(number), UTC)
