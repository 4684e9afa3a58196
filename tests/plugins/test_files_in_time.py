"""Runs of ``files`` that have more to read than their time allows."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

import pytest

from ingestd.plugins import files
from ingestd.plugins.files import contents
from ingestd.testing import TestContext, context, results
from tests.support.filesplugin import FilesRuns

MANY: Final = 20_000  # lines, more than come in one result
PLENTY: Final = 100.0  # seconds


@pytest.fixture
async def ctx() -> AsyncIterator[TestContext]:
    """Give the context of some runs."""
    async with context(collector="exports") as ctx:
        yield ctx


@pytest.fixture(params=[True, False])
def runs(tmp_path: Path, ctx: TestContext, request: pytest.FixtureRequest) -> FilesRuns:
    """Give runs over a folder, of files that grow or come as a whole."""
    folder = tmp_path / "data"
    folder.mkdir()
    return FilesRuns(folder, ctx, path=f"{folder}/*.csv", follow=request.param)


def write(path: Path, first: int) -> None:
    """Write a file of many lines, each a second later than the one before."""
    path.write_text(
        "time,kwh\n" + "".join(f"{1_782_864_000 + n},{n}\n" for n in range(first, first + MANY))
    )


async def hurried(runs: FilesRuns, *, left: float) -> list[Any]:
    """Return the values of a run of which so much time is left after its first result."""
    runs.ctx.left = PLENTY
    found: list[Any] = []
    async with aclosing(
        results(files.run, ctx=runs.ctx, **runs.params, time_format="unix", **runs.state)
    ) as given:
        async for each in given:
            found += [value for _, _, value in each["readings"]]
            runs.remember(each)
            assert "script_error" not in each
            runs.ctx.left = left
    return found


@pytest.mark.parametrize("files_in_folder", [1, 2])
async def test_a_run_ends_in_time_and_the_next_goes_on(
    runs: FilesRuns, files_in_folder: int
) -> None:
    """Each value comes once; the record of a run says that there is more."""
    for number in range(files_in_folder):
        write(runs.folder / f"{number}.csv", number * MANY)
    found: list[Any] = []
    parts = 0
    while len(found) < files_in_folder * MANY:
        part = await hurried(runs, left=PLENTY / 10)
        assert 0 < len(part) < MANY
        found += part
        parts += 1

    assert sorted(found) == list(range(files_in_folder * MANY))
    assert parts > files_in_folder
    assert runs.ctx.notes[0].endswith(
        "0.csv: not read to its end, for lack of time; the next run goes on"
    )
    assert await hurried(runs, left=PLENTY) == []


async def test_a_run_that_has_time_reads_all(runs: FilesRuns) -> None:
    """And says nothing."""
    write(runs.folder / "0.csv", 0)

    assert await hurried(runs, left=PLENTY / 2) == list(range(MANY))
    assert runs.ctx.notes == []


async def test_a_run_gives_something_however_little_time_is_left(runs: FilesRuns) -> None:
    """As after a look at all that there is; or it would never get further."""
    write(runs.folder / "0.csv", 0)
    first = await runs_with_nothing_left(runs)
    second = await runs_with_nothing_left(runs)

    assert first
    assert second[0] == first[-1] + 1


async def runs_with_nothing_left(runs: FilesRuns) -> list[Any]:
    """Return the values of a run that has hardly any time from its first moment on."""
    lefts = iter([PLENTY])
    runs.ctx.time_left = lambda: next(lefts, 0.0)  # type: ignore[method-assign]
    runs.params["time_format"] = "unix"
    return await runs.values()


async def test_looking_through_a_file_may_take_several_runs(
    tmp_path: Path, ctx: TestContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is looked at twice; a copy is known by the same content, however it was found."""
    monkeypatch.setattr(contents, "PIECE", 4096)
    folder = tmp_path / "data"
    folder.mkdir()
    runs = FilesRuns(folder, ctx, path=f"{folder}/*.csv", time_format="unix")
    write(folder / "0.csv", 0)
    size, places = (folder / "0.csv").stat().st_size, []
    while not (found := await runs_with_nothing_left(runs)):
        places.append(runs.state["looked"][1])
    ctx.time_left = lambda: None  # type: ignore[method-assign]
    found += await runs.values()
    shutil.copy(folder / "0.csv", folder / "copy.csv")

    assert places == list(range(4096, size, 4096))
    assert found == list(range(MANY))
    assert await runs.values() == []


async def test_a_file_that_is_half_looked_through_goes_before_older_ones(
    tmp_path: Path, ctx: TestContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or copies that keep their old times could hold it up for ever."""
    monkeypatch.setattr(contents, "PIECE", 4096)
    runs = FilesRuns(tmp_path, ctx, path=f"{tmp_path}/*.csv", time_format="unix")
    write(tmp_path / "0.csv", 0)
    await runs_with_nothing_left(runs)
    look = runs.state["looked"][0]
    write(tmp_path / "old.csv", MANY)
    os.utime(tmp_path / "old.csv", (0, 0))
    await runs_with_nothing_left(runs)

    assert runs.state["looked"][:2] == [look, 2 * 4096]


async def test_a_file_that_changes_while_it_is_looked_through_is_looked_at_anew(
    tmp_path: Path, ctx: TestContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was found of the old one says nothing of the new one."""
    monkeypatch.setattr(contents, "PIECE", 4096)
    folder = tmp_path / "data"
    folder.mkdir()
    runs = FilesRuns(folder, ctx, path=f"{folder}/*.csv", time_format="unix")
    write(folder / "0.csv", 0)
    assert await runs_with_nothing_left(runs) == []
    write(folder / "0.csv", 7 * MANY)
    ctx.time_left = lambda: None  # type: ignore[method-assign]

    assert await runs.values() == list(range(7 * MANY, 8 * MANY))
    assert runs.state["looked"] is None


async def test_a_file_without_a_usable_reading_is_refused_however_its_runs_are_cut(
    tmp_path: Path, ctx: TestContext
) -> None:
    """Also behind its last line; as read it might be moved away."""
    runs = FilesRuns(tmp_path, ctx, path=f"{tmp_path}/*.csv", time_format="unix")
    (tmp_path / "0.csv").write_text("time,kwh\n1782864000,broken\n")
    assert await runs_with_nothing_left(runs) == ["broken"]
    ctx.time_left = lambda: None  # type: ignore[method-assign]

    assert await runs.values() == []

    assert runs.state["refused"].keys() == {str(tmp_path / "0.csv")}
