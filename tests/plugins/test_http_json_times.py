"""Times of all kinds, from a server through ``ingestd once`` into the store."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from tests.support.cli import CommandLine, Said
from tests.support.daemonprocess import DaemonProcess
from tests.support.jsonsource import serving

pytestmark = pytest.mark.slow  # each runs the command

QUARTER_PAST = 1_782_900_900  # 2026-07-01 10:15 in UTC
HOURS = [f"{hour:02d}:{minute:02d}:00" for hour in range(24) for minute in (0, 15, 30, 45)]


async def once(
    daemon: DaemonProcess, cli: CommandLine, records: list[Any], **params: Any
) -> tuple[Said, list[tuple[float, float]]]:
    """Run the collector; return what it said, and the times and values that are stored."""

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.json_response(records)

    async with serving(handler) as url:
        shape = {"url": url, "time": "ts", "series": "meter", "value": "v", **params}
        daemon.configure(
            collectors={"m": {"plugin": "http_json", "every": "365d", "params": shape}},
            daemon={"not_before": "2000-01-01"},  # as it is for everybody but our tests
        )
        said = await asyncio.to_thread(cli, "once", "m")
    path = daemon.state_dir / "readings.db"
    if not path.exists():
        return said, []
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT time_us, value FROM points ORDER BY time_us").fetchall()
    return said, [(time_us / 1e6, value) for time_us, value in rows]


@pytest.mark.parametrize(
    ("zone", "day", "shown", "begin"),
    [
        (
            "Europe/Berlin",
            "2026-10-25",
            [*HOURS[6:12], *HOURS[8:16]],
            "2026-10-25T01:30:00+02:00",
        ),
        (
            "Australia/Lord_Howe",
            "2026-04-05",
            [*HOURS[5:8], *HOURS[6:12]],
            "2026-04-05T01:15:00+11:00",
        ),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
async def test_order_tells_the_pass_of_an_hour_that_comes_twice(
    daemon: DaemonProcess,
    cli: CommandLine,
    zone: str,
    day: str,
    shown: list[str],
    begin: str,
    order: int,
) -> None:
    """None overwrites another, whichever comes first."""
    records = [{"ts": f"{day} {clock}", "v": at} for at, clock in enumerate(shown)]

    said, stored = await once(daemon, cli, records[::order], timezone=zone)

    first = datetime.fromisoformat(begin).timestamp()
    assert said.code == 0
    assert stored == [(first + 900 * at, at) for at in range(len(shown))]


async def test_a_time_that_was_skipped_is_counted(daemon: DaemonProcess, cli: CommandLine) -> None:
    """It is not another one."""
    records = [{"ts": "2023-03-12 02:00:00", "v": 2}, {"ts": "2023-03-12 03:00:00", "v": 3}]

    said, stored = await once(daemon, cli, records, timezone="America/Los_Angeles")

    assert stored == [(datetime(2023, 3, 12, 10, tzinfo=UTC).timestamp(), 3)]
    assert "no_such_time" in said.out + said.err


async def test_every_notation_is_right_or_refused(daemon: DaemonProcess, cli: CommandLine) -> None:
    """In one answer; what is refused costs one reading each."""
    good = [
        "2026-07-01T10:15:00Z",
        "2026-07-01T12:15:00",
        "2026-07-01 12:15:00",
        "2026-07-01T12:15:00+02:00",
        "2026-07-01 10:15:00 UTC",
        "Wed, 01 Jul 2026 10:15:00 GMT",
        "/Date(1782900900000)/",
        "/Date(1782900900000+0200)/",
        QUARTER_PAST,
    ]
    others = {"2026-07-01T24:00:00": 1_782_943_200, "2026-06-30T23:59:60Z": 1_782_864_000}
    bad: dict[str, list[Any]] = {
        "milliseconds": ["1795120512345", "1782900900123456", 260_701_101_500],
        "too_early": [20_260_701, "1970-01-01T00:00:19", 0],
        "too_late": ["2106-02-07T06:28:15Z"],
        "time": ["1782900900", "07/01/2026 10:15:00 AM", "soon"],
    }
    texts = [*good, *others, *(each for some in bad.values() for each in some)]
    records = [{"ts": text, "v": 1, "n": at} for at, text in enumerate(texts)]

    said, stored = await once(
        daemon, cli, records, timezone="Europe/Berlin", series="n{n}", value="v"
    )

    assert sorted(time for time, _ in stored) == sorted(
        [*[float(QUARTER_PAST)] * len(good), *map(float, others.values())]
    )
    told = said.out + said.err
    assert all(reason in told for reason in bad)


@pytest.mark.parametrize(
    ("time_format", "value"),
    [
        ("%a, %d %b %Y %H:%M:%S %Z", "Wed, 01 Jul 2026 10:15:00 GMT"),
        ("%m/%d/%Y %I:%M:%S %p", "07/01/2026 12:15:00 PM"),
        ("%y%m%d%H%M%S", 260_701_121_500),
        ("dsmr", "260701121500S"),
        ("unix_us", "1782900900000000"),
    ],
)
async def test_a_format_is_read_in_the_zone(
    daemon: DaemonProcess, cli: CommandLine, time_format: str, value: Any
) -> None:
    """GMT is GMT, whatever the zone of other times."""
    _, stored = await once(
        daemon, cli, [{"ts": value, "v": 5}], timezone="Europe/Berlin", time_format=time_format
    )

    assert stored == [(QUARTER_PAST, 5)]


async def test_letters_that_name_several_zones_are_refused(
    daemon: DaemonProcess, cli: CommandLine
) -> None:
    """Before the first run."""
    said, stored = await once(daemon, cli, [], time_format="%Y-%m-%d %H:%M CST")

    assert said.code == 78
    assert "time_format: expected %Z in the place of CST" in said.out + said.err
    assert stored == []


async def test_the_zone_by_its_name_outweighs_the_offset_of_the_answer(
    daemon: DaemonProcess, cli: CommandLine
) -> None:
    """The offset is that of the day of asking; the times are of both sides of a change."""
    records = [
        {"ts": f"2026-10-{day} 12:00", "v": day, "utc_offset_seconds": 3600} for day in (24, 26)
    ]

    _, stored = await once(daemon, cli, records, timezone="Europe/Berlin")

    assert [time for time, _ in stored] == [
        datetime.fromisoformat(text).timestamp()
        for text in ("2026-10-24T12:00+02:00", "2026-10-26T12:00+01:00")
    ]


async def test_two_values_for_one_time_are_told(daemon: DaemonProcess, cli: CommandLine) -> None:
    """The last one is stored, as it was; the run is degraded, and says why."""
    records = [{"ts": QUARTER_PAST + at, "v": value} for at, value in ((0, 1), (0, 2), (900, 3))]

    said, stored = await once(daemon, cli, records)

    assert stored == [(QUARTER_PAST, 2), (QUARTER_PAST + 900, 3)]
    told = said.out + said.err
    assert "contradiction" in told
    assert "degraded" in told
