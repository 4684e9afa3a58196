"""Calls of plugins in worker processes, and what is left of these."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final, Protocol

import psutil  # type: ignore[import-untyped]  # ships no types
import pytest

from ingestd.calling.options import CallOptions, Finished, Isolation
from ingestd.calling.plugin import Plugin
from ingestd.calling.pool import Workers
from ingestd.calling.process import Log
from ingestd.errors import PluginError
from tests.support.deadline import WITHIN
from tests.support.plugins import LogLines

WHO_AM_I: Final = "import os\ndef run(**_):\n    return {'pid': os.getpid()}\n"
HANG: Final = "import time\ndef run(**_):\n    time.sleep(600)\n"


def options_for(isolation: Isolation, log: Log | None = None, **changes: Any) -> CallOptions:
    """Return how to call a plugin, with what most tests leave alone."""
    usual = {"name": "probe", "timeout": WITHIN, "memory_limit": None, "log": log or LogLines()}
    return CallOptions(isolation=isolation, **{**usual, **changes})


class InWorker(Protocol):
    """Calls a plugin in a worker process, with the arguments that most tests leave alone."""

    async def __call__(
        self,
        plugin: Plugin,
        *,
        limit: float | None = WITHIN,
        memory_limit: int | None = None,
        **kwargs: Any,
    ) -> Finished:
        """Call it.

        Args:
            plugin: An ordinary function.
            limit: The deadline of the run, in seconds.
            memory_limit: In bytes.
            kwargs: What ``run`` gets.
        """


@pytest.fixture
async def workers() -> AsyncIterator[Workers]:
    """Give a pool of two."""
    async with Workers(2) as pool:
        yield pool


@pytest.fixture
def worker_log() -> LogLines:
    """Give the log of the plugins that ``in_worker`` calls."""
    return LogLines()


@pytest.fixture
def in_worker(workers: Workers, worker_log: LogLines) -> InWorker:
    """Give a short way to call a plugin in one of two workers."""

    async def calling(
        plugin: Plugin,
        *,
        limit: float | None = WITHIN,
        memory_limit: int | None = None,
        **kwargs: Any,
    ) -> Finished:
        options = options_for(workers, worker_log, timeout=limit, memory_limit=memory_limit)
        return await workers.call(plugin, kwargs, options)

    return calling


@pytest.fixture
def process_count() -> Callable[[], int]:
    """Give what counts the children that this test has started, dead ones included.

    There may be others, such as the real servers of other tests.
    """
    others = {child.pid for child in psutil.Process().children()}
    return lambda: len({child.pid for child in psutil.Process().children()} - others)


async def failure(calling: Any) -> PluginError:
    """Return the error that a call ends with."""
    with pytest.raises(PluginError) as caught:
        await calling
    return caught.value


async def until(condition: Callable[[], bool]) -> None:
    """Return once another process has made something true."""
    async with asyncio.timeout(WITHIN):
        while not condition():  # noqa: ASYNC110 (another process has no event of ours)
            await asyncio.sleep(0.01)
