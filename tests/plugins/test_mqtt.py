"""The mqtt plugin against a real broker: what is acked is safe, what is not comes again."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiomqtt
import pytest

from ingestd.testing import context
from tests.support.deadline import WITHIN
from tests.support.mqttplugin import publish, publish_fast, running
from tests.support.servers import RealServer, mosquitto

# Brokers start, stop and answer at their own pace.
pytestmark = pytest.mark.slow


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RealServer]:
    """Give a broker of the test's own, which it may stop and start."""
    with mosquitto(tmp_path / "broker") as server:
        yield server


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


async def test_a_message_of_several_records_is_safe_as_a_whole(mqtt_url: str, unique: str) -> None:
    """A list of samples makes a reading of each, with its own time."""
    samples = '[{"ts": 10, "celsius": 20.5}, {"ts": 20, "celsius": 21.5}]'
    entry = {"filter": f"{unique}/{{room}}", "records": "@", "time": "ts", "value": "celsius"}
    async with (
        context(collector=unique) as ctx,
        running(ctx, url=mqtt_url, topics=[{**entry, "series": "{room}"}]) as plugin,
    ):
        await publish(mqtt_url, f"{unique}/lab", samples)
        result = await plugin.next()

    assert result["readings"] == [(10, "lab", 20.5), (20, "lab", 21.5)]


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


async def test_messages_wait_while_no_run_is_there(mqtt_url: str, unique: str) -> None:
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
        await asyncio.wait_for(plugin.subscribed.wait(), WITHIN)
        await publish(broker.url, "a", 3)
        after = await plugin.values(2)

    assert (held, after) == ([1], [2, 3])
    assert [line["event"] for line in ctx.logs] == ["broker is away", "broker is back"]
    up, *down, up_again = ctx.connection
    assert (up, up_again) == ("", "")
    assert down
    assert all(reason.count(broker.url.removeprefix("mqtt://")) == 1 for reason in down)


async def test_lost_session_is_told(broker: RealServer) -> None:
    """A broker without a memory has lost what was published meanwhile; the operator should know."""
    async with context() as ctx, running(ctx, url=broker.url, topics=["a"]) as plugin:
        broker.kill()
        (broker.folder / "mosquitto.db").unlink(missing_ok=True)
        plugin.subscribed.clear()
        broker.start()
        await asyncio.wait_for(plugin.subscribed.wait(), WITHIN)

    assert ctx.logs[-1]["event"].startswith("broker has forgotten our session")
    assert ctx.logs[-1]["log_level"] == "warning"


@pytest.mark.slow(10)
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
