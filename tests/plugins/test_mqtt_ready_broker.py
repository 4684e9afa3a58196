"""Ready routes of the mqtt plugin against a real broker, set up as a user would: by one word."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from ingestd.testing import context
from tests.support.deadline import WITHIN
from tests.support.mqttplugin import publish_each, running
from tests.support.readyroutes import SAMPLES, ZONE, told
from tests.support.servers import RealServer, mosquitto

# Brokers start, stop and answer at their own pace.
pytestmark = pytest.mark.slow

CONFIG: Final[tuple[str, str]] = (
    "homeassistant/sensor/a/t/config",
    '{"name": "T", "unit_of_measurement": "°C", "state_topic": "a/t", "device": {"name": "A"}}',
)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[RealServer]:
    """Give a broker of the test's own, since ready routes read all topics of their kind."""
    with mosquitto(tmp_path / "broker") as server:
        yield server


def homeassistant(broker: RealServer, **params: Any) -> dict[str, Any]:
    """Return params that read what Home Assistant's discovery tells of."""
    return {"url": broker.url, "topics": [{"type": "homeassistant"}], **params}


@pytest.mark.parametrize("name", SAMPLES)
async def test_devices_are_read_by_one_word(broker: RealServer, name: str) -> None:
    """What they have published before and publish now comes to the right readings."""
    since, sample = time.time(), SAMPLES[name]
    expected = sample["readings"].splitlines()
    await publish_each(broker.url, sample.get("retained", ()), retain=True)
    async with (
        context(timezone=ZONE) as ctx,
        running(ctx, url=broker.url, topics=[sample["entry"]]) as plugin,
    ):
        await plugin.follows(sample.get("follows", ()))
        await publish_each(broker.url, sample["messages"])
        found = await plugin.readings(len(expected))

    assert [told(each, since=since) for each in found] == expected


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_what_was_published_while_away_has_its_name_and_unit(
    broker: RealServer, protocol: str
) -> None:
    """It comes before the descriptions do, which the state has kept."""
    params = homeassistant(broker, protocol=protocol)
    await publish_each(broker.url, [CONFIG], retain=True)
    async with context() as ctx:
        async with running(ctx, **params) as plugin:
            await plugin.follows(["a/t"])
        await publish_each(broker.url, [("a/t", "21.5")])
        state = plugin.state
        async with running(ctx, **params, **state) as plugin:
            ((_, series, value),) = await plugin.readings(1)

    assert (series, value) == ("A_T_celsius", 21.5)
    assert set(state["described"]) == {CONFIG[0]}


async def test_a_topic_is_asked_for_once_its_description_is_on_disk(broker: RealServer) -> None:
    """Or else a kill in between would leave values that nothing describes at the broker."""
    writing, on_disk = asyncio.Event(), asyncio.Event()

    async def committed() -> bool:
        writing.set()
        return await on_disk.wait()

    async with context() as ctx:
        ctx.committed = committed  # type: ignore[method-assign]  # a disk that takes its time
        async with running(ctx, **homeassistant(broker)) as plugin:
            await publish_each(broker.url, [CONFIG], retain=True)
            await asyncio.wait_for(writing.wait(), WITHIN)
            before = plugin.state["subscribed"]
            on_disk.set()
            await plugin.follows(["a/t"])

    assert "a/t" not in before


async def test_devices_may_come_and_go(broker: RealServer) -> None:
    """What is described later is read, too; what is taken out is asked for no more."""
    async with context() as ctx, running(ctx, **homeassistant(broker)) as plugin:
        await publish_each(broker.url, [CONFIG], retain=True)
        await plugin.follows(["a/t"])
        await publish_each(broker.url, [("a/t", "21.5")])
        first = await plugin.readings(1)
        await publish_each(broker.url, [(CONFIG[0], "")], retain=True)
        other = ("homeassistant/sensor/b/config", CONFIG[1].replace("a/t", "b/t"))
        await publish_each(broker.url, [other], retain=True)
        await plugin.follows(["b/t"])
        await publish_each(broker.url, [("a/t", "1"), ("b/t", "22.5")])
        second = await plugin.readings(1)

    assert [each[1:] for each in (*first, *second)] == [
        ("A_T_celsius", 21.5),
        ("A_T_celsius", 22.5),
    ]
    assert "a/t" not in plugin.state["subscribed"]
    assert set(plugin.state["described"]) == {"homeassistant/sensor/b/config"}


async def test_retained_states_are_as_old_as_they_are(broker: RealServer) -> None:
    """Only what describes is taken of them, as with any other topic without a time."""
    await publish_each(broker.url, [CONFIG, ("a/t", "20.5")], retain=True)
    async with context() as ctx, running(ctx, **homeassistant(broker)) as plugin:
        await plugin.follows(["a/t"])
        await publish_each(broker.url, [("a/t", "21.5")])
        ((_, _, value),) = await plugin.readings(1)

    assert value == 21.5


async def test_template_that_is_not_understood_is_told(broker: RealServer) -> None:
    """The entity is not read, and the log has its name and its template."""
    odd = CONFIG[1].replace("{", '{"value_template": "{{ value | my_filter }}", ', 1)
    await publish_each(broker.url, [(CONFIG[0], odd)], retain=True)
    other = CONFIG[1].replace("a/t", "b/t").replace('"T"', '"U"')
    await publish_each(broker.url, [("homeassistant/sensor/b/config", other)], retain=True)
    async with context() as ctx, running(ctx, **homeassistant(broker)) as plugin:
        await plugin.follows(["b/t"])

    (line,) = ctx.logs
    assert line["log_level"] == "warning"
    assert line["event"].startswith("some value templates are not understood")
    assert line["templates"] == ["A_T_celsius: {{ value | my_filter }}"]
