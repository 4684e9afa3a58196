"""Helpers for the tests of plugins: call ``run`` as the daemon would, without one.

A test of a plugin of any shape::

    from ingestd.testing import collect

    async def test_reads_the_meter(meter_server):
        (result,) = await collect(my_plugin.run, url=meter_server.url)

        assert result["readings"] == [(1700000000, "kitchen_kwh", 4.2)]

One whose time, logs or stored points matter makes its own context::

    async with context(now=datetime(2026, 7, 1, tzinfo=UTC)) as ctx:
        results = await collect(my_plugin.run, url=url, ctx=ctx)

Nothing here imitates a network: ``ctx.http`` is a real session, so give the
plugin a real server, such as aiohttp's on a free port.
"""

import asyncio
import inspect
import os
import runpy
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Iterable,
    Mapping,
    MutableMapping,
    Sequence,
)
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from typing import Any

import aiohttp
import structlog
from aiohttp import web
from structlog.testing import LogCapture

from ingestd.calling import Access, Order, Program, Programs, Protection, Rulesets
from ingestd.clock import SystemClock
from ingestd.context import Context, Receipts, Shared
from ingestd.contract import result_as_builtins, take_apart
from ingestd.model import StoredPoint


async def _called(file: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Call the ``run`` of a file in a thread, without a process of its own."""

    def call() -> Mapping[str, Any]:
        found: Mapping[str, Any] = runpy.run_path(file)["run"](**arguments)
        return found

    return await asyncio.to_thread(call)


@asynccontextmanager
async def _started(
    command: Sequence[str],
    *,
    cwd: str | None,
    env: Mapping[str, str],
    files: Sequence[str],
    reads_output: bool,
    patience: float,
) -> AsyncIterator[Program]:
    """Run a program under supervision, seeing all that the test sees."""
    order = Order(
        command=command,
        folder=cwd,
        variables={**os.environ, **env},
        files=files,
        reads_output=reads_output,
        access=Access(confined=False),
    )
    with ThreadPoolExecutor(1) as pool:
        programs = Programs(Protection, Rulesets(), pool)
        async with programs.running(order, patience=patience) as program:
            yield program


class TestContext(Context):
    """The daemon's ``ctx``, in the hands of a test.

    Attributes:
        logs: What the plugin logged: dicts with ``event``, ``log_level`` and values.
        safe: ``settled`` and ``committed`` return while it is set, which it is to begin with;
            clear it to hold the plugin back, as a store that is away would.
        keeps: What ``committed`` says: False is a dry run.
        stored: What ``query`` looks through.
        kept: What ``keep_hidden`` was given: dicts with ``hidden`` and ``delete_params``.
        on_disk: What that returns can be awaited while it is set, which it is to begin with.
        notes: What ``note`` was given.
        connection: What was said of the connection: empty texts for up, reasons for down.
        time: What ``now`` says; None lets it follow the machine's clock.
        not_before: The earliest time that ``time_problem`` believes, or None.
        left: What ``time_left`` says, in seconds.
    """

    __test__ = False  # pytest would take it for a class of tests

    def __init__(
        self,
        http: aiohttp.ClientSession,
        *,
        time: datetime | None,
        collector: str,
        shared: Shared,
        timezone: str | None = None,
    ) -> None:
        self.logs: list[MutableMapping[str, Any]] = []
        self.safe = asyncio.Event()
        self.safe.set()
        self.on_disk = asyncio.Event()
        self.on_disk.set()
        self.keeps = True
        self.stored: Iterable[StoredPoint] = ()
        self.kept: list[dict[str, Any]] = []
        self.notes: list[str] = []
        self.connection: list[str] = []
        self.time = time
        self.not_before: datetime | None = None
        self.left: float | None = None
        self._stop = asyncio.Event()
        capture = LogCapture()
        capture.entries = self.logs
        super().__init__(
            collector=collector,
            log=structlog.wrap_logger(None, processors=[capture], collector=collector),
            clock=SystemClock(),
            receipts=Receipts(),
            stopping=self._stop,
            reader=self,
            http=lambda: http,
            shared=shared,
            keep=self._keep_given,
            note=self.notes.append,
            connection=lambda problem, _: self.connection.append(problem),
            time_problem=self._problem_of_time,
            timezone=timezone,
            call=_called,
            program=_started,
        )

    def now(self) -> datetime:
        """Return the time, aware and in UTC."""
        return self.time or super().now()

    def time_left(self) -> float | None:
        """Return what the test says."""
        return self.left

    async def settled(self) -> None:
        """Return once the test calls everything so far safe."""
        await self.safe.wait()

    async def committed(self) -> bool:
        """Return once the test calls everything so far safe; say whether it is kept."""
        await self.safe.wait()
        return self.keeps

    def _problem_of_time(self, seconds: float) -> str:
        if self.not_before is None or seconds >= self.not_before.timestamp():
            return ""
        return f"expected a time from {self.not_before:%FT%TZ} on, got {seconds:g}"

    def stop(self) -> None:
        """Tell the plugin that the daemon is stopping."""
        self._stop.set()

    def _keep_given(self, given: Mapping[str, Any]) -> asyncio.Event:
        take_apart(given)  # refuses what the daemon would
        self.kept.append(result_as_builtins(given))
        return self.on_disk

    async def read(
        self, series: str, *, start_us: int, end_us: int, tags: Mapping[str, str]
    ) -> list[StoredPoint]:
        """Answer ``query`` from ``stored``."""
        return [
            point
            for point in self.stored
            if point.series == series
            and start_us <= point.time_us < end_us
            and tags.items() <= point.tags.items()
        ]


@asynccontextmanager
async def context(
    *,
    now: datetime | None = None,
    collector: str = "test",
    timezone: str | None = None,
    beside: TestContext | None = None,
) -> AsyncIterator[TestContext]:
    """Make a ``ctx`` whose session, without retries or limits, is closed afterwards.

    Args:
        now: The time it shows, aware; without it, the machine's.
        collector: The collector's name.
        timezone: The collector's zone, as an IANA name.
        beside: The ``ctx`` of another collector, with which it shares what plugins share.
    """
    shared = beside._shared if beside else Shared()  # noqa: SLF001 -- of one class
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        yield TestContext(http, time=now, collector=collector, shared=shared, timezone=timezone)


@asynccontextmanager
async def mounted(ctx: TestContext) -> AsyncIterator[str]:
    """Answer what plugins mount with this ``ctx``, as the daemon would; give the address."""
    mounts = ctx._shared.mounts  # noqa: SLF001 -- of one class

    async def answer(request: web.Request) -> web.StreamResponse:
        _, handler = mounts.find(request.path)
        if handler is None:
            raise web.HTTPNotFound
        return await handler(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1, auto_decompress=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        mounts.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield mounts.address
    finally:
        mounts.address = ""
        await runner.cleanup()


async def results(run: Callable[..., Any], **params: Any) -> AsyncGenerator[dict[str, Any], None]:
    """Call a plugin of any shape and yield its results as the daemon would get them.

    A plugin that asks for ``ctx`` gets a fresh one unless the test passes its own.
    A stream never ends by itself: put ``contextlib.aclosing`` around this, and leave.

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
                yield result_as_builtins(each)
    else:
        yield result_as_builtins(await given if inspect.isawaitable(given) else given)


async def collect(run: Callable[..., Any], **params: Any) -> list[dict[str, Any]]:
    """Call a plugin of any shape until it ends, and return all of its results.

    Raises:
        ingestd.errors.ResultError: The daemon would refuse such a result.
    """
    return [result async for result in results(run, **params)]
