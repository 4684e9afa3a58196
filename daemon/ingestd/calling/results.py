"""Calls a plugin and yields its results, whichever of the three shapes it has.

The deadline is on the plugin's own time. While the daemon deals with a result,
waiting perhaps for room in the buffer, the plugin's clock stands still.
"""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from ingestd.calling.plugin import Plugin
from ingestd.calling.pool import Isolation
from ingestd.calling.process import Log
from ingestd.contract import Host
from ingestd.errors import PluginError, RunTimeout
from ingestd.worker import Kind, run_failure

CANCEL_PATIENCE: Final = 10.0  # seconds that a plugin gets to end after its cancellation


@dataclass(frozen=True, slots=True)
class PluginResult:
    """A result as the plugin gave it, unchecked.

    Attributes:
        result: What the plugin gave.
        yielded: Whether more may follow.
        output: The end of what the plugin printed.
    """

    result: object = field(repr=False)
    yielded: bool
    output: str = ""


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
    """

    name: str
    timeout: float | None
    memory_limit: int | None
    isolation: Isolation
    log: Log
    host: Host | None = None


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
    deadline = asyncio.timeout(None)
    try:
        async with deadline, aclosing(_asynchronous(plugin, kwargs)) as given:
            left = options.timeout
            while True:
                started = _now()
                deadline.reschedule(None if left is None else started + left)
                with _reminder(left, options.log):
                    each = await anext(given, None)
                deadline.reschedule(None)
                if each is None:
                    return
                if left is not None:
                    left -= _now() - started
                yield each
    # Border: the plugin's own code. asyncio would let SystemExit end the daemon.
    except (Exception, SystemExit, KeyboardInterrupt, asyncio.CancelledError) as error:
        if isinstance(error, asyncio.CancelledError) and _is_being_cancelled():
            raise
        if deadline.expired():  # also if the plugin turned its cancellation into an error
            text = f"run must end within {options.timeout:g} s; it was stopped"
            raise RunTimeout(text) from None
        raise run_failure(error, plugin.source.root) from None


@contextmanager
def _reminder(timeout: float | None, log: Log) -> Iterator[None]:
    """Log an error if the plugin swallows its cancellation; nothing else can be done about it."""
    if timeout is None:
        yield
        return
    complain = partial(log.error, "run goes on past its deadline", timeout=timeout)
    reminder = asyncio.get_running_loop().call_later(timeout + CANCEL_PATIENCE, complain)
    try:
        yield
    finally:
        reminder.cancel()


def _is_being_cancelled() -> bool:
    """Say whether we are, rather than something that the plugin waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


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
    )
    # What is yielded updates, so that a run without a result forgets nothing.
    return PluginResult(finished.result, yielded=finished.nothing, output=finished.output)


async def _asynchronous(
    plugin: Plugin, kwargs: Mapping[str, Any]
) -> AsyncGenerator[PluginResult, None]:
    if plugin.run is None:
        raise PluginError(f"{plugin.path}: was not imported")
    called = plugin.run(**kwargs)
    if not inspect.isasyncgen(called):  # a decorated run tells its shape only now
        yield PluginResult(await called, yielded=False)
        return
    async with aclosing(called) as checkpoints:
        async for each in checkpoints:
            yield PluginResult(each, yielded=True)


def _now() -> float:
    return asyncio.get_running_loop().time()
