"""What is particular to InfluxDB: how it refuses, what it creates, which users it lets in."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from aiohttp import web
from psutil import Process  # type: ignore[import-untyped]  # ships no types
from yarl import URL

from ingestd.config.model import InfluxStore
from ingestd.errors import BodyRejected, BodyTooLarge, StoreUnavailable
from ingestd.model import Point, Series
from ingestd.sinks.influxdb import InfluxSink, InfluxSink1, InfluxSink2, sink
from tests.support import influx2 as fake
from tests.support.deadline import WITHIN
from tests.support.idletime import IdleTime
from tests.support.influx2 import Influx2, answer
from tests.support.ports import free_port
from tests.support.servers import influxd

NOW_US = int(time.time()) * 1_000_000
A, B, C = Series("a"), Series("b c,d="), Series("c")
POINTS: list[Point] = [(A, NOW_US, 1.0), (B, NOW_US, 2.0), (C, NOW_US, 3.0)]


@asynccontextmanager
async def influx1(url: str, database: str, **more: Any) -> AsyncIterator[InfluxSink1]:
    """Give a sink for InfluxDB 1 that makes its database."""
    config = InfluxStore(name="s", url=url, version=1, database=database, create=True, **more)
    made = InfluxSink1(config)
    try:
        await made.open()
        yield made
    finally:
        await made.close()


@pytest.fixture
async def v2(influx2: Influx2, idle_time: IdleTime) -> AsyncIterator[InfluxSink2]:
    """Give a sink for the server that misbehaves when told to, in half a second of idle time."""
    del idle_time
    influx2.make_bucket("energy")
    config = InfluxStore(
        name="s", url=influx2.url, org="campus", bucket="energy", token="secret", timeout=0.5
    )
    made = InfluxSink2(config)
    await made.open()
    yield made
    await made.close()


def body(of: InfluxSink, points: list[Point]) -> bytes:
    """Return some points as a body."""
    encoded = of.encode(points)
    assert encoded.body is not None
    return encoded.body.data


async def query(url: str, statement: str) -> None:
    """Tell InfluxDB 1 something."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/query", params={"q": statement}) as reply,
    ):
        assert "error" not in await reply.text()


async def raw_write(url: str, database: str, line: str) -> None:
    """Write a line as another program would."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/write", params={"db": database}, data=line) as reply,
    ):
        assert reply.status == 204


def test_version_chooses_the_sink() -> None:
    """Version 1 and 2 are different servers to talk to."""
    one = InfluxStore(name="s", url="http://h", version=1, database="d")
    two = InfluxStore(name="s", url="http://h", org="o", bucket="b", token="t")

    assert isinstance(sink(one), InfluxSink1)
    assert isinstance(sink(two), InfluxSink2)


# -- InfluxDB 1, the real one


async def test_v1_type_conflict_names_its_points(influxdb_url: str, unique: str) -> None:
    """A field that is an integer there refuses our points, which are found by their number."""
    async with influx1(influxdb_url, unique) as to:
        await raw_write(influxdb_url, unique, "it\\ is value=1i")
        other = Series("x", (), "it is")
        data = body(to, [*POINTS, (other, NOW_US, 1.0), (other, NOW_US + 1, 2.0)])

        with pytest.raises(BodyRejected, match="field type conflict") as caught:
            await to.write(data)

        assert set(caught.value.bad) == {3, 4}
        rest = [payload for at, payload in enumerate(to.split(data)) if at < 3]
        await to.write(to.join(rest))
        assert len(await to.latest(since_us=NOW_US)) == 3


async def test_v1_too_old_names_the_oldest(influxdb_url: str, unique: str) -> None:
    """Points beyond the retention are named, and the others are stored."""
    async with influx1(influxdb_url, unique, retention_policy="week") as to:
        await query(
            influxdb_url, f'CREATE RETENTION POLICY "week" ON "{unique}" DURATION 7d REPLICATION 1'
        )
        old = NOW_US - 30 * 86_400_000_000
        data = body(to, [(A, NOW_US, 1.0), (A, old, 2.0), (B, NOW_US, 3.0), (B, old, 4.0)])

        with pytest.raises(BodyRejected, match="beyond retention policy") as caught:
            await to.write(data)

        assert set(caught.value.bad) == {1, 3}
        assert {p.value for p in await to.latest(since_us=0)} == {1.0, 3.0}


async def test_v1_line_it_cannot_read_is_named(influxdb_url: str, unique: str) -> None:
    """A line that the server quotes back is found in the body, special characters and all."""
    async with influx1(influxdb_url, unique) as to:
        data = to.join([*to.split(body(to, POINTS)), b"m,series=it's\\ \\\\x,y=1 value=oops 1"])

        with pytest.raises(BodyRejected, match="unable to parse") as caught:
            await to.write(data)

        assert set(caught.value.bad) == {3}
        assert len(await to.latest(since_us=NOW_US)) == 3


async def test_v1_missing_database_is_an_outage_until_it_is_there(
    influxdb_url: str, unique: str
) -> None:
    """An operator can create a database, so nothing is given up."""
    config = InfluxStore(name="s", url=influxdb_url, version=1, database=f'{unique} x"y')
    to = InfluxSink1(config)
    await to.open()

    with pytest.raises(StoreUnavailable, match="database not found"):
        await to.write(body(to, POINTS))
    with pytest.raises(StoreUnavailable, match="database not found"):
        await to.check()
    await query(influxdb_url, f'CREATE DATABASE "{unique} x\\"y"')
    await to.write(body(to, POINTS))
    await to.close()


async def test_v1_missing_retention_policy_is_an_outage(influxdb_url: str, unique: str) -> None:
    """It answers 500 to that; an operator can create it as well as a database."""
    async with influx1(influxdb_url, unique, retention_policy="nope") as to:
        with pytest.raises(StoreUnavailable, match="retention policy not found"):
            await to.write(body(to, POINTS))
        with pytest.raises(StoreUnavailable, match="retention policy not found"):
            await to.check()


async def test_v1_check_tells_what_will_be_created(influxdb_url: str, unique: str) -> None:
    """Checking writes nothing and creates nothing."""
    config = InfluxStore(name="s", url=influxdb_url, version=1, database=unique, create=True)
    to = InfluxSink1(config)

    assert "will be created" in (await to.check())[0]
    assert "will be created" in (await to.check())[0]
    await to.open()
    assert await to.check() == []
    await to.close()


@pytest.mark.slow  # a body of 25 MB is made
async def test_v1_large_body_is_too_large(influxdb_url: str, unique: str) -> None:
    """The server's limit is met with halving, and its answer is read although it hangs up."""
    async with influx1(influxdb_url, unique, gzip=False) as to:
        many = [(Series("x" * 5000), NOW_US + at, 1.0) for at in range(5200)]
        data = body(to, many)
        assert len(data) > 25_000_000

        with pytest.raises(BodyTooLarge):
            await to.write(data)
        await disconnected(influxdb_url)


async def disconnected(url: str) -> None:
    """Wait until the unsent rest of a body has gone: it holds a closed connection until then."""
    port = URL(url).port
    ours = Process()
    async with asyncio.timeout(WITHIN):
        while any(each.raddr and each.raddr.port == port for each in ours.net_connections()):  # noqa: ASYNC110 -- the kernel sends no event
            await asyncio.sleep(0.01)


@pytest.mark.slow  # a server starts
async def test_v1_user_and_password(tmp_path: Path) -> None:
    """A user is let in by name and password; a wrong one is an outage that shows neither."""
    with influxd(tmp_path, http="  auth-enabled = true") as server:
        await query(server.url, "CREATE USER boss WITH PASSWORD 'open sesame' WITH ALL PRIVILEGES")
        async with influx1(server.url, "d", username="boss", password="open sesame") as to:
            await to.write(body(to, POINTS))
            assert len(await to.latest(since_us=NOW_US)) == 3

        with pytest.raises(StoreUnavailable, match="HTTP 401") as caught:
            async with influx1(server.url, "d", username="boss", password="hunter2"):
                pass
        assert "hunter2" not in str(caught.value)


@pytest.mark.slow  # a server starts
async def test_v1_goes_away_and_comes_back(tmp_path: Path) -> None:
    """A server that is killed is unavailable, and takes the same body afterwards."""
    with influxd(tmp_path) as server:
        async with influx1(server.url, "d") as to:
            data = body(to, POINTS)
            await to.write(data)
            server.kill()
            with pytest.raises(StoreUnavailable):
                await to.write(data)
            server.start()
            await to.write(data)

            assert len(await to.latest(since_us=NOW_US)) == 3


# -- InfluxDB 2, as the fake one speaks


@pytest.mark.slow  # for one answer a request runs into its timeout
@pytest.mark.parametrize(
    ("behaviour", "retry_after"),
    [
        (answer(401), None),
        (answer(403), None),
        (answer(404), None),
        (answer(429, retry_after="30"), 30),
        (answer(503, retry_after="3s"), 3),
        (answer(503, retry_after="0.5"), 0.5),
        (answer(500), None),
        (fake.RESET, None),
        (fake.RESET_AFTER_STORING, None),
        (fake.HANG, None),
        (fake.slow(0.8), None),
        (fake.LOGIN_PAGE, None),
        (fake.WEB_PAGE, None),
    ],
)
async def test_v2_outage_then_success(
    influx2: Influx2, v2: InfluxSink2, behaviour: fake.Behaviour, retry_after: float | None
) -> None:
    """What may pass is unavailable; the same body is stored once it has passed."""
    influx2.script.append(behaviour)

    with pytest.raises(StoreUnavailable) as caught:
        await v2.write(body(v2, POINTS))

    assert caught.value.retry_after == retry_after
    assert "secret" not in str(caught.value)
    await v2.write(body(v2, POINTS))
    assert influx2.values("energy") == {(s.name, t): v for s, t, v in POINTS}


async def test_v2_partial_write_is_found_by_halving(influx2: Influx2, v2: InfluxSink2) -> None:
    """InfluxDB 2 counts what it drops and names nothing; nothing is guessed."""
    influx2.refuse = lambda line: "no such sensor" if "series=a" in line else ""

    with pytest.raises(BodyRejected, match="no such sensor") as caught:
        await v2.write(body(v2, POINTS))

    assert caught.value.bad == {}
    assert len(influx2.values("energy")) == 2


async def test_v2_line_it_cannot_read_is_named(influx2: Influx2, v2: InfluxSink2) -> None:
    """InfluxDB 2 stores nothing of a body with a bad line, and quotes that."""
    data = v2.join([*v2.split(body(v2, POINTS)), b"m,series=x value=oops 1"])

    with pytest.raises(BodyRejected) as caught:
        await v2.write(data)

    assert set(caught.value.bad) == {3}
    assert influx2.values("energy") == {}


async def test_v2_too_large(influx2: Influx2, v2: InfluxSink2) -> None:
    """A body above the server's limit asks to be halved."""
    influx2.largest = 100

    with pytest.raises(BodyTooLarge):
        await v2.write(body(v2, POINTS))
    await v2.write(body(v2, POINTS[:1]))


async def test_v2_bucket_is_created_only_if_asked_for(influx2: Influx2) -> None:
    """Without ``create`` a missing bucket is an outage; with it, it is made, once."""
    there = partial(
        InfluxStore, name="s", url=influx2.url, org="campus", bucket="new", token="secret"
    )
    cautious, eager = InfluxSink2(there()), InfluxSink2(there(create=True))

    await cautious.open()
    with pytest.raises(StoreUnavailable, match="HTTP 404"):
        await cautious.write(body(cautious, POINTS))
    with pytest.raises(StoreUnavailable, match="HTTP 404"):
        await cautious.check()
    assert "will be created" in (await eager.check())[0]
    await eager.open()
    await eager.open()

    await cautious.write(body(cautious, POINTS))
    assert await cautious.check() == []
    assert list(influx2.stored) == ["new"]
    await cautious.close()
    await eager.close()


@pytest.mark.parametrize("repeated", ["t0p/secret", "t0p%2Fsecret"])
async def test_v2_wrong_token_is_never_shown(influx2: Influx2, repeated: str) -> None:
    """A token does not appear in a message, even if the server or a proxy repeats it."""
    influx2.make_bucket("b")
    config = InfluxStore(
        name="s", url=influx2.url, org="campus", bucket="b", token="t0p/secret", create=True
    )
    to = InfluxSink2(config)

    with pytest.raises(StoreUnavailable, match="HTTP 401") as opening:
        await to.open()
    influx2.script.append(answer(401, f"who is {repeated}?"))
    with pytest.raises(StoreUnavailable, match=r"who is \*\*\*") as writing:
        await to.write(body(to, POINTS))

    assert repeated not in f"{opening.value} {writing.value} {config!r}"
    await to.close()


async def test_password_in_the_url_is_never_shown() -> None:
    """Credentials may stand in the url; they stay out of messages."""
    url = f"http://reader:hunter2@127.0.0.1:{free_port()}/influx"
    to = InfluxSink2(InfluxStore(name="s", url=url, org="o", bucket="b"))

    with pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:\d+/influx/api/v2/write") as caught:
        await to.write(body(to, POINTS))

    assert "hunter2" not in str(caught.value)
    await to.close()


@pytest.mark.parametrize("gzip", [True, False])
async def test_v2_with_and_without_gzip(influx2: Influx2, gzip: bool) -> None:  # noqa: FBT001
    """Both arrive; a body tells by itself how it is packed."""
    influx2.make_bucket("b")
    config = InfluxStore(
        name="s", url=influx2.url, org="campus", bucket="b", token="secret", gzip=gzip
    )
    to = InfluxSink2(config)

    await to.write(body(to, POINTS))
    await to.close()

    assert len(influx2.values("b")) == 3


async def test_body_of_another_kind_of_store_is_rejected(v2: InfluxSink2) -> None:
    """After a store has changed its type, what waits in the spool is refused, not sent."""
    with pytest.raises(BodyRejected, match="another kind"):
        await v2.write(b'{"series": []}')


async def test_own_certificate_authority(tmp_path: Path) -> None:
    """A server with a certificate of the house is trusted with ``ca_file``, and not without."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    app = web.Application()
    app.router.add_post("/api/v2/write", stored)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=server_side(authority)).start()
    there = partial(InfluxStore, name="s", url=f"https://127.0.0.1:{port}", org="o", bucket="b")
    trusting, careful = InfluxSink2(there(ca_file=tmp_path / "ca.pem")), InfluxSink2(there())

    await trusting.write(body(trusting, POINTS))
    with pytest.raises(StoreUnavailable, match="certificate"):
        await careful.write(body(careful, POINTS))

    await trusting.close()
    await careful.close()
    await runner.cleanup()


async def stored(_request: web.Request) -> web.Response:
    """Say that all is well."""
    return web.Response(status=204)


def server_side(authority: trustme.CA) -> ssl.SSLContext:
    """Return a TLS context for a server on loopback."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context
