"""A real InfluxDB 1.6 as the judge of line protocol: what it takes, and what it keeps of that."""

import asyncio
import os
import secrets
from collections.abc import Iterator
from typing import Final

import pytest

from ingestd.testing import context
from tests.support.linefuzz import Lines, ask, kept
from tests.support.pushing import NOON, Push, pushing

SEED: Final = int(os.environ.get("INGESTD_TEST_SEED") or secrets.randbelow(1_000_000))
LINES: Final = 400  # the release was tried with 10,000
NOW: Final = NOON.timestamp()


@pytest.fixture
def database(influxdb_url: str) -> Iterator[str]:
    """Give an empty database of a running InfluxDB."""
    name = f"judge_{secrets.token_hex(4)}"
    ask(influxdb_url, "/query", q=f"CREATE DATABASE {name}")
    yield name
    ask(influxdb_url, "/query", q=f"DROP DATABASE {name}")


@pytest.mark.slow(4)  # a request to each of two servers for every line
async def test_the_same_lines_are_taken_and_the_same_values_kept(
    influxdb_url: str, database: str
) -> None:
    """Lines at random, most of them nearly right; ``INGESTD_TEST_SEED`` repeats them."""
    print(f"INGESTD_TEST_SEED={SEED}")  # noqa: T201 -- to repeat what failed
    made = Lines(SEED)
    lines = [made.line() for _ in range(LINES)]

    async with context(now=NOON) as ctx, pushing(ctx, formats="influx") as push:
        for line in lines:
            theirs, text = await asyncio.to_thread(
                ask, influxdb_url, "/write", line.encode(), db=database
            )
            ours = await push.post("/write", data=line.encode())
            assert ours.status == theirs, f"{line!r}: they say {text}, we {ours.text}"
        found = await asyncio.to_thread(kept, influxdb_url, database)

    assert by_series(push) == {
        (series_of(measurement, field), tags, time if time < NOW * 1e9 else None): value
        for (measurement, tags, field, time), value in found.items()
    }


def series_of(measurement: str, field: str) -> str:
    """Return the name that a field's series has here."""
    return f"{measurement}_{field}"


def by_series(
    push: Push,
) -> dict[tuple[str, tuple[tuple[str, str], ...], int | None], float]:
    """Return the values by series and nanoseconds; None for those that came without a time."""
    return {
        (
            series,
            tuple(sorted(tags.items())),
            None if time == NOW else round(time * 1e6) * 1000,
        ): value
        for time, series, value, tags in push.readings
    }
