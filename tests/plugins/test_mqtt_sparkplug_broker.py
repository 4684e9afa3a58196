"""Sparkplug B against a real broker, with an edge node that has a protobuf encoder of its own."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiomqtt
import pytest

from ingestd.testing import context
from tests.support import sparkplugedge as spb
from tests.support.deadline import WITHIN
from tests.support.mqttplugin import Running, running
from tests.support.servers import RealServer, mosquitto
from tests.support.sparkplugedge import edge

# Brokers start, stop and answer at their own pace.
pytestmark = pytest.mark.slow

TOPICS: Final[list[dict[str, Any]]] = [{"type": "sparkplug"}]
DEGREES: Final = {"name": "t", "alias": 7, "datatype": spb.DOUBLE, "double_value": 61.5}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RealServer]:
    """Give a broker of the test's own, which it may stop and start."""
    with mosquitto(tmp_path / "broker") as server:
        yield server


async def next_values(plugin: Running, count: int) -> list[tuple[str, Any]]:
    """Return name and value of that many readings."""
    return [each[1:] for each in await plugin.readings(count)]


async def test_node_that_is_there_already_is_asked_for_its_birth(broker: RealServer) -> None:
    """The first message of a node that nothing is known of leads to all that it has."""
    async with (
        edge(broker.url, device=[DEGREES]) as node,
        context() as ctx,
        running(ctx, url=broker.url, topics=TOPICS) as plugin,
    ):
        await node.send("DDATA", {"alias": 7, "double_value": 62.5}, device="press")
        first = await next_values(plugin, 4)
        await node.send("DDATA", {"alias": 7, "double_value": 63.5}, device="press")
        then = await next_values(plugin, 1)

    assert first == [
        ("plant/line1/press", "data before a birth, which is asked for"),
        ("plant/line1/online", 1),
        ("plant/line1/press/online", 1),
        ("plant/line1/press/t", 61.5),
    ]
    assert then == [("plant/line1/press/t", 63.5)]
    assert node.births == 1


async def test_message_that_is_lost_leads_to_another_birth(broker: RealServer) -> None:
    """The number that is missing tells it."""
    async with (
        context() as ctx,
        running(ctx, url=broker.url, topics=TOPICS) as plugin,
        edge(broker.url, device=[DEGREES]) as node,
    ):
        await node.birth()
        await next_values(plugin, 3)
        await node.send("DDATA", {"alias": 7, "double_value": 62.5}, device="press", lost=True)
        await node.send("DDATA", {"alias": 7, "double_value": 63.5}, device="press")
        found = await next_values(plugin, 4)

    assert "before a birth" in found[0][1]
    assert found[-1] == ("plant/line1/press/t", 61.5)
    assert node.births == 2


async def test_node_that_is_cut_off_is_told_dead(broker: RealServer) -> None:
    """Its last will says so."""
    async with (
        context() as ctx,
        running(ctx, url=broker.url, topics=TOPICS) as plugin,
        edge(broker.url, device=[DEGREES]) as node,
    ):
        await node.birth()
        await next_values(plugin, 3)
        node.cut_off()
        found = await next_values(plugin, 1)

    assert found == [("plant/line1/online", 0)]


async def test_restart_of_the_broker_makes_births_void(broker: RealServer) -> None:
    """What is published meanwhile is never seen, a birth with other numbers perhaps."""
    async with context() as ctx, running(ctx, url=broker.url, topics=TOPICS) as plugin:
        async with edge(broker.url, device=[DEGREES]) as node:
            await node.birth()
            await next_values(plugin, 3)
        await asyncio.to_thread(broker.restart)
        plugin.subscribed.clear()
        await asyncio.wait_for(plugin.subscribed.wait(), WITHIN)
        async with edge(broker.url, device=[DEGREES]) as node:
            await node.send("DDATA", {"alias": 7, "double_value": 62.5}, device="press")
            found = await next_values(plugin, 4)

    assert "before a birth" in found[0][1]
    assert found[-1] == ("plant/line1/press/t", 61.5)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_host_says_whether_it_is_there(broker: RealServer, protocol: str) -> None:
    """Retained, with the time of its connection, and only if it is asked for."""
    topics = [{"type": "sparkplug", "host": "scada"}]
    parts = urlsplit(broker.url)
    async with aiomqtt.Client(parts.hostname or "", parts.port or 1883) as client:
        await client.subscribe("spBv1.0/#", qos=1)
        async with (
            context() as ctx,
            running(ctx, url=broker.url, topics=topics, protocol=protocol),
        ):
            here = await anext(client.messages)
        gone = await anext(client.messages)
    states = [json.loads(bytes(each.payload)) for each in (here, gone)]

    assert {str(each.topic) for each in (here, gone)} == {"spBv1.0/STATE/scada"}
    assert [each["online"] for each in states] == [True, False]
    assert states[0]["timestamp"] == states[1]["timestamp"] > 1_700_000_000_000
