"""Calls a plugin and yields its results, whichever of the three shapes it has.

The deadline is on the plugin's own time. While the daemon deals with a result,
waiting perhaps for room in the buffer, the plugin's clock stands still.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from ingestd.calling.coroutines import CoroutineRun, PluginResult
from ingestd.calling.options import CallOptions, tell_strays
from ingestd.calling.owntime import OwnTime
from ingestd.calling.plugin import Plugin
from ingestd.worker import Kind


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
    own_time = options.own_time or OwnTime(options.timeout)
    try:
        more = True
        while more and (result := await _next(run, own_time, options.timeout)) is not None:
            more = result.yielded
            yield result
    finally:
        tell_strays(await run.end(), options)


async def _next(run: CoroutineRun, own_time: OwnTime, limit: float | None) -> PluginResult | None:
    """Return the next result, or None when there are no more.

    Raises:
        PluginError: The run failed; RunTimeout if it took longer than was left.
    """
    try:
        with own_time:
            async with asyncio.timeout(own_time.left()):
                return await run.next()
    except TimeoutError:
        raise await run.overdue(limit or 0.0) from None


async def _function(
    plugin: Plugin, kwargs: Mapping[str, Any], options: CallOptions
) -> PluginResult:
    ordinary = {name: value for name, value in kwargs.items() if name != "ctx"}
    finished = await options.isolation.call(plugin, ordinary, options)
    # What is yielded updates, so that a run without a result forgets nothing.
    return PluginResult(finished.result, yielded=finished.nothing, output=finished.output)
