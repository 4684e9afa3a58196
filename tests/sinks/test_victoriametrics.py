"""What is particular to VictoriaMetrics: everything it does without saying so."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ingestd.config import VictoriaStore
from ingestd.errors import StoreUnavailable
from ingestd.model import Point, Series, StoredPoint
from ingestd.sinks.victoriametrics import VictoriaSink, exported, retention_us
from tests.support.servers import RealServer, victoria_metrics

DAY_US = 86_400_000_000
NOW_US = int(time.time()) * 1_000_000


@asynccontextmanager
async def victoria(url: str, **more: Any) -> AsyncIterator[VictoriaSink]:
    """Give an opened sink."""
    made = VictoriaSink(VictoriaStore(name="s", url=url, **more))
    try:
        await made.open()
        yield made
    finally:
        await made.close()


async def keep(to: VictoriaSink, url: str, *points: Point) -> None:
    """Write points, none of which is refused, and make them visible."""
    encoded = to.encode(points)
    assert encoded.body is not None
    assert not encoded.refused
    await to.write(encoded.body.data)
    async with aiohttp.ClientSession() as session, session.get(f"{url}/internal/force_flush"):
        pass


async def test_window_is_exactly_what_the_server_keeps(
    victoriametrics_url: str, unique: str
) -> None:
    """The earliest and latest time that we let through are stored; what is refused would not be."""
    async with victoria(victoriametrics_url) as to:
        edges = [1000, NOW_US, NOW_US + 2 * DAY_US - 60_000_000]
        beyond = [-DAY_US, -1000, 0, 999, NOW_US + 2 * DAY_US + 60_000_000]
        series = Series(unique)
        await keep(to, victoriametrics_url, *((series, edge, 1.0) for edge in edges[1:]))

        refused = to.encode([(series, each, 1.0) for each in beyond]).refused
        found = await to.read(unique, start_us=0, end_us=NOW_US + 9 * DAY_US, tags={})

        assert [point.time_us for point in found] == edges[1:]
        assert len(refused) == len(beyond)
        assert [int(payload.rpartition(b" ")[2]) for payload, _ in refused] == beyond


async def test_as_many_tags_as_it_keeps(victoriametrics_url: str, unique: str) -> None:
    """29 tags besides the series come back; one more is refused, not cut off."""
    most = Series(unique, tuple((f"t{at:02}", "v" * 100) for at in range(29)))
    too_many = Series(unique, (*most.tags, ("t99", "v")))
    longest = Series(f"{unique}{'x' * (16384 - len(unique))}", (("k" * 256, "v"),))
    async with victoria(victoriametrics_url) as to:
        await keep(to, victoriametrics_url, (most, NOW_US, 1.0), (longest, NOW_US, 2.0))

        (point,) = await to.read(unique, start_us=0, end_us=NOW_US + 1, tags={})
        (long,) = await to.read(longest.name, start_us=0, end_us=NOW_US + 1, tags={})
        ((_, why),) = to.encode([(too_many, NOW_US, 1.0)]).refused

        assert point.tags == dict(most.tags)
        assert long.tags == dict(longest.tags)
        assert "at most 29 tags, got 30" in why


async def test_same_millisecond_is_refused_but_the_last(
    victoriametrics_url: str, unique: str
) -> None:
    """Times are cut to milliseconds; what that would hide is a dead letter, not a loss."""
    series = Series(unique)
    async with victoria(victoriametrics_url) as to:
        encoded = to.encode([(series, NOW_US + 1, 1.0), (series, NOW_US + 2, 2.0)])
        assert encoded.body is not None
        await to.write(encoded.body.data)

        ((payload, why),) = encoded.refused

        assert b"1.0" in payload
        assert "cannot tell" in why


@pytest.mark.slow
async def test_warns_of_missing_deduplication_and_short_retention(tmp_path: Path) -> None:
    """A server as Debian starts it doubles repeats and forgets after a month."""
    with victoria_metrics(tmp_path / "a", "-retentionPeriod=1") as server:
        async with victoria(server.url) as to:
            warnings = await to.check()
            refused = to.encode([(Series("a"), NOW_US - 32 * DAY_US, 1.0)]).refused

    assert len(warnings) == 1
    assert "-dedup.minScrapeInterval=1ms" in warnings[0]
    assert "too old" in refused[0][1]


@pytest.mark.slow
async def test_default_retention_is_a_month(tmp_path: Path) -> None:
    """Without the flag it drops what is older than a month, so that is warned of and refused."""
    server = victoria_metrics(tmp_path / "a", "-dedup.minScrapeInterval=1ms")
    plain = RealServer(
        [each for each in server._argv if "retention" not in each],
        url=server.url,
        folder=server.folder,
        ready=server._ready,
    )
    with plain:
        async with victoria(server.url) as to:
            warnings = await to.check()
            encoded = to.encode(
                [(Series("a"), NOW_US - days * DAY_US, 1.0) for days in (30, 32, 400)]
            )

    assert ["one month" in warning for warning in warnings] == [True]
    assert len(encoded.refused) == 2


@pytest.mark.slow
async def test_password_and_secrets(tmp_path: Path) -> None:
    """A user is let in by name and password; a wrong one is an outage that shows neither."""
    flags = ("-httpAuth.username=boss", "-httpAuth.password=sesame")
    with victoria_metrics(tmp_path / "a", *flags) as server:
        async with victoria(server.url, username="boss", password="sesame") as to:
            await to.check()
        async with victoria(server.url, username="boss", password="hunter2") as to:
            with pytest.raises(StoreUnavailable, match="HTTP 401") as caught:
                await to.check()
        assert "hunter2" not in str(caught.value)


@pytest.mark.slow
async def test_goes_away_and_comes_back(tmp_path: Path) -> None:
    """A server that is killed is unavailable, and takes the same body afterwards."""
    with victoria_metrics(tmp_path / "a", "-dedup.minScrapeInterval=1ms") as server:
        async with victoria(server.url) as to:
            encoded = to.encode([(Series("a"), NOW_US, 1.0)])
            assert encoded.body is not None
            server.kill()
            with pytest.raises(StoreUnavailable):
                await to.write(encoded.body.data)
            server.start()
            await keep(to, server.url, (Series("a"), NOW_US, 1.0))

            assert [p.value for p in await to.latest(since_us=NOW_US)] == [1.0]


@pytest.mark.parametrize(
    ("period", "days"),
    [("1", 31), ("12", 372), ("3d", 3), ("36h", 1.5), ("2w", 14), ("100y", 36500), ("x", None)],
)
def test_retention_period_in_all_its_spellings(period: str, days: float | None) -> None:
    """A number without a unit is months."""
    assert retention_us(period) == (None if days is None else int(days * DAY_US))


def test_export_with_numbers_that_are_none() -> None:
    """Infinities and gaps, which others may have written, are passed over."""
    numbers = b'"values":[1,+Inf,-Inf,null,2.5],"timestamps":[1,2,3,4,5]}'
    lines = [
        b'{"metric":{"__name__":"a_b_c","series":"s[+Inf,","t":"v"},' + numbers,
        b'{"metric":{"__name__":"a_b_c","series":"s"},"values":["Infinity"],"timestamps":[1]}',
    ]

    assert [list(exported(line)) for line in lines] == [
        [
            StoredPoint("s[+Inf,", {"t": "v"}, "a_b", "c", 1000, 1.0),
            StoredPoint("s[+Inf,", {"t": "v"}, "a_b", "c", 5000, 2.5),
        ],
        [],
    ]
