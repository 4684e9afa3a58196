"""The order of the stop: collectors and backfills end first, and deliveries behind them."""

import asyncio

import pytest

from tests.support import ondisk
from tests.support.daemon import DaemonFolder
from tests.support.deadline import WITHIN

# Reads on while the daemon stops: each reading is given when the one before it is safe.
READING_ON = """
    import asyncio

    async def run(*, ctx, n=0, **_):
        if n:
            return
        yield {"readings": [(1, "level", 1)], "n": 1}
        await ctx.stopping.wait()
        for _ in range(1000):  # turns of the event loop, in which deliveries could end
            await asyncio.sleep(0)
        yield {"readings": [(2, "level", 2)], "n": 2}
        await ctx.settled()
        yield {"readings": [(3, "level", 3)], "n": 3}
"""
# The same for a window of the past, which keeps no state.
READING_THE_PAST_ON = """
    import asyncio

    async def run(*, ctx, start=None, end=None, **_):
        if start is None:
            return
        yield {"readings": [(1, "level", 1)]}
        ctx.shared(asyncio.Event).set()
        await ctx.stopping.wait()
        for _ in range(1000):  # turns of the event loop, in which deliveries could end
            await asyncio.sleep(0)
        yield {"readings": [(2, "level", 2)]}
        await ctx.settled()
        yield {"readings": [(3, "level", 3)]}
"""
LEVEL = {"level": {1_000_000: [1.0], 2_000_000: [2.0], 3_000_000: [3.0]}}


@pytest.mark.slow  # a daemon starts, collects and stops
async def test_a_run_that_reads_on_during_the_stop_has_its_deliveries(
    daemon_folder: DaemonFolder,
) -> None:
    """Deliveries that ended before it would leave its readings unsafe, and its state behind."""
    daemon_folder.plugin("meter", READING_ON)
    text = "collectors:\n  m: {plugin: meter, every: 100ms}\n"
    async with daemon_folder.daemon(text, grace="5s") as it:
        committer = it.daemon.collectors.by_name["m"].committer
        await it.until(lambda: committer.memory.state.get("n") == 1)

        it.daemon.stop()
        await asyncio.wait_for(it.done, WITHIN)

    assert ondisk.embedded(daemon_folder.state_dir / "readings.db")() == LEVEL
    assert ondisk.cursors(daemon_folder.state_dir) == {"m": {"n": 3}}


@pytest.mark.slow  # a daemon starts, collects and stops
async def test_a_window_that_reads_on_during_the_stop_has_its_deliveries(
    daemon_folder: DaemonFolder,
) -> None:
    """The backfill is done when the daemon has stopped, because all of its window is safe."""
    daemon_folder.plugin("meter", READING_THE_PAST_ON)
    text = "collectors:\n  m: {plugin: meter, every: 1h}\n"
    async with daemon_folder.daemon(text, grace="5s") as it:
        asked = await it.daemon.backfills.ask("m", [(0.0, 10.0)])
        await asyncio.wait_for(it.daemon.shared.get(asyncio.Event).wait(), WITHIN)

        it.daemon.stop()
        await asyncio.wait_for(it.done, WITHIN)

    assert ondisk.embedded(daemon_folder.state_dir / "readings.db")() == LEVEL
    assert asked.position == 10.0
