"""What is particular to VictoriaMetrics: everything it does without saying so."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ingestd.config.model import VictoriaStore
from ingestd.errors import BodyRejected, StoreUnavailable
from ingestd.model import Point, Series, StoredPoint
from ingestd.sinks.victoriametrics import VictoriaSink, exported, retention_us
from tests.support.pipeline import running, until
from tests.support.ports import free_port
from tests.support.searchable import make_searchable
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
    make_searchable(url)


async def test_window_is_exactly_what_the_server_keeps(
    victoriametrics_url: str, unique: str
) -> None:
    """The earliest and latest time that we let through are stored; what is refused would not be."""
    async with victoria(victoriametrics_url) as to:
        now_us = int(time.time()) * 1_000_000  # the tests before this one took their time
        edges = [1000, now_us, now_us + 2 * DAY_US - 60_000_000]
        beyond = [-DAY_US, -1000, 0, 999, now_us + 2 * DAY_US + 60_000_000]
        series = Series(unique)
        await keep(to, victoriametrics_url, *((series, edge, 1.0) for edge in edges[1:]))

        refused = to.encode([(series, each, 1.0) for each in beyond]).refused
        found = await to.read(unique, start_us=0, end_us=now_us + 9 * DAY_US, tags={})

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


@pytest.mark.slow  # a server starts
async def test_warns_of_missing_deduplication_and_short_retention(tmp_path: Path) -> None:
    """A server as Debian starts it doubles repeats and forgets after a month."""
    with victoria_metrics(tmp_path / "a", "-retentionPeriod=1") as server:
        async with victoria(server.url) as to:
            warnings = await to.check()
            refused = to.encode([(Series("a"), NOW_US - 32 * DAY_US, 1.0)]).refused

    assert len(warnings) == 1
    assert "-dedup.minScrapeInterval=1ms" in warnings[0]
    assert "too old" in refused[0][1]


@pytest.mark.slow  # a server starts
async def test_default_retention_is_a_month(tmp_path: Path) -> None:
    """Without the flag it drops what is older than a month, so that is warned of and refused."""
    server = victoria_metrics(tmp_path / "a", "-dedup.minScrapeInterval=1ms")
    plain = RealServer(
        [each for each in server.argv if "retention" not in each],
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


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a server that keeps one month."""
    with victoria_metrics(tmp_path_factory.mktemp("victoria"), "-retentionPeriod=1") as server:
        yield server.url


def aged(name: str, *days: float) -> list[Point]:
    """Return points of one series, so many days old."""
    return [(Series(name), int(NOW_US - each * DAY_US), each) for each in days]


async def kept(at: VictoriaSink, url: str, name: str) -> list[float]:
    """Return the values that the server holds of a series."""
    make_searchable(url)
    found = await at.read(name, start_us=0, end_us=NOW_US + DAY_US, tags={})
    return [point.value for point in found]


@pytest.mark.slow  # a server starts
async def test_first_batch_is_checked_although_it_was_made_before_the_first_contact(
    forgetful: str, unique: str
) -> None:
    """What the server would drop is named before anything is sent; the rest can be sent."""
    to = VictoriaSink(VictoriaStore(name="s", url=forgetful))
    encoded = to.encode(aged(unique, 1, 100, 2, 40))
    assert encoded.body is not None
    assert not encoded.refused

    await to.open()
    with pytest.raises(BodyRejected, match="too old for this store") as caught:
        await to.write(encoded.body.data)
    before = await kept(to, forgetful, unique)
    payloads = to.split(encoded.body.data)
    await to.write(to.join([payloads[0], payloads[2]]))

    assert sorted(caught.value.bad) == [1, 3]
    assert before == []
    assert await kept(to, forgetful, unique) == [2, 1]
    await to.close()


@pytest.mark.slow  # a server starts
async def test_retried_payloads_are_checked_as_well(forgetful: str, unique: str) -> None:
    """Payloads made into a body again, which does not tell its times, are looked at."""
    async with victoria(forgetful) as to:
        ((old, _),) = to.encode(aged(unique, 100)).refused
        fresh = to.encode(aged(unique, 3)).body
        assert fresh is not None
        body = to.join([old, *to.split(fresh.data), old])

        with pytest.raises(BodyRejected) as caught:
            await to.write(body)

        assert sorted(caught.value.bad) == [0, 2]
        assert await kept(to, forgetful, unique) == []


@pytest.mark.slow  # a server starts
async def test_what_grows_too_old_while_it_waits_is_refused(forgetful: str, unique: str) -> None:
    """A body that was within the window when it was made may not be when it is sent."""
    clock = [NOW_US / 1e6 - 86_400]
    to = VictoriaSink(VictoriaStore(name="s", url=forgetful), now=lambda: clock[0])
    await to.open()
    encoded = to.encode(aged(unique, 31.5, 30.5))
    assert encoded.body is not None
    assert not encoded.refused

    clock[0] += 86_400
    with pytest.raises(BodyRejected) as caught:
        await to.write(encoded.body.data)

    assert sorted(caught.value.bad) == [0]
    await to.close()


@pytest.mark.slow  # a server starts
async def test_nothing_is_called_stored_that_the_server_dropped(
    tmp_path: Path, unique: str
) -> None:
    """Spooled before the first contact, what is too old ends with the dead letters."""
    server = victoria_metrics(tmp_path / "a", "-retentionPeriod=1")
    to = VictoriaSink(VictoriaStore(name="s", url=server.url))
    async with running(tmp_path / "state", {"main": to}) as pipe:
        await pipe.safe(aged(unique, 1, 100, 2))
        await pipe.safe(aged(unique, 200, 3))
        assert pipe.only.spooled == 5

        with server:
            await until(lambda: not pipe.only.spooled)
            found = await kept(to, server.url, unique)
            letters = await pipe.only.dead.listed()
            await pipe.only.retry(letters)
            await until(lambda: not pipe.only.spooled)
            balanced = pipe.balanced()

        assert found == [3, 2, 1]
        assert pipe.only.account.stored == 3
        assert pipe.only.dead.count == 2
        assert balanced


@pytest.mark.slow  # a server starts
async def test_server_that_is_told_to_keep_more_is_believed_at_once(
    tmp_path: Path, unique: str
) -> None:
    """After a restart with a longer retention, retried dead letters are stored."""
    short = victoria_metrics(tmp_path / "a", "-retentionPeriod=1")
    with short as server:
        async with victoria(server.url) as to:
            ((old, _),) = to.encode(aged(unique, 100)).refused
            server.stop()
            server.argv[-1] = "-retentionPeriod=100y"
            server.start()

            await to.write(to.join([old]))

            assert await kept(to, server.url, unique) == [100]


@pytest.mark.slow  # a server starts
async def test_server_that_hides_its_flags_is_warned_of(tmp_path: Path, unique: str) -> None:
    """Nothing can be known of its retention, so everything is sent, and check says so."""
    with victoria_metrics(tmp_path / "a", "-flagsAuthKey=sesame") as server:
        async with victoria(server.url) as to:
            (warning,) = await to.check()
            await keep(to, server.url, *aged(unique, 100))

            assert "its flags do not tell" in warning
            assert await kept(to, server.url, unique) == [100]


@pytest.mark.parametrize(
    ("flags", "known"),
    [
        (web.Response(text='-retentionPeriod="1"\n'), True),
        (web.Response(text='-storageDataPath="data"\n'), True),
        (web.Response(status=400, text="unsupported path"), False),
        (web.Response(text="<html>", content_type="text/html"), False),
        (web.Response(text='-remoteWrite.url="secret"\n'), False),
        (web.Response(text='-storageNode="a,b"\n'), False),
    ],
    ids=["a month", "not set", "cluster", "web page", "agent", "its vminsert"],
)
async def test_flags_of_any_server(flags: web.Response, known: bool) -> None:  # noqa: FBT001
    """Only a server that keeps the points itself tells for how long, and by default a month."""
    async with saying(lambda: flags) as (url, _), victoria(url) as to:
        encoded = to.encode(aged("a", 100))

    assert bool(encoded.refused) == known


async def test_retention_that_could_not_be_learned_is_asked_for_again() -> None:
    """A server that is not itself at first is asked with every write, then once a minute."""
    answers = [web.Response(status=503), web.Response(status=503)]
    clock = [NOW_US / 1e6]
    async with saying(
        lambda: answers.pop() if answers else web.Response(text='-retentionPeriod="1"\n')
    ) as (url, asked):
        to = VictoriaSink(VictoriaStore(name="s", url=url), now=lambda: clock[0])
        old, fresh = to.encode(aged("a", 100)).body, to.encode(aged("a", 1)).body
        assert old is not None
        assert fresh is not None
        await to.open()
        await to.write(fresh.data)
        with pytest.raises(BodyRejected):
            await to.write(old.data)
        before = asked["/flags"]
        for _ in range(5):
            await to.write(fresh.data)
        clock[0] += 61
        await to.write(fresh.data)
        await to.close()

    assert asked["/flags"] == before + 1
    assert asked["/write"] == 7


@asynccontextmanager
async def saying(
    flags: Callable[[], web.StreamResponse],
) -> AsyncIterator[tuple[str, Counter[str]]]:
    """Give the address of a server that takes every write, and how often each path was asked."""
    asked = Counter[str]()

    async def answer(request: web.Request) -> web.StreamResponse:
        asked[request.path] += 1
        return flags() if request.path == "/flags" else web.Response(status=204)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}", asked
    finally:
        await runner.cleanup()


@pytest.mark.slow  # a server starts
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


@pytest.mark.slow  # a server starts
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
    found = retention_us({"retentionPeriod": period})

    assert found == (None if days is None else int(days * DAY_US))


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
