"""Helpers for the tests of plugins: call ``run`` as the daemon would, without one.

A test of a plugin of any shape::

    from ingestd.testing import collect

    async def test_reads_the_meter(meter_server):
        (result,) = await collect(my_plugin.run, url=meter_server.url)

        assert result["readings"] == [(1700000000, "kitchen_kwh", 4.2)]

One whose time, logs or stored points matter makes its own ``Context``::

    async with context(now=datetime(2026, 7, 1, tzinfo=UTC)) as ctx:
        results = await collect(my_plugin.run, url=url, ctx=ctx)

Nothing here imitates a network: ``ctx.http`` is a real session, so give the
plugin a real server, such as aiohttp's on a free port.
"""

import asyncio
import inspect
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Iterable,
    Mapping,
    MutableMapping,
)
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import structlog
from structlog.testing import LogCapture

from ingestd.contract import portable
from ingestd.model import StoredPoint


@dataclass(eq=False, kw_only=True)
class Context:
    """What a plugin gets as ``ctx``, in the hands of a test.

    Attributes:
        http: A plain aiohttp session: no retries, no limits.
        collector: The collector's name.
        time: What ``now`` says; None lets it follow the machine's clock.
        stopping: Set it to True to tell the plugin that the daemon wants to stop.
        safe: ``settled`` returns while it is set, which it is to begin with;
            clear it to hold the plugin back, as a store that is away would.
        stored: What ``query`` finds.
        logs: What the plugin logged: dicts with ``event`` and ``log_level``.
    """

    http: aiohttp.ClientSession
    collector: str = "test"
    time: datetime | None = None
    stopping: bool = False
    safe: asyncio.Event = field(default_factory=asyncio.Event)
    stored: Iterable[StoredPoint] = ()
    logs: list[MutableMapping[str, Any]] = field(default_factory=list)
    log: Any = field(init=False)

    def __post_init__(self) -> None:
        capture = LogCapture()
        capture.entries = self.logs
        self.log = structlog.wrap_logger(None, processors=[capture], collector=self.collector)
        self.safe.set()

    def now(self) -> datetime:
        """Return the time, aware, in UTC."""
        return self.time or datetime.now(UTC)

    async def settled(self) -> None:
        """Return once the test calls everything so far safe."""
        await self.safe.wait()

    async def query(
        self,
        series: str,
        *,
        start: datetime,
        end: datetime,
        tags: Mapping[str, str] | None = None,
    ) -> list[StoredPoint]:
        """Return the points of ``stored`` that the question asks for."""
        first, last = start.timestamp() * 1e6, end.timestamp() * 1e6
        wanted = (tags or {}).items()
        return [
            point
            for point in self.stored
            if point.series == series
            and first <= point.time_us < last
            and wanted <= point.tags.items()
        ]


@asynccontextmanager
async def context(
    *, now: datetime | None = None, collector: str = "test"
) -> AsyncIterator[Context]:
    """Make a ``Context`` whose session is closed afterwards.

    Args:
        now: The time it shows, aware; without it, the machine's.
        collector: The collector's name.
    """
    async with aiohttp.ClientSession() as http:
        yield Context(http=http, time=now, collector=collector)


async def results(run: Callable[..., Any], **params: Any) -> AsyncGenerator[dict[str, Any], None]:
    """Call a plugin of any shape and yield its results as the daemon would get them.

    A plugin that asks for ``ctx`` gets a fresh one unless the test passes its own.
    Leave the loop to end a stream; use ``contextlib.aclosing`` to end it at once.

    Raises:
        ingestd.errors.ResultError: The daemon would refuse such a result.
    """
    if "ctx" in inspect.signature(run).parameters and "ctx" not in params:
        async with context() as ctx, aclosing(results(run, ctx=ctx, **params)) as found:
            async for result in found:
                yield result
        return
    given: Any = run(**params)
    if inspect.isasyncgen(given):
        async with aclosing(given) as found:
            async for each in found:
                yield portable(each)
    else:
        yield portable(await given if inspect.isawaitable(given) else given)


async def collect(run: Callable[..., Any], **params: Any) -> list[dict[str, Any]]:
    """Call a plugin of any shape until it ends, and return all of its results.

    Raises:
        ingestd.errors.ResultError: The daemon would refuse such a result.
    """
    return [result async for result in results(run, **params)]
