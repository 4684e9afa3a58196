"""A few worker processes for many collectors: which of them runs what, and how they end."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # ships no types
import pytest

from ingestd.calling import pool
from ingestd.calling.pool import Workers
from ingestd.errors import (
    RunTimeout,
    WorkerDied,
)
from tests.support.deadline import WITHIN
from tests.support.plugins import LogLines, PluginFolder, state_of
from tests.support.workers import HANG, WHO_AM_I, InWorker, failure, options_for, until

# Starting a process takes about a tenth of a second, and these tests start many.
pytestmark = pytest.mark.slow


async def test_process_serves_one_version_of_one_plugin(
    plugin_folder: PluginFolder, in_worker: InWorker, process_count: Callable[[], int]
) -> None:
    """What a plugin does to its process is met by itself alone, and only until it is edited."""
    old, other = plugin_folder.plugin(WHO_AM_I), plugin_folder.plugin(WHO_AM_I, "other")
    pids = [(await in_worker(each)).result["pid"] for each in (old, other, old)]
    plugin_folder.write("probe", f"{WHO_AM_I}# edited\n")
    new = plugin_folder.loader.load("probe")

    pids.append((await in_worker(new)).result["pid"])

    assert pids[0] == pids[2]
    assert len(set(pids)) == 3
    await until(lambda: process_count() == 2)


async def test_process_is_replaced_after_many_calls(
    plugin_folder: PluginFolder, in_worker: InWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plugin that leaks gets a fresh process now and then."""
    monkeypatch.setattr(pool, "MOST_CALLS", 2)
    plugin = plugin_folder.plugin(WHO_AM_I)

    pids = [(await in_worker(plugin)).result["pid"] for _ in range(4)]

    assert pids[0] == pids[1] != pids[2] == pids[3]


async def test_idle_process_is_let_go(
    plugin_folder: PluginFolder, in_worker: InWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daily plugin does not keep its libraries in memory all day."""
    monkeypatch.setattr(pool, "IDLE_TIMEOUT", 0.05)
    plugin = plugin_folder.plugin(WHO_AM_I)

    first = (await in_worker(plugin)).result["pid"]

    await until(lambda: not psutil.pid_exists(first))
    assert (await in_worker(plugin)).result["pid"] != first


async def test_each_idle_time_counts_from_its_own_beginning(
    plugin_folder: PluginFolder, in_worker: InWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is used again stays, though its earlier idle time would be over by now.

    The test waits until it would be.
    """
    plugin = plugin_folder.plugin(WHO_AM_I)
    await in_worker(plugin)
    monkeypatch.setattr(pool, "IDLE_TIMEOUT", 1.0)
    await in_worker(plugin)
    monkeypatch.undo()
    used = (await in_worker(plugin)).result["pid"]

    await asyncio.sleep(1.1)

    assert (await in_worker(plugin)).result["pid"] == used


async def test_process_that_dies_idle_is_not_used(
    plugin_folder: PluginFolder, in_worker: InWorker
) -> None:
    """A death between two runs fails neither of them."""
    plugin = plugin_folder.plugin(WHO_AM_I)
    first = (await in_worker(plugin)).result["pid"]

    os.kill(first, signal.SIGKILL)
    await until(lambda: not psutil.pid_exists(first))

    assert (await in_worker(plugin)).result["pid"] != first


async def test_deadline_counts_from_the_start_of_the_run(
    plugin_folder: PluginFolder, worker_log: LogLines, tmp_path: Path
) -> None:
    """Waiting for a free process uses up no time of the run that waits.

    The test takes as long as the deadline, because a wait that is shorter proves nothing.
    """
    gate, limit = tmp_path / "gate", 1.0
    os.mkfifo(gate)
    plugin = plugin_folder.plugin("def run(*, gate, **_):\n    open(gate).read(); return {}\n")
    async with Workers(1) as workers:
        options = partial(options_for, workers, worker_log)
        first = workers.call(plugin, {"gate": str(gate)}, options(name="a", timeout=None))
        second = workers.call(plugin, {"gate": "/dev/null"}, options(name="b", timeout=limit))
        ahead, behind = asyncio.create_task(first), asyncio.create_task(second)
        await asyncio.sleep(1.1 * limit)
        assert not behind.done()

        await asyncio.to_thread(gate.write_text, "")

        assert [state_of(await each) for each in (ahead, behind)] == [{}, {}]


async def test_stuck_run_leaves_the_other_processes_to_others(
    plugin_folder: PluginFolder, in_worker: InWorker
) -> None:
    """One hanging collector takes one process and no more."""
    stuck = asyncio.create_task(in_worker(plugin_folder.plugin(HANG, "stuck"), limit=None))
    plugin = plugin_folder.plugin(WHO_AM_I)

    assert len({(await in_worker(plugin)).result["pid"] for _ in range(5)}) == 1
    stuck.cancel()
    await asyncio.wait([stuck])


async def test_runs_that_keep_hanging_leave_half_of_the_processes_to_others(
    plugin_folder: PluginFolder, worker_log: LogLines, process_count: Callable[[], int]
) -> None:
    """As many as there are processes hang; from the second time on no other run waits for them."""
    hanging, healthy = plugin_folder.plugin(HANG, "stuck"), plugin_folder.plugin(WHO_AM_I)
    async with asyncio.timeout(WITHIN), Workers(2) as workers:
        options = partial(options_for, workers, worker_log)
        hangs = [workers.call(hanging, {}, options(name=name, timeout=0.1)) for name in "ab"]
        first = await asyncio.gather(*hangs, return_exceptions=True)
        more = [workers.call(hanging, {}, options(name=name, timeout=None)) for name in "ab"]
        again = [asyncio.create_task(each) for each in more]
        await until(lambda: process_count() == 1)

        assert (await workers.call(healthy, {}, options(name="c", timeout=None))).result["pid"]
    for ended in again:  # the one that waited for its turn is told, too
        assert isinstance(await failure(ended), WorkerDied)
    assert [type(each) for each in first] == [RunTimeout, RunTimeout]


async def test_a_run_that_ended_in_time_has_all_the_processes_again(
    plugin_folder: PluginFolder, worker_log: LogLines, process_count: Callable[[], int]
) -> None:
    """A source that was slow once is not held back for ever."""
    plugin = plugin_folder.plugin("import time\ndef run(*, n, **_): time.sleep(n); return {}\n")
    async with asyncio.timeout(WITHIN), Workers(2) as workers:

        async def call(n: int, name: str, limit: float | None) -> None:
            options = options_for(workers, worker_log, name=name, timeout=limit)
            await workers.call(plugin, {"n": n}, options)

        for name in "ab":
            await failure(call(600, name, 0.1))
            await call(0, name, WITHIN)
        both = [asyncio.create_task(call(600, name, None)) for name in "ab"]

        await until(lambda: process_count() == 2)
    await asyncio.wait(both)
    assert [isinstance(each.exception(), WorkerDied) for each in both] == [True, True]


async def test_cancelling_kills_the_run_and_all_that_it_started(
    plugin_folder: PluginFolder,
    in_worker: InWorker,
    tmp_path: Path,
    process_count: Callable[[], int],
) -> None:
    """A collector that is stopped leaves no process behind, nor a child of one."""
    note = tmp_path / "child"
    plugin = plugin_folder.plugin(
        f"""
        import pathlib, subprocess
        def run(**_):
            child = subprocess.Popen(["sleep", "600"])
            pathlib.Path({str(note)!r}).write_text(f"{{child.pid}}\\n")
            child.wait()
        """
    )
    task = asyncio.create_task(in_worker(plugin))
    await until(lambda: note.exists() and note.read_text().endswith("\n"))

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert process_count() == 0
    await until(lambda: not psutil.pid_exists(int(note.read_text())) or is_dead(note))


def is_dead(note: Path) -> bool:
    """Whether the process is a zombie, because this container has no init that collects it."""
    try:
        return bool(psutil.Process(int(note.read_text())).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


async def test_leaving_stops_every_process(
    plugin_folder: PluginFolder, worker_log: LogLines, process_count: Callable[[], int]
) -> None:
    """Idle ones may run their exit handlers, busy ones are killed; none is left as a zombie."""
    note = plugin_folder.path / "note"
    idle = plugin_folder.plugin(
        f"""
        import atexit, pathlib
        def run(**_):
            atexit.register(pathlib.Path({str(note)!r}).touch)
            return {{}}
        """,
        "idle",
    )
    async with Workers(2) as workers:
        await workers.call(idle, {}, options_for(workers, worker_log, name="a"))
        begun = plugin_folder.path / "begun"
        plugin = plugin_folder.plugin(
            f"""
            import pathlib, time
            def run(**_):
                pathlib.Path({str(begun)!r}).touch()
                time.sleep(600)
            """
        )
        busy = asyncio.create_task(
            workers.call(plugin, {}, options_for(workers, worker_log, name="b", timeout=None))
        )
        await until(begun.exists)  # one that is there may not be busy yet
        assert process_count() == 2

    assert isinstance(await failure(busy), WorkerDied)
    assert note.exists()
    assert process_count() == 0


async def test_leaving_waits_for_a_process_that_is_starting(
    plugin_folder: PluginFolder, worker_log: LogLines, process_count: Callable[[], int]
) -> None:
    """But not for its run, which does not begin any more: it might never end."""
    plugin = plugin_folder.plugin(HANG)
    async with asyncio.timeout(WITHIN), Workers(1) as workers:
        call = workers.call(plugin, {}, options_for(workers, worker_log, timeout=None))
        starting = asyncio.create_task(call)
        await asyncio.sleep(0)  # it has its slot

    assert isinstance(await failure(starting), WorkerDied)
    assert process_count() == 0


def test_workers_die_with_a_killed_daemon(plugin_folder: PluginFolder) -> None:
    """Kill -9 of the daemon takes even a busy worker with it."""
    plugin_folder.write(
        "probe",
        """
        import os, time
        def run(*, ctx, **_):
            ctx.log.info(f"{os.getpid()}")
            time.sleep(600)
        """,
    )
    script = f"""
        import asyncio, pathlib, sys
        from ingestd.calling import CallOptions, Workers
        from ingestd.loading.loader import Loader
        class Log:
            def info(self, event): print(event, flush=True)
        async def main():
            plugin = Loader([pathlib.Path({str(plugin_folder.path)!r})]).load("probe")
            async with Workers(1) as workers:
                options = CallOptions(
                    name="a", timeout=None, memory_limit=None, isolation=workers, log=Log()
                )
                await workers.call(plugin, {{}}, options)
        asyncio.run(main())
    """
    daemon = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True
    )
    with daemon:
        assert daemon.stdout is not None
        worker = psutil.Process(int(daemon.stdout.readline()))
        daemon.kill()

    _, alive = psutil.wait_procs([worker], timeout=WITHIN)

    assert not [each for each in alive if each.status() != psutil.STATUS_ZOMBIE]
