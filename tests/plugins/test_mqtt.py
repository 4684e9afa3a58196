"""The mqtt plugin against a real broker: what is acked is safe, what is not comes again."""

import asyncio
import gc
import hashlib
import json
import warnings
from base64 import b64encode
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import aiomqtt
import pytest
import trustme

from ingestd.plugins.mqtt import BrokerError, BrokerRefused, run
from ingestd.plugins.mqtt.client import inner
from ingestd.plugins.mqtt.inbox import Inbox
from ingestd.plugins.mqtt.routes import Message
from ingestd.testing import TestContext, context, results
from tests.support.ports import free_port
from tests.support.servers import RealServer, mosquitto

pytestmark = pytest.mark.slow
Results = AsyncGenerator[dict[str, Any], None]


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RealServer]:
    """Give a broker of the test's own, which it may stop and start."""
    with mosquitto(tmp_path / "broker") as server:
        yield server


async def publish(url: str, topic: str, *payloads: object, retain: bool = False) -> None:
    """Publish at QoS 1, and return when the broker has everything."""
    parts = urlsplit(url)
    async with aiomqtt.Client(parts.hostname or "", parts.port or 1883) as client:
        for payload in payloads:
            await client.publish(topic, str(payload), qos=1, retain=retain)


class Running:
    """A plugin that runs, as in the daemon: resumed at once, cancelled at the end."""

    def __init__(self, ctx: TestContext, **params: Any) -> None:
        self._found = results(run, ctx=ctx, **{"linger": "10ms", **params})
        self._results: asyncio.Queue[dict[str, Any] | Exception | None] = asyncio.Queue()
        self.subscribed = asyncio.Event()

    async def pump(self) -> None:
        """Take results, and whatever ends them, until cancelled."""
        try:
            async with aclosing(self._found) as found:
                async for result in found:
                    if "subscribed" in result:
                        self.subscribed.set()
                    else:
                        self._results.put_nowait(result)
            self._results.put_nowait(None)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the test gets it
            self._results.put_nowait(error)

    async def next(self) -> dict[str, Any]:
        """Return the next result, or raise what the plugin raised."""
        result = await asyncio.wait_for(self._results.get(), 20)
        if isinstance(result, Exception):
            raise result
        if result is None:
            raise StopAsyncIteration
        return result

    async def values(self, count: int) -> list[float]:
        """Return that many values, and not one more."""
        seen: list[float] = []
        while len(seen) < count:
            seen += [value for _, _, value, *_ in (await self.next())["readings"]]
        assert len(seen) == count
        return seen

    async def all_of(self, wanted: set[float]) -> None:
        """Return when all of these values have come; at least once is what QoS 1 promises."""
        while wanted:
            wanted = wanted - {value for _, _, value, *_ in (await self.next())["readings"]}

    @property
    def inbox(self) -> Inbox:
        """The plugin's inbox, to see what it holds."""
        return cast("Inbox", inner_frame(self._found)["inbox"])


def inner_frame(found: Any) -> dict[str, Any]:
    """Return the variables of the plugin behind ``results``."""
    return cast("dict[str, Any]", found.ag_frame.f_locals["given"].ag_frame.f_locals)


@asynccontextmanager
async def running(ctx: TestContext, **params: Any) -> AsyncIterator[Running]:
    """Run the plugin in the background, once it has subscribed."""
    plugin = Running(ctx, **params)
    pump = asyncio.create_task(plugin.pump())
    ready = asyncio.create_task(plugin.subscribed.wait())
    try:
        await asyncio.wait({pump, ready}, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            await plugin.next()
        yield plugin
    finally:
        pump.cancel()
        ready.cancel()
        await asyncio.gather(pump, ready, return_exceptions=True)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_messages_become_readings(mqtt_url: str, unique: str, protocol: str) -> None:
    """What is published arrives, with the time of its arrival."""
    async with (
        context(collector=unique) as ctx,
        running(ctx, url=mqtt_url, protocol=protocol, topics=[f"{unique}/{{room}}"]) as plugin,
    ):
        before = ctx.now().timestamp()
        await publish(mqtt_url, f"{unique}/lab", 21.5)
        result = await plugin.next()

    ((time, series, value),) = result["readings"]
    assert (series, value) == (f"{unique}/lab", 21.5)
    assert before <= time <= before + 5


async def test_unacked_messages_come_again(mqtt_url: str, unique: str) -> None:
    """A run that ends before its readings are safe has taken nothing from the broker."""
    async with context(collector=unique) as ctx:
        ctx.safe.clear()
        async with running(ctx, url=mqtt_url, topics=[unique]) as plugin:
            await publish(mqtt_url, unique, 1, 2, 3)
            first = await plugin.next()

        ctx.safe.set()
        async with running(ctx, url=mqtt_url, topics=[unique]) as plugin:
            again = await plugin.values(3)

    assert first["readings"][0][2] == 1
    assert again == [1, 2, 3]


async def test_acked_messages_do_not_come_again(mqtt_url: str, unique: str) -> None:
    """What was safe, and only that, is gone from the broker."""
    async with context(collector=unique) as ctx:
        async with running(ctx, url=mqtt_url, topics=[unique]) as plugin:
            await publish(mqtt_url, unique, 1, 2)
            await plugin.values(2)
            ctx.safe.clear()
            await publish(mqtt_url, unique, 3)
            await plugin.values(1)

        ctx.safe.set()
        async with running(ctx, url=mqtt_url, topics=[unique]) as plugin:
            again = await plugin.values(1)

    assert again == [3]


async def test_messages_wait_while_nobody_is_there(mqtt_url: str, unique: str) -> None:
    """The session outlives the run."""
    async with context(collector=unique) as ctx:
        async with running(ctx, url=mqtt_url, topics=[unique]):
            pass
        await publish(mqtt_url, unique, 1, 2, 3)

        async with running(ctx, url=mqtt_url, topics=[unique]) as plugin:
            assert await plugin.values(3) == [1, 2, 3]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_connection_comes_back_with_its_session(broker: RealServer, protocol: str) -> None:
    """A restart of the broker is two lines in the log, and no message lost or read twice."""
    async with (
        context() as ctx,
        running(ctx, url=broker.url, topics=["a"], protocol=protocol) as plugin,
    ):
        ctx.safe.clear()
        await publish(broker.url, "a", 1)
        held = await plugin.values(1)
        await publish(broker.url, "a", 2)
        await asyncio.to_thread(broker.restart)
        plugin.subscribed.clear()
        ctx.safe.set()
        await asyncio.wait_for(plugin.subscribed.wait(), 10)
        await publish(broker.url, "a", 3)
        after = await plugin.values(2)

    assert (held, after) == ([1], [2, 3])
    assert [line["event"] for line in ctx.logs] == ["broker is away", "broker is back"]


async def test_lost_session_is_told(broker: RealServer) -> None:
    """A broker without a memory has lost what was published meanwhile; somebody should know."""
    async with context() as ctx, running(ctx, url=broker.url, topics=["a"]) as plugin:
        broker.kill()
        (broker.folder / "mosquitto.db").unlink(missing_ok=True)
        plugin.subscribed.clear()
        broker.start()
        await asyncio.wait_for(plugin.subscribed.wait(), 10)

    assert ctx.logs[-1]["event"].startswith("broker has forgotten our session")
    assert ctx.logs[-1]["log_level"] == "warning"


async def test_memory_is_bounded_while_nothing_gets_safe(tmp_path: Path) -> None:
    """20,000 messages wait at the broker, not here, and all of them come in the end."""
    many = 20_000
    with mosquitto(tmp_path / "broker", config="autosave_on_changes false") as broker:
        await flood(broker.url, many)


async def flood(url: str, many: int) -> None:
    """Publish many messages while nothing gets safe, and then read them."""
    async with (
        context() as ctx,
        running(ctx, url=url, topics=["a"], max_held=500, linger="1ms") as plugin,
    ):
        ctx.safe.clear()
        await publish_fast(url, "a", many)
        inbox = plugin.inbox
        while inbox.held < 500:  # noqa: ASYNC110 -- it has no event for being full
            await asyncio.sleep(0.01)
        held = [inbox.held]
        ctx.safe.set()
        seen: list[float] = []
        while len(seen) < many:
            seen += [value for _, _, value in (await plugin.next())["readings"]]
            held.append(inbox.held)

    assert seen == list(range(many))
    assert max(held) == 500


async def publish_fast(url: str, topic: str, count: int) -> None:
    """Publish many numbers without waiting for each."""
    parts = urlsplit(url)
    async with aiomqtt.Client(parts.hostname or "", parts.port or 1883) as client:
        client.pending_calls_threshold = count
        for start in range(0, count, 500):
            batch = range(start, min(start + 500, count))
            await asyncio.gather(*(client.publish(topic, str(n), qos=1) for n in batch))


async def test_plugin_leaves_before_the_broker_takes_it_for_dead(
    mqtt_url: str, unique: str
) -> None:
    """When nothing gets safe for long, the broker keeps the rest, and later nothing is missing."""
    async with (
        context(collector=unique) as ctx,
        running(
            ctx, url=mqtt_url, topics=[unique], max_held=10, keepalive="3s", linger="1ms"
        ) as plugin,
    ):
        ctx.safe.clear()
        await publish(mqtt_url, unique, *range(30))
        while not ctx.logs:  # noqa: ASYNC110 -- a log has no event
            await asyncio.sleep(0.05)
        ctx.safe.set()
        await plugin.all_of({float(number) for number in range(30)})

    assert ctx.logs[0]["event"] == "nothing gets safe; the broker keeps further messages"


async def test_two_clients_share_a_subscription(mqtt_url: str, unique: str) -> None:
    """Each message goes to one of them."""
    topics = [f"$share/group/{unique}/+"]
    async with (
        context(collector=f"{unique}-1") as one,
        context(collector=f"{unique}-2") as two,
        running(one, url=mqtt_url, topics=topics) as first,
        running(two, url=mqtt_url, topics=topics) as second,
    ):
        await publish(mqtt_url, f"{unique}/x", *range(20))
        one_value = await first.next()
        other_value = await second.next()
        seen = [*one_value["readings"], *other_value["readings"]]
        while len(seen) < 20:
            tasks = {asyncio.create_task(each.next()) for each in (first, second)}
            done, waiting = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            seen += [reading for task in done for reading in task.result()["readings"]]
            for task in waiting:
                task.cancel()

    assert sorted(value for _, _, value in seen) == list(range(20))


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, []),
        ({"retained": "once"}, [5]),
        ({"value": "v", "time": "t"}, [6]),
        ({"value": "v", "time": "t", "retained": "ignore"}, []),
    ],
)
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_retained_messages(
    mqtt_url: str, unique: str, protocol: str, params: dict[str, Any], expected: list[float]
) -> None:
    """They are taken if they carry their own time, or if the operator says so."""
    payload = '{"v": 6, "t": 1700000000}' if "time" in params else 5
    await publish(mqtt_url, unique, payload, retain=True)
    topics = [unique, f"{unique}/marker"]
    async with (
        context(collector=unique) as ctx,
        running(ctx, url=mqtt_url, topics=topics, protocol=protocol, **params) as plugin,
    ):
        marker = '{"v": -1, "t": 1}' if "time" in params else -1
        await publish(mqtt_url, f"{unique}/marker", marker)
        seen = await plugin.values(len(expected) + 1)

    assert seen == [*expected, -1]


async def test_subscription_that_is_gone_ends(mqtt_url: str, unique: str) -> None:
    """A topic that was taken out of the config is not delivered by the old session."""
    old, new = f"{unique}/old", f"{unique}/new"
    async with context(collector=unique) as ctx:
        async with running(ctx, url=mqtt_url, topics=[old, new]):
            pass
        async with running(ctx, url=mqtt_url, topics=[new], subscribed=[old, new]) as plugin:
            ctx.safe.clear()
            await publish(mqtt_url, old, 1)
            await publish(mqtt_url, new, 2)
            result = await plugin.next()
            held = plugin.inbox.held

    assert [reading[1:] for reading in result["readings"]] == [(new, 2)]
    assert held == 1


async def test_presence_is_told(mqtt_url: str, unique: str) -> None:
    """Others can see whether the collector is there."""
    parts = urlsplit(mqtt_url)
    status = f"{unique}/status"
    async with aiomqtt.Client(parts.hostname or "", parts.port or 1883) as watcher:
        await watcher.subscribe(status, qos=1)
        async with (
            context(collector=unique) as ctx,
            running(ctx, url=mqtt_url, topics=[unique], presence=status),
        ):
            online = await anext(watcher.messages)
        offline = await anext(watcher.messages)

    assert (online.payload, offline.payload) == (b"online", b"offline")


async def test_stream_ends_when_the_daemon_stops(mqtt_url: str, unique: str) -> None:
    """It does not wait for a message that may never come."""
    async with (
        context(collector=unique) as ctx,
        running(ctx, url=mqtt_url, topics=[unique]) as plugin,
    ):
        ctx.stop()
        with pytest.raises(StopAsyncIteration):
            await plugin.next()


# --- who may connect


async def refused(**params: Any) -> str:
    """Return the error of a run that gets no connection."""
    async with context() as ctx, aclosing(results(run, ctx=ctx, topics=["a"], **params)) as found:
        with pytest.raises(BrokerError) as caught:
            await anext(found)
    return str(caught.value)


async def test_wrong_password_is_a_clear_error(tmp_path: Path) -> None:
    """The error names broker, client and user, but not the password."""
    passwords = tmp_path / "passwords"
    passwords.write_text("")
    config = f"allow_anonymous false\npassword_file {passwords}"
    with mosquitto(tmp_path / "broker", config=config) as broker:
        message = await refused(url=broker.url, username="me", password="hush")

    assert message.startswith(f"{broker.url}: the broker refused client 'ingestd-")
    assert "user 'me': Not authorized" in message
    assert "hush" not in message


async def test_broker_that_is_not_there_fails_the_first_run() -> None:
    """A wrong address shows as a failed run, not as a quiet stream."""
    message = await refused(url=f"mqtt://127.0.0.1:{free_port()}")

    assert "cannot connect: [Errno 111] Connection refused" in message


async def test_forbidden_topic_is_a_clear_error(tmp_path: Path) -> None:
    """A subscription that the broker does not grant is no silence."""
    with mosquitto(tmp_path / "broker", config=no_subscriptions(tmp_path, "me", "hush")) as broker:
        message = await refused(url=broker.url, username="me", password="hush")

    assert message == f"{broker.url}: 'a': expected to be subscribed, got Not authorized"


def no_subscriptions(folder: Path, username: str, password: str) -> str:
    """Return the configuration of a broker where a user may connect and nothing else."""
    plugins = list(Path("/usr/lib").glob("*/mosquitto_dynamic_security.so"))
    if not plugins:
        pytest.skip("mosquitto has no dynamic security here")
    salt, rounds = b"twelve bytes", 101
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds, 64)
    client = {
        "username": username,
        "password": b64encode(digest).decode(),
        "salt": b64encode(salt).decode(),
        "iterations": rounds,
        "roles": [],
    }
    may = {"subscribe": False, "unsubscribe": True, "publishClientSend": True}
    rules = folder / "rules.json"
    rules.write_text(json.dumps({"clients": [client], "roles": [], "defaultACLAccess": may}))
    return f"allow_anonymous false\nplugin {plugins[0]}\nplugin_opt_config_file {rules}"


async def test_second_client_of_the_same_name_is_told(mqtt_url: str, unique: str) -> None:
    """Two clients of one name would take the session from each other for ever."""
    async with (
        context(collector=unique) as ctx,
        running(ctx, url=mqtt_url, topics=[unique]) as plugin,
        running(ctx, url=mqtt_url, topics=[unique]),
    ):
        with pytest.raises(BrokerRefused, match="another client call"):
            await plugin.next()


async def test_tls_with_a_client_certificate(tmp_path: Path) -> None:
    """The broker's certificate is checked, and ours is shown."""
    authority = trustme.CA()
    theirs = authority.issue_cert("127.0.0.1")
    ours = authority.issue_cert("collector@example.org")
    files = {name: tmp_path / f"{name}.pem" for name in ("ca", "cert", "key", "mine", "minekey")}
    authority.cert_pem.write_to_path(files["ca"])
    theirs.cert_chain_pems[0].write_to_path(files["cert"])
    theirs.private_key_pem.write_to_path(files["key"])
    ours.cert_chain_pems[0].write_to_path(files["mine"])
    ours.private_key_pem.write_to_path(files["minekey"])
    port = free_port()
    config = (
        f"listener {port} 127.0.0.1\ncafile {files['ca']}\ncertfile {files['cert']}\n"
        f"keyfile {files['key']}\nrequire_certificate true\n"
    )
    url = f"mqtts://127.0.0.1:{port}"
    mine = {"cert_file": str(files["mine"]), "key_file": str(files["minekey"])}
    with mosquitto(tmp_path / "broker", config=config) as broker:
        async with (
            context() as ctx,
            running(ctx, url=url, topics=["a"], ca_file=str(files["ca"]), **mine) as plugin,
        ):
            await publish_fast(broker.url, "a", 3000)
            assert await plugin.values(3000) == list(range(3000))

        async with (
            context(collector="other") as ctx,
            running(ctx, url=url, topics=["a"], insecure=True, **mine) as plugin,
        ):
            await publish(broker.url, "a", 8)
            assert await plugin.values(1) == [8]

        with warnings.catch_warnings():
            # paho leaves a socket to the garbage collector when the handshake fails.
            warnings.simplefilter("ignore", ResourceWarning)
            message = await refused(url=url, **mine)
            gc.collect()

    assert "CERTIFICATE_VERIFY_FAILED" in message


# --- options, and the private parts of others


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"url": "http://x"}, "url: expected mqtt://host:port"),
        ({"url": "mqtt://me:hush@x"}, "url: expected the user in `username`"),
        ({"topics": "a"}, "topics: expected a list of filters"),
        ({"protocol": 4}, "protocol: expected 5 or 3.1.1, got 4"),
        ({"retained": "twice"}, "retained: expected 'ignore' or 'once'"),
        ({"max_held": 0}, "max_held: expected a whole number"),
        ({"linger": 5}, "linger: expected a duration such as 5s"),
    ],
)
async def test_wrong_options_say_what_is_right(params: dict[str, Any], message: str) -> None:
    """Mistakes are found before the broker is asked, and no password is shown."""
    async with context() as ctx:
        found = results(run, **{"ctx": ctx, "url": "mqtt://x", "topics": ["a"], **params})
        with pytest.raises(ValueError, match=message) as caught:
            await anext(found)

    assert "hush" not in str(caught.value)


async def test_another_aiomqtt_is_found_out() -> None:
    """A version without the paho client inside says so, instead of acking too early."""
    client: Any = aiomqtt.Client("x")
    assert inner(client) is client._client

    client._client = object()
    with pytest.raises(BrokerError, match="expected a version that holds a paho client"):
        inner(client)


def test_repeat_is_known_by_number_topic_and_payload() -> None:
    """Only a message that is safe already is acked without being read."""
    inbox = Inbox(max_held=10, max_bytes=1000)
    inbox.remember([Message("a", b"1", 7.0, 5, 1)])

    assert not inbox.is_repeat(6, "a", b"1")
    assert not inbox.is_repeat(5, "b", b"1")
    assert not inbox.is_repeat(5, "a", b"2")
    assert inbox.is_repeat(5, "a", b"1")
    assert not inbox.is_repeat(5, "a", b"1")


def test_inbox_is_full_by_count_or_bytes() -> None:
    """Few large messages fill it, too."""
    inbox = Inbox(max_held=3, max_bytes=10)
    full = []
    for payload in (b"123456789", b"1"):
        inbox.add(Message("a", payload, 7.0, 1, 1))
        full.append(inbox.full)
    while taken := inbox.take():
        inbox.release(taken)
    full.append(inbox.full)

    assert full == [False, True, False]
