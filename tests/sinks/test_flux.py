"""Questions to an InfluxDB 2, which wait in threads."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ingestd.config.model import InfluxStore
from ingestd.sinks.influxdb import InfluxSink2


class SlowServer:
    """A server that answers questions when it is told to.

    Attributes:
        asked: Set once it was asked.
        may_answer: Set when it is to.
    """

    def __init__(self) -> None:
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()

    async def answer(self, _request: web.Request) -> web.Response:
        """Answer with nothing."""
        self.asked.set()
        await self.may_answer.wait()
        return web.Response(text="", content_type="text/csv")


@pytest.fixture
async def slow() -> AsyncIterator[tuple[SlowServer, InfluxSink2]]:
    """Give such a server with a sink for it."""
    made, app = SlowServer(), web.Application()
    app.router.add_post("/api/v2/query", made.answer)
    async with TestServer(app) as server:
        url = str(server.make_url("/"))
        sink = InfluxSink2(InfluxStore(name="s", url=url, org="o", bucket="b", token="t"))
        yield made, sink
        made.may_answer.set()
        await sink.close()


async def test_a_question_that_is_cancelled_ends_so(slow: tuple[SlowServer, InfluxSink2]) -> None:
    """While a thread waits for the answer, nothing else may happen to what reads it."""
    server, sink = slow
    asking = asyncio.create_task(sink.read("level", start_us=0, end_us=1, tags={}))
    await server.asked.wait()

    asking.cancel()
    await asyncio.wait({asking})

    assert asking.cancelled()
