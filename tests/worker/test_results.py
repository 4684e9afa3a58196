"""What a run gives comes out of a worker process as plain builtins."""

from datetime import UTC, datetime

import pytest

from ingestd.errors import (
    ResultError,
    ResultTooLarge,
)
from tests.support.plugins import PluginFolder, state_of
from tests.support.workers import InWorker, failure

# Starting a process takes about a tenth of a second, and these tests start many.
pytestmark = pytest.mark.slow


async def test_result_and_output_come_back(
    plugin_folder: PluginFolder, in_worker: InWorker
) -> None:
    """What run returns and what it prints arrive apart from each other."""
    plugin = plugin_folder.plugin(
        """
        import logging, sys
        def run(*, factor, **_):
            print("to stdout")
            print("to stderr", file=sys.stderr)
            logging.warning("to logging")
            return {"readings": [(1.5, "level", 2 * factor)], "last": 1.5}
        """
    )

    finished = await in_worker(plugin, factor=21)

    assert finished.result == {"readings": [(1.5, "level", 42)], "last": 1.5}
    assert finished.output == "to stdout\nto stderr\nWARNING:root:to logging\n"


async def test_million_readings_come_back_in_order(
    plugin_folder: PluginFolder, in_worker: InWorker
) -> None:
    """A large result travels in pieces, between which the event loop turns."""
    plugin = plugin_folder.plugin(
        "def run(**_):\n    return {'readings': [(i, 's', i) for i in range(200_003)], 'n': 1}\n"
    )

    result = (await in_worker(plugin)).result

    assert result["n"] == 1
    assert [value for _, _, value in result["readings"]] == list(range(200_003))


async def test_result_that_would_flood_the_daemon_is_refused(
    plugin_folder: PluginFolder, in_worker: InWorker
) -> None:
    """A run may eat its own memory, but not the daemon's."""
    plugin = plugin_folder.plugin("def run(**_):\n    return {'junk': 'x' * (65 << 20)}\n")

    error = await failure(in_worker(plugin))

    assert isinstance(error, ResultError)
    assert str(error) == "run must give at most 64 MiB at once, got 65 MiB"


async def test_too_many_readings_are_refused_before_they_are_sent(
    plugin_folder: PluginFolder, in_worker: InWorker
) -> None:
    """The size of the first ones tells how large all will be."""
    plugin = plugin_folder.plugin(
        "def run(**_):\n    return {'readings': [(1, f'{n:10000}', 1) for n in range(8_000)]}\n"
    )

    error = await failure(in_worker(plugin))

    assert isinstance(error, ResultTooLarge)
    assert str(error).endswith("yield its readings from an async generator, got 8000 readings")


async def test_result_of_the_wrong_type_is_refused(
    plugin_folder: PluginFolder, in_worker: InWorker
) -> None:
    """The run-contract is checked where the result is."""
    error = await failure(in_worker(plugin_folder.plugin("def run(**_):\n    return [1]\n")))

    assert isinstance(error, ResultError)
    assert str(error) == "run must give a dict, got list"


async def test_time_zones_of_foreign_make_keep_the_instant(
    plugin_folder: PluginFolder, in_worker: InWorker
) -> None:
    """No class of the plugin enters the daemon, not even a tzinfo."""
    plugin = plugin_folder.plugin(
        """
        from datetime import datetime, timedelta, tzinfo
        from zoneinfo import ZoneInfo
        class Odd(tzinfo):
            def utcoffset(self, when): return timedelta(hours=3)
            def dst(self, when): return None
        def run(**_):
            return {"odd": datetime(2024, 1, 1, 3, tzinfo=Odd()),
                    "zoned": datetime(2024, 1, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")),
                    "naive": datetime(2024, 1, 1)}
        """
    )

    result = (await in_worker(plugin)).result

    midnight = datetime(2024, 1, 1, tzinfo=UTC)
    assert result["odd"] == result["zoned"] == midnight
    assert result["naive"] == midnight.replace(tzinfo=None)


async def test_hidden_coroutine_is_run_to_its_end(
    plugin_folder: PluginFolder, in_worker: InWorker
) -> None:
    """A run that looks ordinary and returns an awaitable is awaited in its process."""
    plugin = plugin_folder.plugin(
        """
        import asyncio
        async def _run(n):
            await asyncio.sleep(0)
            return {"n": n}
        def run(**kwargs):
            return _run(**kwargs)
        """
    )

    assert state_of(await in_worker(plugin, n=5)) == {"n": 5}


async def test_hidden_generator_is_told_how_to_be_written(
    plugin_folder: PluginFolder, in_worker: InWorker
) -> None:
    """Results cannot be yielded out of a process one by one."""
    plugin = plugin_folder.plugin(
        "async def _run():\n    yield {}\ndef run(**_):\n    return _run()\n"
    )

    error = await failure(in_worker(plugin))

    assert "`async def` in order to yield" in str(error)
