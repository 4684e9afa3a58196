"""``files`` reads on below headers that come in the midst of a file."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ingestd.testing import TestContext, context
from tests.support.filesplugin import FilesRuns, hour


@pytest.fixture
async def ctx() -> AsyncIterator[TestContext]:
    """Give the context of some runs."""
    async with context(collector="loggers") as ctx:
        yield ctx


@pytest.fixture(params=[True, False])
def runs(tmp_path: Path, ctx: TestContext, request: pytest.FixtureRequest) -> FilesRuns:
    """Give runs over a folder, of files that grow or come as a whole."""
    folder = tmp_path / "data"
    folder.mkdir()
    return FilesRuns(
        folder, ctx, path=f"{folder}/log.csv", follow=request.param,
        values={"kwh": "kwh", "celsius": "temp"},
    )  # fmt: skip


def at(number: int) -> str:
    """Return the time of a line as it is written."""
    return f"2026-07-01T{number:02}:00:00Z"


def put(runs: FilesRuns, *lines: str) -> None:
    """Add lines to the file."""
    with (runs.folder / "log.csv").open("a") as file:
        file.write("".join(f"{line}\n" for line in lines))


def usable(found: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return the readings that have a time and a value."""
    return [each for each in found if isinstance(each[0], int | float) and each[2] is not None]


CHANGES = {
    "the same again": ("time,kwh,temp", "{},2,21"),
    "other places": ("time,temp,kwh", "{},21,2"),
    "more columns": ("time,battery,kwh,rssi,temp", "{},12.5,2,-70,21"),
    "fewer columns": ("time,kwh", "{},2"),
    "the time elsewhere": ("temp,kwh,time", "21,2,{}"),
    "a number in a name": ("time,2nd floor,kwh,temp", "{},5,2,21"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("rows", [1, 20])
async def test_columns_below_a_later_header_are_read_by_it(
    runs: FilesRuns, change: str, rows: int
) -> None:
    """A logger was restarted with another program; what stood above is read as it was meant."""
    header, line = CHANGES[change]
    put(runs, "time,kwh,temp", f"{at(0)},1,20", f"{at(1)},1,20", header)
    put(runs, *(line.format(at(2 + each)) for each in range(rows)))

    found = usable(await runs.run())

    above = [(hour(n), name, value) for n in (0, 1) for name, value in _named(1, 20)]
    below = [(hour(2 + n), *each) for n in range(rows) for each in _named(2, 21)]
    if change == "fewer columns":
        below = [each for each in below if each[1] == "kwh"]
    assert found == above + below
    assert runs.problems == []


def _named(kwh: float, celsius: float) -> list[tuple[str, float]]:
    return [("kwh", kwh), ("celsius", celsius)]


async def test_a_later_header_counts_in_the_runs_that_follow(runs: FilesRuns) -> None:
    """Lines are added below it; the file is not read from its beginning to find it."""
    runs.params["follow"] = True
    put(runs, "time,kwh,temp", f"{at(0)},1,20", "time,temp,kwh", f"{at(1)},21,2")
    assert len(usable(await runs.run())) == 4
    put(runs, f"{at(2)},22,3")

    assert usable(await runs.run()) == [(hour(2), "kwh", 3.0), (hour(2), "celsius", 22.0)]
    put(runs, "time,kwh,temp")
    assert await runs.run() == []
    put(runs, f"{at(3)},4,23")
    assert usable(await runs.run()) == [(hour(3), "kwh", 4.0), (hour(3), "celsius", 23.0)]


@pytest.mark.parametrize("cut", [1, 2])
async def test_lines_below_a_later_header_are_left_out(runs: FilesRuns, cut: int) -> None:
    """As those below the first one, also if they come later than it."""
    runs.params |= {"follow": True, "csv": {"header": "time", "below": 2}}
    units = ["s,kWh,degC", "Smp,Avg,Avg"]
    put(runs, "TOA5,logger,program 1", "time,kwh,temp", *units, f"{at(0)},1,20")
    assert len(usable(await runs.run())) == 2
    put(runs, "time,temp,kwh", *units[:cut])
    assert await runs.run() == []
    put(runs, *units[cut:], f"{at(1)},21,2")

    assert await runs.run() == [(hour(1), "kwh", 2.0), (hour(1), "celsius", 21.0)]


async def test_a_file_that_was_begun_goes_on_below_its_later_header(
    runs: FilesRuns, ctx: TestContext
) -> None:
    """A run that is cut off behind it leaves the columns as they are there."""
    runs.params["time_format"] = "unix"
    put(runs, "time,kwh,temp", f"{hour(0):.0f},1,20", "time,temp,kwh")
    put(runs, *(f"{hour(1) + n:.0f},21,{n}" for n in range(12_000)))
    lefts = iter([100.0])
    ctx.time_left = lambda: next(lefts, 0.0)  # type: ignore[method-assign]
    first = await runs.run()
    lefts = iter([100.0] * 1000)

    found = usable([*first, *await runs.run()])

    assert 0 < len(first) < 20_000
    kwh = [value for _, name, value in found if name == "kwh"]
    assert kwh == [1, *range(12_000)]
    assert {value for _, name, value in found if name == "celsius"} == {20, 21}


async def test_what_stands_above_a_later_header_is_left_out(runs: FilesRuns) -> None:
    """Some loggers say who they are there, in words that may look like a header."""
    about = "TOA5,logger,program"
    put(runs, about, "time,kwh,temp", f"{at(0)},1,20", about, "time,temp,kwh", f"{at(1)},21,2")
    runs.params["csv"] = {"header": "time"}

    assert usable(await runs.run())[2:] == [(hour(1), "kwh", 2.0), (hour(1), "celsius", 21.0)]


async def test_below_a_header_without_the_columns_nothing_is_read_by_those_above(
    runs: FilesRuns,
) -> None:
    """Whatever stands there now would be taken for something else; it is counted as unusable."""
    put(runs, "time,kwh,temp", f"{at(0)},1,20", "Zeit,Strom,Spannung", f"{at(1)},5,230")

    found = await runs.run()

    assert usable(found) == [(hour(0), "kwh", 1.0), (hour(0), "celsius", 20.0)]
    assert len(found) == 4


NOTES = ["restarted,manual", "restarted", "battery low,,", "# time", f"{at(1)},n/a,n/a"]


@pytest.mark.parametrize("note", NOTES)
async def test_other_lines_are_no_headers(runs: FilesRuns, note: str) -> None:
    """They are unusable, and what is below them is read as before."""
    put(runs, "time,kwh,temp", f"{at(0)},1,20", note, f"{at(2)},2,21")

    assert usable(await runs.run())[-2:] == [(hour(2), "kwh", 2.0), (hour(2), "celsius", 21.0)]


async def test_words_may_be_data_where_the_time_is_not_in_the_line(runs: FilesRuns) -> None:
    """A line of words is a header only where it has none for its time, or names that were there."""
    runs.params |= {
        "path": f"{runs.folder}/{{date}}.csv", "time": "{date}", "series": "{room}",
        "value": "state", "words": {"on": 1, "off": 0},
    }  # fmt: skip
    del runs.params["values"]
    text = "room,state,by\nkitchen,on,hand\nhall,off,clock\n"
    (runs.folder / "2026-07-01.csv").write_text(text)

    assert [each[1:] for each in await runs.run()] == [("kitchen", 1), ("hall", 0)]


async def test_with_names_of_your_own_a_header_is_a_line_that_is_unusable(
    runs: FilesRuns,
) -> None:
    """What they mean is said by the params, whatever the file says."""
    runs.params["fields"] = ["time", "kwh", "temp"]
    put(runs, f"{at(0)},1,20", "time,temp,kwh", f"{at(1)},2,21")

    assert usable(await runs.run())[2:] == [(hour(1), "kwh", 2.0), (hour(1), "celsius", 21.0)]
