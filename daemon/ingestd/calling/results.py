"""Calls a plugin and yields its results, whichever of the three shapes it has.

The deadline is on the plugin's own time. While the daemon deals with a result,
waiting perhaps for room in the buffer, the plugin's clock stands still.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, MutableSet
from dataclasses import dataclass, field
from typing import Any

from ingestd.calling.access import EVERYDAY, Access
from ingestd.calling.coroutines import CoroutineRun, PluginResult
from ingestd.calling.plugin import Plugin
from ingestd.calling.pool import Isolation
from ingestd.calling.process import Log
from ingestd.contract import Host
from ingestd.worker import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOptions:
    """How a plugin is called.

    Attributes:
        name: The collector's name.
        timeout: The plugin's own time, in seconds, or None.
        memory_limit: For an ordinary function, in bytes, or None.
        isolation: Where ordinary functions run.
        log: Takes what the plugin logs.
        host: The system that the plugin was written for, or None.
        access: What an ordinary function may see of the daemon's surroundings.
        left_behind: Earlier calls of that name on the event loop that ignore their cancellation.
    """

    name: str
    timeout: float | None
    memory_limit: int | None
    isolation: Isolation
    log: Log
    host: Host | None = None
    access: Access = EVERYDAY
    left_behind: MutableSet[asyncio.Task[None]] = field(default_factory=set, repr=False)


async def results(
    plugin: Plugin, kwargs: Mapping[str, Any], options: CallOptions
) -> AsyncGenerator[PluginResult, None]:
    """Call ``run`` and yield what it gives.

    Raises:
        PluginError: The run failed, in the way that its class says.
    """
    if plugin.kind is Kind.FUNCTION:
        yield await _function(plugin, kwargs, options)
        return
    run = CoroutineRun(
        plugin, kwargs, name=options.name, log=options.log, left_behind=options.left_behind
    )
    left = options.timeout
    try:
        while (each := await _next(run, left, options.timeout)) is not None:
            result, seconds = each
            if left is not None:
                left -= seconds
            yield result
    finally:
        await run.end()


async def _next(
    run: CoroutineRun, left: float | None, limit: float | None
) -> tuple[PluginResult, float] | None:
    """Return the next result and the seconds that it took, or None when there are no more.

    Raises:
        PluginError: The run failed; RunTimeout if it took longer than was left.
    """
    started = _now()
    try:
        async with asyncio.timeout(left):
            given = await run.next()
    except TimeoutError:
        raise await run.overdue(limit or 0.0) from None
    return None if given is None else (given, _now() - started)


async def _function(
    plugin: Plugin, kwargs: Mapping[str, Any], options: CallOptions
) -> PluginResult:
    finished = await options.isolation.call(
        plugin,
        {name: value for name, value in kwargs.items() if name != "ctx"},
        name=options.name,
        timeout=options.timeout,
        memory_limit=options.memory_limit,
        log=options.log,
        host=options.host,
        access=options.access,
    )
    # What is yielded updates, so that a run without a result forgets nothing.
    return PluginResult(finished.result, yielded=finished.nothing, output=finished.output)


def _now() -> float:
    return asyncio.get_running_loop().time()
