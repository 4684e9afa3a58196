"""Calls a plugin and yields its results, whichever of the three shapes it has.

The deadline is on the plugin's own time. While the daemon deals with a result,
waiting perhaps for room in the buffer, the plugin's clock stands still.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from ingestd.calling.coroutines import CoroutineRun, PluginResult
from ingestd.calling.options import CallOptions, tell_strays
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
    left = options.timeout
    try:
        more = True
        while more and (each := await _next(run, left, options.timeout)) is not None:
            result, seconds = each
            more = result.yielded
            if left is not None:
                left -= seconds
            yield result
    finally:
        tell_strays(await run.end(), options)


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
    ordinary = {name: value for name, value in kwargs.items() if name != "ctx"}
    finished = await options.isolation.call(plugin, ordinary, options)
    # What is yielded updates, so that a run without a result forgets nothing.
    return PluginResult(finished.result, yielded=finished.nothing, output=finished.output)


def _now() -> float:
    return asyncio.get_running_loop().time()
