"""Pandas is the judge of what ``files`` reads in CSVs of any kind."""

import csv
import os
import random
import secrets
from pathlib import Path
from typing import Any, Final

import pandas as pd  # type: ignore[import-untyped]  # ships no types
import pytest

from ingestd.testing import context
from tests.support.filesplugin import FilesRuns

SEED: Final = int(os.environ.get("INGESTD_TEST_SEED") or secrets.randbelow(1_000_000))
FILES: Final = 12
ROWS: Final = 400
COLUMNS: Final = ("power", "Zähler [kWh]", "flow, l/h", 'the "third"')


@pytest.mark.parametrize("number", range(FILES))
@pytest.mark.parametrize("follow", [False, True])
async def test_values_are_those_that_pandas_reads(
    number: int, tmp_path: Path, *, follow: bool
) -> None:
    """With any separator, decimal mark, quotes, encoding, line ends and lines above the header."""
    chance = random.Random(f"{SEED} {number}")
    print(f"INGESTD_TEST_SEED={SEED}")  # noqa: T201 -- to repeat what failed
    path = tmp_path / "export.csv"
    how = written(path, chance)
    frame = pd.read_csv(
        path, sep=how["sep"], decimal=how["decimal"], encoding=how["encoding"],
        skiprows=how["skip"], thousands=how["apart"], parse_dates=["when"], index_col="when",
    )  # fmt: skip
    async with context() as ctx:
        runs = FilesRuns(
            tmp_path, ctx, path=str(path), follow=follow, time="when", timezone="UTC",
            charset=how["encoding"], decimal=how["decimal"], csv=how["options"],
            values={f"c{at}": f'"{quoted(name)}"' for at, name in enumerate(COLUMNS)},
        )  # fmt: skip
        found = await runs.run()

    assert runs.problems == []
    expected = [
        (when.replace(tzinfo=None), f"c{at}", None if pd.isna(value) else float(value))
        for when, row in zip(frame.index, frame.itertuples(index=False), strict=True)
        for at, value in enumerate(row)
    ]
    assert len(expected) == ROWS * len(COLUMNS)
    told = [(pd.Timestamp(time, unit="s"), series, value) for time, series, value in found]
    assert sorted(told, key=str) == sorted(expected, key=str)


def quoted(name: str) -> str:
    """Return a name as JMESPath has it between quotes."""
    return name.replace('"', '\\"')


def written(path: Path, chance: random.Random) -> dict[str, Any]:
    """Write a CSV of some kind; return how it is to be read."""
    sep = chance.choice([";", "\t", ",", "|"])
    decimal = chance.choice([",", "."])
    encoding = chance.choice(["utf-8", "utf-8-sig", "cp1252", "utf-16"])
    above = chance.choice([0, 1, 3])
    options: dict[str, Any] = (
        {} if above == 0 else chance.choice([{"skip": above}, {"header": "power"}])
    )
    if chance.random() < 0.5:
        options = {**options, "delimiter": sep}
    with path.open("w", encoding=encoding, newline="") as file:
        file.write("".join(f"Station {at}\n" for at in range(above)))
        writer = csv.writer(
            file, delimiter=sep, lineterminator=chance.choice(["\n", "\r\n"]),
            quoting=chance.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
        )  # fmt: skip
        writer.writerow(["when", *COLUMNS])
        for at in range(ROWS):
            when = f"{pd.Timestamp('2026-07-01') + pd.Timedelta(minutes=at)}"
            writer.writerow([when, *(number(chance, decimal) for _ in COLUMNS)])
    apart = "." if decimal == "," else None
    return {
        "sep": sep, "decimal": decimal, "encoding": encoding, "skip": above, "options": options,
        "apart": apart,
    }  # fmt: skip


def number(chance: random.Random, decimal: str) -> str:
    """Return a number as people write it, or nothing."""
    text = chance.choice(["", f"{chance.uniform(-1e4, 1e4):.{chance.randrange(1, 7)}f}", "0.0"])
    return text.replace(".", decimal)
