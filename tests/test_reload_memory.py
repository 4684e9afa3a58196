"""A daemon that is reloaded for years holds no more than one that was not."""

import asyncio
import gc
from collections import Counter

import pytest

from tests.support.daemon import DaemonFolder
from tests.support.deadline import WITHIN

ROUNDS = 20
OURS = ("ingestd.", "asyncio.", "_asyncio.", "structlog.", "prometheus_client.", "aiohttp.")
ENDLESS = """
    import asyncio
    async def run(**_):
        await asyncio.Event().wait()
        yield
"""


def alive() -> Counter[str]:
    """Count the objects that our own code has made, by type, and the tasks.

    Timers that were cancelled hold nothing. asyncio keeps up to a hundred of them for a while.
    """
    gc.collect()
    used = (each for each in gc.get_objects() if not is_cancelled(each))
    names = (f"{type(each).__module__}.{type(each).__qualname__}" for each in used)
    return Counter(name for name in names if name.startswith(OURS))


def is_cancelled(each: object) -> bool:
    """Whether an object is a timer of the event loop that was cancelled."""
    return isinstance(each, asyncio.TimerHandle) and each.cancelled()


def config(number: int) -> str:
    """Return the configuration of a round: names come, change and go."""
    return f"""\
        stores:
          stays: {{type: embedded, batch: {{points: {100 + number % 2}}}}}
          s{number % 3}: {{type: embedded, path: s{number % 3}.db}}
        collectors:
          stays: {{plugin: ticking, every: 1d, jitter: {1 + number % 2}s}}
          c{number}: {{plugin: ticking, every: 1d}}
          stream: {{plugin: endless}}
        series:
          level{number}: {{unit: m}}
        """


@pytest.mark.slow
async def test_reloads_leave_nothing_behind(daemon_folder: DaemonFolder) -> None:
    """Objects are counted by type: bytes would tell of the machine, too."""
    daemon_folder.plugin("ticking", "async def run(**_): return {}")
    daemon_folder.plugin(
        "endless",
        "import asyncio\nasync def run(**_):\n    await asyncio.Event().wait()\n    yield\n",
    )
    async with daemon_folder.daemon(config(0)) as it:

        async def reload(number: int) -> None:
            daemon_folder.config(config(number))
            await it.daemon.reload()
            await it.daemon.deliveries.wait_ended(within=WITHIN)

        for number in range(1, ROUNDS + 1):
            await reload(number)
        await it.until(lambda: len(it.daemon.collectors.by_name) == 3)
        before = alive()
        for number in range(ROUNDS + 1, 2 * ROUNDS + 1):
            await reload(number)
        grown = alive() - before
        large = sorted(f"{name} {count}" for name, count in grown.items() if count >= ROUNDS / 2)
        assert large == []
