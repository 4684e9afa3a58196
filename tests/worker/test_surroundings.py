"""What a plugin finds around it in a worker process, and what it cannot do to it."""

import signal
from datetime import UTC, datetime

import pytest

from tests.support.plugins import PluginFolder, state_of
from tests.support.workers import InWorker, failure

# Starting a process takes about a tenth of a second, and these tests start many.
pytestmark = pytest.mark.slow


async def test_plugin_may_import_its_own_modules_at_any_call(
    plugin_folder: PluginFolder, in_worker: InWorker
) -> None:
    """What belongs to the plugin stays at hand for as long as its process lives."""
    plugin_folder.write("pack/late.py", "n = 7\n")
    plugin_folder.write(
        "pack/__init__.py",
        """
        def run(*, late, **_):
            if late:
                from . import late as module
            return {"n": module.n if late else 0}
        """,
    )
    plugin = plugin_folder.loader.load("pack")

    results = [(await in_worker(plugin, late=late)).result["n"] for late in (False, True)]

    assert results == [0, 7]


async def test_last_good_version_starts_after_a_broken_edit(
    plugin_folder: PluginFolder, in_worker: InWorker
) -> None:
    """A new process gets the code that was loaded, not what the file says by now."""
    plugin = plugin_folder.plugin("def run(**_):\n    return {'version': 1}\n")
    plugin_folder.write("probe", "def run(**_) return {'version': 2}\n")

    assert state_of(await in_worker(plugin)) == {"version": 1}


async def test_ctx_tells_the_time(plugin_folder: PluginFolder, in_worker: InWorker) -> None:
    """ctx.now() is an aware datetime, as it is for asynchronous plugins."""
    plugin = plugin_folder.plugin(
        "def run(*, ctx, **_):\n    return {'now': ctx.now(), 'stopping': ctx.stopping}\n"
    )

    before = datetime.now(UTC)
    result = (await in_worker(plugin)).result

    assert before <= result["now"] <= datetime.now(UTC)
    assert result["stopping"] is False


@pytest.mark.parametrize("name", ["http", "query", "settled", "shared", "mount"])
async def test_ctx_says_what_needs_the_event_loop(
    plugin_folder: PluginFolder, in_worker: InWorker, name: str
) -> None:
    """An ordinary function learns why it cannot have this."""
    plugin = plugin_folder.plugin(f"def run(*, ctx, **_):\n    return ctx.{name}()\n")

    error = await failure(in_worker(plugin))

    assert str(error) == f"ctx.{name} needs `async def run`, got an ordinary function"
    assert f"ctx.{name}()" in error.details


async def test_memory_limit_stops_a_hog(plugin_folder: PluginFolder, in_worker: InWorker) -> None:
    """A run over its limit fails and says so; the next one starts afresh, without it."""
    plugin = plugin_folder.plugin(
        """
        import os
        def run(*, mib, **_):
            hoard = bytearray(mib << 20)
            return {"pid": os.getpid(), "held": len(hoard) >> 20}
        """
    )
    first = (await in_worker(plugin, mib=1, memory_limit=128 << 20)).result

    error = await failure(in_worker(plugin, mib=200, memory_limit=128 << 20))

    assert str(error) == "needs more memory than memory_limit allows, which is 128 MiB"
    assert "bytearray" in error.details
    second = (await in_worker(plugin, mib=200)).result
    assert second["held"] == 200
    assert second["pid"] != first["pid"]


async def test_memory_limit_is_lifted_after_the_call(
    plugin_folder: PluginFolder, in_worker: InWorker
) -> None:
    """A limit belongs to a collector, not to the process that happens to serve it."""
    plugin = plugin_folder.plugin(
        """
        import os
        def run(*, mib, **_):
            return {"pid": os.getpid(), "size": len(bytearray(mib << 20))}
        """
    )
    first = (await in_worker(plugin, mib=1, memory_limit=128 << 20)).result

    second = (await in_worker(plugin, mib=200)).result

    assert second["pid"] == first["pid"]


async def test_memory_limit_covers_the_import(
    plugin_folder: PluginFolder, in_worker: InWorker
) -> None:
    """A module that hoards while it is imported is stopped too."""
    plugin = plugin_folder.plugin("hoard = bytearray(200 << 20)\ndef run(**_):\n    return {}\n")

    error = await failure(in_worker(plugin, memory_limit=64 << 20))

    assert str(error) == "needs more memory than memory_limit allows, which is 64 MiB"


async def test_signals_to_the_service_leave_runs_alone(
    plugin_folder: PluginFolder, in_worker: InWorker
) -> None:
    """Only the daemon ends a run, and the plugin's own children still heed signals."""
    plugin = plugin_folder.plugin(
        """
        import os, signal, subprocess
        def run(*, ctx, **_):
            child = subprocess.Popen(["sleep", "600"])
            child.terminate()
            ended = child.wait(timeout=100)
            for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                os.kill(os.getpid(), each)
            return {"child": ended, "group": os.getpgid(0) == os.getpid()}
        """
    )

    result = state_of(await in_worker(plugin))

    assert result == {"child": -signal.SIGTERM, "group": True}


async def test_fork_of_the_plugin_does_not_answer_for_it(
    plugin_folder: PluginFolder, in_worker: InWorker
) -> None:
    """A forked child that falls out of run can neither answer nor hide a death."""
    plugin = plugin_folder.plugin(
        """
        import os, time
        def run(*, die, **_):
            child = os.fork()
            if child == 0:
                if die:
                    time.sleep(600)
                return {"who": "child"}
            if die:
                os._exit(5)
            os.waitpid(child, 0)
            return {"who": "parent"}
        """
    )

    assert state_of(await in_worker(plugin, die=False)) == {"who": "parent"}
    assert state_of(await in_worker(plugin, die=False)) == {"who": "parent"}
    assert "status 5" in str(await failure(in_worker(plugin, die=True)))
