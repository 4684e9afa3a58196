"""``files`` follows what is added to files, through rotation of any kind."""

import gzip
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

import pytest

from ingestd.plugins import files
from ingestd.testing import TestContext, context, results
from tests.support.filesplugin import FilesRuns, hour, lines


@pytest.fixture
async def ctx() -> AsyncIterator[TestContext]:
    """Give the context of some runs."""
    async with context(collector="logs") as ctx:
        yield ctx


@pytest.fixture
def runs(tmp_path: Path, ctx: TestContext) -> FilesRuns:
    """Give runs over a folder of logs."""
    folder = tmp_path / "logs"
    folder.mkdir()
    return FilesRuns(folder, ctx, path=f"{folder}/log.csv", follow=True)


async def test_what_is_added_is_read(runs: FilesRuns) -> None:
    """Each line once."""
    runs.write("log.csv", 1, 2)

    assert await runs.run() == [(hour(0), "kwh", 1.0), (hour(1), "kwh", 2.0)]
    runs.add("log.csv", 3, start=2)
    assert await runs.run() == [(hour(2), "kwh", 3.0)]
    assert await runs.run() == []


@pytest.mark.parametrize("cut", range(1, 26))
async def test_a_line_without_an_end_is_left(runs: FilesRuns, cut: int) -> None:
    """However much of it is there; it would be read as another value."""
    runs.write("log.csv", 1)
    line = lines(21.5, start=1)
    log = runs.folder / "log.csv"
    with log.open("a") as file:
        file.write(line[:cut])

    assert await runs.values() == ([1] if cut < len(line) else [1, 21.5])
    with log.open("a") as file:
        file.write(line[cut:])
    assert await runs.values() == ([21.5] if cut < len(line) else [])


async def test_a_header_that_is_half_written_is_left(runs: FilesRuns) -> None:
    """The file may be looked at while it begins."""
    log = runs.folder / "log.csv"
    log.write_text("time,k")

    assert await runs.run() == []
    log.write_text("time,kwh\n")
    assert await runs.run() == []
    runs.add("log.csv", 1, start=0)
    assert await runs.values() == [1]


def renamed(folder: Path) -> None:
    """Rotate as logrotate does by default."""
    (folder / "log.csv").rename(folder / "log.csv.1")


def copied_and_cut(folder: Path) -> None:
    """Rotate as logrotate does with ``copytruncate``."""
    shutil.copy(folder / "log.csv", folder / "log.csv.1")
    os.truncate(folder / "log.csv", 0)


def packed(folder: Path) -> None:
    """Rotate as logrotate does with ``compress``."""
    data = (folder / "log.csv").read_bytes()
    (folder / "log.csv.1.gz").write_bytes(gzip.compress(data))
    (folder / "log.csv").unlink()


def dated(folder: Path) -> None:
    """Rotate as logrotate does with ``dateext`` and ``extension .csv``."""
    (folder / "log.csv").rename(folder / "log-20260701.csv")


ROTATIONS = [renamed, copied_and_cut, packed, dated]


@pytest.mark.parametrize("rotate", ROTATIONS)
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("again", [False, True])
async def test_rotation_loses_and_repeats_nothing(
    runs: FilesRuns, rotate: Callable[[Path], None], *, wide: bool, again: bool
) -> None:
    """What was added before it is read, whether or not the path fits the old file, too."""
    if wide:
        runs.params["path"] = f"{runs.folder}/log*"
    runs.write("log.csv", 1, 2)
    assert await runs.values() == [1, 2]
    runs.add("log.csv", 3, start=2)
    rotate(runs.folder)
    if again:
        runs.write("log.csv", 4, 5, start=3)

    assert await runs.values() == ([3, 4, 5] if again else [3])
    assert await runs.values() == []


async def test_a_file_that_was_cut_and_has_grown_again_is_read_from_its_beginning(
    runs: FilesRuns,
) -> None:
    """It is longer than before, but what lies before the position is not the same."""
    runs.write("log.csv", 1, 2)
    await runs.run()
    runs.write("log.csv", 5, 6, 7, 8)

    assert await runs.values() == [5, 6, 7, 8]


async def test_a_writer_that_goes_on_in_the_renamed_file_is_followed(runs: FilesRuns) -> None:
    """It has the file open until it is told."""
    runs.write("log.csv", 1)
    with (runs.folder / "log.csv").open("a") as log:
        await runs.run()
        renamed(runs.folder)
        assert await runs.run() == []
        log.write(lines(2, start=1))
        log.flush()
        assert await runs.values() == [2]
        runs.write("log.csv", 4, start=3)
        log.write(lines(3, start=2))
        log.flush()

        assert sorted(await runs.values()) == [3, 4]


async def test_series_keep_the_name_that_the_file_had(runs: FilesRuns) -> None:
    """A renamed file is still the log of the same meter."""
    runs.params |= {"path": f"{runs.folder}/{{meter}}.csv", "values": {"{meter}_{file}": "kwh"}}
    runs.write("m7.csv", 1)
    await runs.run()
    runs.add("m7.csv", 2, start=1)
    (runs.folder / "m7.csv").rename(runs.folder / "m7.old.csv")

    assert {series for _, series, _ in await runs.run()} == {"m7_m7"}


async def test_a_last_line_without_an_end_is_read_once_the_file_is_renamed(
    runs: FilesRuns,
) -> None:
    """Nothing is added any more."""
    runs.write("log.csv", 1)
    with (runs.folder / "log.csv").open("a") as log:
        log.write(lines(2, start=1).rstrip())
    assert await runs.values() == [1]
    renamed(runs.folder)

    assert await runs.values() == [2]
    assert await runs.values() == []


async def test_a_last_line_without_an_end_is_read_after_a_day(runs: FilesRuns) -> None:
    """Files of a day each may end like that."""
    runs.write("log.csv", 1)
    with (runs.folder / "log.csv").open("a") as log:
        log.write(lines(2, start=1).rstrip())
    assert await runs.values() == [1]
    runs.ctx.time = runs.ctx.now() + timedelta(days=1, minutes=1)

    assert await runs.values() == [2]


async def test_many_files_are_followed_at_once(runs: FilesRuns) -> None:
    """Each has a position of its own."""
    runs.params["path"] = f"{runs.folder}/*.csv"
    for number in range(50):
        runs.write(f"m{number}.csv", number)
    assert sorted(await runs.values()) == list(range(50))
    for number in range(0, 50, 7):
        runs.add(f"m{number}.csv", 100 + number, start=1)

    assert sorted(await runs.values()) == [100 + number for number in range(0, 50, 7)]


async def test_two_files_of_the_same_beginning_are_told_apart(runs: FilesRuns) -> None:
    """Their names and numbers tell, where their contents do not."""
    runs.params |= {"path": f"{runs.folder}/{{meter}}.csv", "values": {"{meter}": "kwh"}}
    runs.write("m1.csv", 1)
    runs.write("m2.csv", 1)
    assert len(await runs.run()) == 2
    runs.add("m2.csv", 2, start=1)

    assert [series for _, series, _ in await runs.run()] == ["m2"]
    runs.add("m1.csv", 2, start=1)
    assert [series for _, series, _ in await runs.run()] == ["m1"]


async def test_a_run_that_is_cut_off_goes_on_where_it_was(runs: FilesRuns) -> None:
    """Each result has the position behind it."""
    text = "".join(f"2026-07-01T00:00:{at % 60:02}Z,{at}\n" for at in range(20_000))
    (runs.folder / "log.csv").write_text("time,kwh\n" + text)
    read = len(await runs.cut_off())

    assert 0 < read < 20_000
    assert await runs.values() == list(range(read, 20_000))


async def test_a_file_that_is_cut_and_grows_while_it_is_read_loses_nothing(
    runs: FilesRuns,
) -> None:
    """What stands at a position, and before it, is of another file a moment later."""
    runs.params["path"] = f"{runs.folder}/log*"

    def text(begin: int, size: int) -> str:
        numbers = range(begin, begin + size)
        return "time,kwh\n" + "".join(f"2026-07-01T00:00:{at % 60:02}Z,{at}\n" for at in numbers)

    (runs.folder / "log.csv").write_text(text(0, 20_000))
    found: list[float] = []
    async with aclosing(results(files.run, ctx=runs.ctx, **runs.params)) as given:
        first = await anext(given)
        copied_and_cut(runs.folder)
        (runs.folder / "log.csv").write_text(text(20_000, 25_000))
        async for each in given:
            found += [value for _, _, value in each["readings"]]
            runs.remember(each)
    found += [value for _, _, value in first["readings"]]

    found += [*await runs.values(), *await runs.values()]
    assert set(found) == set(range(45_000))


async def test_a_position_waits_for_the_first_usable_reading(runs: FilesRuns) -> None:
    """With wrong params nothing is passed; mended, they read all of it."""
    (runs.folder / "log.csv").write_text("time,kwh\n01.07.2026 02:00,5\n")

    assert len(await runs.run()) == len(await runs.run()) == 1
    assert "expected readings, got none that can be used; the first: time: " in runs.problems[0]
    runs.params |= {"time_format": "%d.%m.%Y %H:%M", "timezone": "UTC"}
    assert await runs.run() == [(hour(2), "kwh", 5.0)]
    assert await runs.run() == []


async def test_a_line_that_is_damaged_costs_no_other(runs: FilesRuns) -> None:
    """As after a power cut; the position passes it."""
    runs.write("log.csv", 1)
    await runs.run()
    with (runs.folder / "log.csv").open("ab") as log:
        log.write(b"\0\0\0\xff\xfe\n" + lines(2, start=1).encode())

    assert 2 in await runs.values()
    assert await runs.run() == []


@pytest.mark.parametrize("charset", ["utf-8", "cp1252", "utf-16-le", "utf-16"])
async def test_lines_are_read_in_any_encoding(runs: FilesRuns, charset: str) -> None:
    """Two bytes may make a letter, and a line's end."""
    runs.params |= {"charset": charset, "time": "Zeit", "values": {"kwh": '"Zähler"'}}
    log = runs.folder / "log.csv"
    log.write_bytes("Zeit,Zähler\n2026-07-01T00:00Z,1\n2026-07-01T01:00Z,2".encode(charset))

    assert await runs.values() == [1]
    with log.open("ab") as file:
        file.write("\n2026-07-01T02:00Z,3\n".encode(charset.replace("utf-16", "utf-16-le")[:9]))
    assert await runs.values() == [2, 3]


async def test_a_line_break_within_quotes_ends_no_line(runs: FilesRuns) -> None:
    """Even where the file is looked at in the middle of such a field."""
    log = runs.folder / "log.csv"
    log.write_text('time,note,kwh\n2026-07-01T00:00Z,"a\n')

    assert await runs.values() == []
    with log.open("a") as file:
        file.write('b",1\n2026-07-01T01:00Z,c,2\n')
    assert await runs.values() == [1, 2]


async def test_ndjson_and_line_protocol_are_followed(runs: FilesRuns) -> None:
    """They need no header."""
    runs.params["path"] = f"{runs.folder}/*"
    (runs.folder / "a.log").write_text('{"time": "2026-07-01T00:00:00Z", "kwh": 1}\n{"time"')

    assert await runs.values() == [1]
    with (runs.folder / "a.log").open("a") as file:
        file.write(': "2026-07-01T01:00:00Z", "kwh": 2}\n')
    assert await runs.values() == [2]


NIGHT = [("01:30", 0), ("02:00", 1), ("02:30", 2), ("02:00", 3), ("02:30", 4), ("03:00", 5)]
BEGIN = 1792884600.0  # 2026-10-25 01:30 in Berlin


@pytest.mark.parametrize("cut", range(1, len(NIGHT)))
async def test_the_hour_that_comes_twice_is_told_by_the_lines_before(
    runs: FilesRuns, cut: int
) -> None:
    """Also by those that another run has read."""
    runs.params |= {"timezone": "Europe/Berlin"}
    rows = [f"2026-10-25 {clock},{value}\n" for clock, value in NIGHT]
    log = runs.folder / "log.csv"
    log.write_text("time,kwh\n" + "".join(rows[:cut]))
    runs.ctx.time = runs.ctx.now().replace(year=2026, month=12, day=1)
    first = await runs.run()
    with log.open("a") as file:
        file.write("".join(rows[cut:]))

    found = [*first, *await runs.run()]
    assert found == [(BEGIN + 1800 * at, "kwh", float(at)) for at in range(len(NIGHT))]


async def test_files_that_have_gone_are_forgotten_after_a_day(runs: FilesRuns) -> None:
    """The state does not grow for ever."""
    runs.params["path"] = f"{runs.folder}/*.csv"
    runs.write("a.csv", 1)
    await runs.run()
    (runs.folder / "a.csv").unlink()
    await runs.run()
    assert len(runs.state["positions"]) == 1
    runs.ctx.time = runs.ctx.now() + timedelta(days=1, minutes=1)
    await runs.run()

    assert runs.state["positions"] == []
