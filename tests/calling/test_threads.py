"""`isolation: thread`: the same calls, without a process to kill."""

import asyncio
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingestd.calling.options import Finished
from ingestd.calling.plugin import Plugin
from ingestd.calling.threads import Threads
from ingestd.errors import PluginError, PluginLoadError, RunTimeout, WorkerDied
from tests.support.deadline import WITHIN
from tests.support.plugins import LogLines, PluginFolder, state_of
from tests.support.workers import options_for

STUCK = """
    import threading
    def run(*, gate, **_):
        gate.wait()
        return {"n": 1}
"""


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Give an event that ends stuck runs, at the end of the test at the latest."""
    event = threading.Event()
    yield event
    event.set()


async def call(
    threads: Threads,
    plugin: Plugin,
    *,
    name: str = "probe",
    limit: float | None = WITHIN,
    log: LogLines | None = None,
    gate: threading.Event | None = None,
) -> Finished:
    """Call with the arguments that most tests do not care about."""
    options = options_for(threads, log, name=name, timeout=limit)
    return await threads.call(plugin, {"gate": gate}, options)


async def test_result_and_log_come_back(plugin_folder: PluginFolder) -> None:
    """A run in a thread gives a portable result, and its ctx writes to the log."""
    log = LogLines()
    plugin = plugin_folder.plugin(
        """
        import threading
        def run(*, ctx, **_):
            ctx.log.info("here", n=1)
            return {"thread": threading.current_thread().name}
        """
    )

    finished = await call(Threads(), plugin, log=log)

    assert state_of(finished) == {"thread": "ingestd[probe]"}
    assert finished.output == ""
    assert log.lines == [("info", "here", {"n": 1})]


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        ("raise ValueError('no')", PluginError, "ValueError: no"),
        ("import sys; sys.exit(2)", WorkerDied, "run called sys.exit(2)"),
        ("import no_such_module", PluginError, "ModuleNotFoundError: "),
    ],
)
async def test_failures_are_told_as_from_a_process(
    plugin_folder: PluginFolder, body: str, kind: type[PluginError], message: str
) -> None:
    """The caller need not know where a run took place."""
    plugin = plugin_folder.plugin(f"def run(**_):\n    {body}\n")

    with pytest.raises(kind, match="^" + message.replace("(", r"\(").replace(")", r"\)")) as caught:
        await call(Threads(), plugin)

    assert "in run" in caught.value.details
    assert "threads.py" not in caught.value.details


async def test_module_that_does_not_import_is_a_load_error(plugin_folder: PluginFolder) -> None:
    """The import happens in the thread, and its failure is told as such."""
    plugin = plugin_folder.plugin("x = 1 / 0\ndef run(**_):\n    return {}\n")

    with pytest.raises(PluginLoadError, match=r"probe\.py:1: ZeroDivisionError"):
        await call(Threads(), plugin)


async def test_stuck_run_is_left_behind_and_not_joined_by_another(
    plugin_folder: PluginFolder, gate: threading.Event
) -> None:
    """The stuck collector waits for its own thread; others are not held up."""
    threads, plugin = Threads(), plugin_folder.plugin(STUCK)

    with pytest.raises(RunTimeout, match=r"within 0\.05 s; its thread was left behind"):
        await call(threads, plugin, limit=0.05, gate=gate)

    assert threads.stuck == {"probe"}
    with pytest.raises(PluginError, match="still stuck in its thread"):
        await call(threads, plugin, gate=gate)
    sane = plugin_folder.plugin("def run(**_):\n    return {}\n", "sane")
    assert state_of(await call(threads, sane, name="other")) == {}


async def test_collector_is_back_when_its_thread_has_ended(
    plugin_folder: PluginFolder, gate: threading.Event
) -> None:
    """A run left behind may end late; what it returned is dropped."""
    threads, plugin = Threads(), plugin_folder.plugin(STUCK)
    with pytest.raises(RunTimeout):
        await call(threads, plugin, limit=0.05, gate=gate)

    gate.set()
    for thread in threading.enumerate():
        if thread.name == "ingestd[probe]":
            await asyncio.to_thread(thread.join)

    assert threads.stuck == frozenset()
    assert state_of(await call(threads, plugin, gate=gate)) == {"n": 1}


async def test_cancelled_run_is_left_behind_too(
    plugin_folder: PluginFolder, gate: threading.Event
) -> None:
    """Stopping a collector cannot stop its thread, and does not forget it."""
    threads, plugin = Threads(), plugin_folder.plugin(STUCK)
    task = asyncio.create_task(call(threads, plugin, gate=gate))
    await asyncio.sleep(0)

    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert threads.stuck == {"probe"}


async def test_edited_plugin_runs_its_new_version(plugin_folder: PluginFolder) -> None:
    """The import is kept for one version only."""
    threads = Threads()
    plugin = plugin_folder.plugin("n = 0\ndef run(**_):\n    global n; n += 1; return {'n': n}\n")
    counts = [(await call(threads, plugin)).result["n"] for _ in range(2)]
    edited = plugin_folder.plugin("def run(**_):\n    return {'n': 'edited'}\n")

    counts.append((await call(threads, edited)).result["n"])

    assert counts == [1, 2, "edited"]


@pytest.mark.slow  # a Python process starts
def test_stuck_thread_does_not_keep_the_daemon_from_leaving(tmp_path: Path) -> None:
    """The process ends although a thread of it never will."""
    (tmp_path / "probe.py").write_text("import time\ndef run(**_):\n    time.sleep(600)\n")
    script = f"""
        import asyncio, pathlib
        from ingestd.errors import RunTimeout
        from ingestd.loading.loader import Loader
        from ingestd.calling import CallOptions, Threads
        plugin = Loader([pathlib.Path({str(tmp_path)!r})]).load("probe")
        threads = Threads()
        options = CallOptions(
            name="a", timeout=0.1, memory_limit=None, isolation=threads, log=None
        )
        try:
            asyncio.run(threads.call(plugin, {{}}, options))
        except RunTimeout:
            print("left behind")
    """

    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "left behind\n", "")
