"""``files`` reads exports in every format, and says what one is where it is another."""

import json
import sys
import zipfile
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import openpyxl  # type: ignore[import-untyped]  # ships no types
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


def parquet(path: Path, columns: Mapping[str, Any], **options: Any) -> None:
    """Write a parquet file; what does so is imported only here, because it is large."""
    arrow, writer = import_module("pyarrow"), import_module("pyarrow.parquet")
    writer.write_table(arrow.table(dict(columns)), path, **options)


async def whole(runs: FilesRuns) -> list[tuple[Any, ...]]:
    """Return what a file gives, in two parts: a run that is cut off, and one that goes on."""
    async with aclosing(results(files.run, ctx=runs.ctx, **runs.params)) as found:
        first = await anext(found)
    runs.remember(first)
    assert len(first["readings"]) > 0
    return [*map(tuple, first["readings"]), *await runs.run()]


RECORDS = [{"time": f"2026-07-01T00:00:{at % 60:02}Z", "kwh": at} for at in range(8000)]


@pytest.mark.slow  # what reads parquet takes a second to be imported
@pytest.mark.parametrize("name", ["a.json", "b.ndjson", "c.xml", "d.csv", "e.influx", "f.parquet"])
async def test_a_document_of_any_format_goes_on_where_it_was(runs: FilesRuns, name: str) -> None:
    """Those without lines are counted by records."""
    path = runs.folder / name
    match path.suffix:
        case ".json":
            path.write_text(json.dumps({"data": RECORDS}))
            runs.params["records"] = "data"
        case ".ndjson":
            path.write_text("".join(f"{json.dumps(each)}\n" for each in RECORDS))
        case ".xml":
            rows = (
                f"<r><time>{each['time']}</time><kwh>{each['kwh']}</kwh></r>" for each in RECORDS
            )
            path.write_text(f"<d>{''.join(rows)}</d>")
            runs.params["records"] = "r"
        case ".csv":
            rows = (f"{each['time']},{each['kwh']}\n" for each in RECORDS)
            path.write_text(f"time,kwh\n{''.join(rows)}")
        case ".influx":
            rows = (f"m kwh={each['kwh']} {at}\n" for at, each in enumerate(RECORDS, 1782864000))
            path.write_text("".join(rows))
            runs.params |= {
                "format": "influx",
                "time_format": "unix",
                "values": {"kwh": "fields.kwh"},
            }
        case _:
            columns = {name: [each[name] for each in RECORDS] for name in ("time", "kwh")}
            parquet(path, columns, row_group_size=3000)

    assert [value for _, _, value in await whole(runs)] == list(range(8000))
    assert runs.problems == []


@pytest.mark.slow  # what reads parquet takes a second to be imported
async def test_parquet_has_times_of_its_own(runs: FilesRuns) -> None:
    """With a zone, or in that of the params; to the microsecond."""
    moment = datetime.fromtimestamp(hour(0), UTC)
    aware = moment.astimezone(ZoneInfo("Europe/Vienna"))
    for name, each in (("a.parquet", aware), ("b.pq", aware.replace(tzinfo=None))):
        parquet(runs.folder / name, {"time": [each], "kwh": [1.5]})
    runs.params |= {"timezone": "Europe/Vienna"}

    assert await runs.run() == [(hour(0), "kwh", 1.5)] * 2


@pytest.mark.slow  # what reads parquet takes a second to be imported
async def test_the_hour_that_comes_twice_is_told_by_the_order_in_parquet_too(
    runs: FilesRuns,
) -> None:
    """Its times without a zone are settled as texts are."""
    clock = ("01:30", "02:00", "02:30", "02:00", "02:30", "03:00")
    night = [datetime.fromisoformat(f"2026-10-25T{each}") for each in clock]
    parquet(runs.folder / "a.parquet", {"time": night, "kwh": range(6)})
    runs.params |= {"timezone": "Europe/Vienna"}

    times = [time for time, _, _ in await runs.run()]
    assert times == [times[0] + 1800 * at for at in range(6)]


def workbook(path: Path, rows: list[list[Any]], sheet: str = "Werte") -> None:
    """Write a workbook with a sheet of rows, and another before it."""
    book = openpyxl.Workbook()
    book.active.append(["other"])
    book.create_sheet(sheet)
    for row in rows:
        book[sheet].append(row)
    book.save(path)


async def test_a_sheet_is_read(runs: FilesRuns) -> None:
    """With something above its header, units below it, empty rows, and numbers as texts."""
    moment = datetime(2026, 7, 1, 2, 0)  # noqa: DTZ001
    rows: list[list[Any]] = [
        ["Anlage 17"], [], ["Zeit", "kWh", None], ["h", "kWh"],
        [moment, 1.5, "x"], [], [moment + timedelta(hours=1), "2,5"],
    ]  # fmt: skip
    workbook(runs.folder / "a.xlsx", rows)
    runs.params |= {"sheet": "Werte", "csv": {"header": "Zeit", "below": 1}, "time": "Zeit"}
    runs.params |= {"timezone": "Europe/Vienna", "decimal": ",", "values": {"kwh": "kWh"}}

    assert await runs.run() == [(hour(0), "kwh", 1.5), (hour(1), "kwh", 2.5)]
    runs.params["sheet"] = "Wert"
    await runs.run()
    runs.write("b.xlsx", 1)
    await runs.run()
    assert "b.xlsx: expected xlsx: BadZipFile" in runs.problems[0]


async def test_what_is_not_installed_is_told(
    runs: FilesRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By ``check`` where the format is named, by the run where a file has it."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (runs.folder / "a.parquet").write_bytes(b"PAR1")

    await runs.run()
    text = "format: expected pyarrow to be installed for parquet (pip install 'ingestd[files]')"
    assert text in runs.problems[0]
    assert files.check(**runs.params, format="parquet") == [f"{text}, got none"]


async def test_a_document_that_has_to_be_read_as_a_whole_has_a_bound(runs: FilesRuns) -> None:
    """Memory is not filled by one."""
    (runs.folder / "a.json").write_text(json.dumps([{"data": each} for each in RECORDS[:100]]))
    runs.params |= {"max_bytes": 1000, "records": "[].data"}

    assert await runs.run() == []
    assert "a.json: expected at most 1000 bytes (max_bytes), got more" in runs.problems[0]


async def test_a_file_without_lines_is_bounded_too(
    runs: FilesRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be something else that is called .csv."""
    monkeypatch.setattr("ingestd.plugins.files.bylines.LONGEST_LINE", 100_000)
    (runs.folder / "a.csv").write_bytes(b"x" * 400_000)

    assert await runs.run() == []
    assert "bytes without an end of one" in runs.problems[0]


async def test_a_stray_quote_costs_a_few_lines_and_no_memory(runs: FilesRuns) -> None:
    """It opens a field that no line ends."""
    text = "".join(f"2026-07-01T00:00:{at % 60:02}Z,{at}\n" for at in range(30_000))
    (runs.folder / "a.csv").write_text(f'time,kwh\n{text[:260]}"{text[260:]}')

    found = {value for value in await runs.values() if isinstance(value, float)}
    assert {0.0, 29_999.0} < found


async def test_members_of_a_zip_are_chosen(runs: FilesRuns) -> None:
    """By a pattern, where their names do not tell."""
    with zipfile.ZipFile(runs.folder / "a.zip", "w") as archive:
        archive.writestr("data.txt", "time,kwh\n" + lines(1))
        archive.writestr("about.doc", "x")
    runs.params |= {"member": "data*", "format": "csv"}

    assert await runs.values() == [1]


async def test_a_wrong_encoding_is_told(runs: FilesRuns) -> None:
    """Letters of the header would be others."""
    (runs.folder / "a.csv").write_bytes("time,Zähler\n".encode("cp1252") + lines(1).encode())

    assert await runs.run() == []
    assert "a.csv: expected text in utf-8, or `charset` beside it" in runs.problems[0]
