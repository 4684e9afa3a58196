"""The mqtt plugin in the background, and what publishes to it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, cast
from urllib.parse import urlsplit

import aiomqtt

from ingestd.plugins.mqtt import run
from ingestd.plugins.mqtt.inbox import Inbox
from ingestd.testing import TestContext, results
from tests.support.deadline import WITHIN


async def publish(url: str, topic: str, *payloads: object, retain: bool = False) -> None:
    """Publish at QoS 1, and return when the broker has everything."""
    parts = urlsplit(url)
    async with aiomqtt.Client(parts.hostname or "", parts.port or 1883) as client:
        for payload in payloads:
            await client.publish(topic, str(payload), qos=1, retain=retain)


async def publish_each(
    url: str, messages: Sequence[tuple[str, str | bytes]], *, retain: bool = False
) -> None:
    """Publish messages at QoS 1, one after the other."""
    parts = urlsplit(url)
    async with aiomqtt.Client(parts.hostname or "", parts.port or 1883) as client:
        for topic, payload in messages:
            await client.publish(topic, payload, qos=1, retain=retain)


async def publish_fast(url: str, topic: str, count: int) -> None:
    """Publish many numbers without waiting for each."""
    parts = urlsplit(url)
    async with aiomqtt.Client(parts.hostname or "", parts.port or 1883) as client:
        client.pending_calls_threshold = count
        for start in range(0, count, 500):
            batch = range(start, min(start + 500, count))
            await asyncio.gather(*(client.publish(topic, str(n), qos=1) for n in batch))


class Running:
    """A plugin that runs, as in the daemon: resumed at once, cancelled at the end."""

    def __init__(self, ctx: TestContext, **params: Any) -> None:
        self._found = results(run, ctx=ctx, **{"linger": "10ms", **params})
        self._results: asyncio.Queue[dict[str, Any] | Exception | None] = asyncio.Queue()
        self.subscribed = asyncio.Event()
        self.state: dict[str, Any] = {}

    async def pump(self) -> None:
        """Take results, and what ends them, until cancelled."""
        try:
            async with aclosing(self._found) as found:
                async for result in found:
                    self.state |= {n: each for n, each in result.items() if n != "readings"}
                    if "subscribed" in result:
                        self.subscribed.set()
                    else:
                        self._results.put_nowait(result)
            self._results.put_nowait(None)
        except Exception as error:  # noqa: BLE001 -- the test gets it
            self._results.put_nowait(error)

    async def next(self) -> dict[str, Any]:
        """Return the next result, or raise what the plugin raised."""
        result = await asyncio.wait_for(self._results.get(), WITHIN)
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

    async def readings(self, count: int) -> list[tuple[Any, ...]]:
        """Return that many readings, and not one more."""
        seen: list[tuple[Any, ...]] = []
        while len(seen) < count:
            seen += (await self.next())["readings"]
        assert len(seen) == count
        return seen

    async def follows(self, topics: Sequence[str], *, without: str = "") -> None:
        """Return when the plugin has subscribed to these, and perhaps to others, but not to one."""
        while True:
            now = {*self.state.get("subscribed", ())}
            if {*topics} <= now and without not in now:
                return
            self.subscribed.clear()
            await asyncio.wait_for(self.subscribed.wait(), WITHIN)

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
        await asyncio.wait({pump, ready}, timeout=WITHIN, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            await plugin.next()
        yield plugin
    finally:
        pump.cancel()
        ready.cancel()
        await asyncio.gather(pump, ready, return_exceptions=True)
