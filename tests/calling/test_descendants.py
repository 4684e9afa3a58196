"""What a plugin leaves behind ends with its run, however it tries to get away."""

import asyncio
import contextlib
import signal
import subprocess
from pathlib import Path
from typing import Final

import pytest

from ingestd.calling.plugin import Plugin
from ingestd.calling.pool import Workers
from ingestd.calling.results import results
from ingestd.calling.threads import Threads
from ingestd.errors import PluginError, RunTimeout, WorkerDied
from ingestd.processes import MARK, kill_descendants, mark_below, new_mark
from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.plugins import LogLines, PluginFolder
from tests.support.workers import options_for, until

# Each waits for processes to start and to be gone.
pytestmark = pytest.mark.slow

# How a process leaves the group and the session of its parent, and then notes its number. The
# last one of a double fork does so when the one between has gone, which else might be named, too.
SURVIVOR: Final = """
import os, signal, subprocess, sys, time

def survive(how, note):
    line = f"echo $$ >> {note}; exec sleep 600"
    if how == "session":
        subprocess.Popen(["sh", "-c", line], start_new_session=True)
    elif how == "group":
        subprocess.Popen(["sh", "-c", line], process_group=0)
    elif how == "cleared":
        subprocess.Popen(["/bin/sh", "-c", line], start_new_session=True, env={})
    elif how == "double fork":
        if (child := os.fork()) == 0:
            os.setsid()
            parent = os.getpid()
            if os.fork() == 0:
                while os.getppid() == parent:
                    time.sleep(0.001)
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                os.execvp("sh", ["sh", "-c", line])
            os._exit(0)
        os.waitpid(child, 0)
    while not os.path.exists(note) or not os.path.getsize(note):
        time.sleep(0.01)
"""
# As it is called before and after it has become what it is to be.
TOLD: Final = [f"left processes behind, which were ended: {name}" for name in ("sh", "sleep")]
WAYS: Final = ["session", "group", "cleared", "double fork"]


def is_noted(note: Path) -> bool:
    """Whether a process has noted its number."""
    return note.exists() and note.read_text().endswith("\n")


def alive(note: Path) -> bool:
    """Whether the process that noted its number still runs."""
    if not is_noted(note):
        return False
    try:
        stat = Path(f"/proc/{int(note.read_text())}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


@pytest.fixture
def note(tmp_path: Path) -> Path:
    """Give where a survivor notes its number, away from the files of a daemon."""
    (tmp_path / "notes").mkdir()
    return tmp_path / "notes" / "note"


@pytest.fixture
def leaving(plugin_folder: PluginFolder) -> Plugin:
    """Give a plugin that leaves a process behind, and then does what it is told."""
    return plugin_folder.plugin(
        f"{SURVIVOR}\ndef run(*, how, note, then, **_):\n"
        "    survive(how, note)\n    exec(then)\n    return {'survivor': int(open(note).read())}"
    )


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("end", ["timeout", "cancel"])
async def test_survivors_end_with_a_run_that_is_stopped(
    leaving: Plugin, tmp_path: Path, how: str, end: str
) -> None:
    """At a deadline, and when the run is cancelled; the record names them."""
    note, notes = tmp_path / "note", list[str]()
    kwargs = {"how": how, "note": str(note), "then": "time.sleep(600)"}
    async with Workers(1) as workers:
        seconds = 2.0 if end == "timeout" else None
        options = options_for(workers, timeout=seconds, note=notes.append)
        calling = asyncio.create_task(workers.call(leaving, kwargs, options))
        if end == "timeout":
            with pytest.raises(RunTimeout):
                await calling
        else:
            await until(lambda: is_noted(note))
            calling.cancel()
            await asyncio.wait({calling})

        assert not alive(note)
        assert all(told in TOLD for told in notes)
        # A deadline of a busy machine may be over before anything was started.
        assert len(notes) == 1 or end == "timeout"


@pytest.mark.parametrize("how", WAYS)
async def test_survivors_of_a_process_that_crashes_are_named(
    leaving: Plugin, tmp_path: Path, how: str
) -> None:
    """What the process has printed is in the record, and so are they."""
    note = tmp_path / "note"
    kwargs = {"how": how, "note": str(note), "then": "print('so far'); os.kill(os.getpid(), 9)"}
    async with Workers(1) as workers:
        with pytest.raises(WorkerDied) as died:
            await workers.call(leaving, kwargs, options_for(workers))

        assert not alive(note)
        assert died.value.output.splitlines()[-1] in TOLD


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("then", ["", "raise ValueError"])
async def test_survivors_end_with_a_run_that_comes_to_its_end(
    leaving: Plugin, tmp_path: Path, how: str, then: str
) -> None:
    """Also with one that fails; log and record name them. Its process lives on."""
    note, log, notes = tmp_path / "note", LogLines(), list[str]()
    kwargs = {"how": how, "note": str(note), "then": then}
    async with Workers(1) as workers:
        options = options_for(workers, log, note=notes.append)
        with contextlib.suppress(PluginError):
            await workers.call(leaving, kwargs, options)

        assert not alive(note)
        (told,) = notes
        assert told in TOLD
        assert [event for _, event, _ in log.lines] == [
            "run left processes behind, which were ended"
        ]
        kwargs["how"] = "none"  # nothing more is started, and nothing more is told
        with contextlib.suppress(PluginError):
            await workers.call(leaving, kwargs, options)
        assert len(notes) == 1


async def test_a_run_that_is_stopped_before_its_process_is_there_never_begins(
    plugin_folder: PluginFolder, note: Path
) -> None:
    """The supervisor ends, too, so that it cannot start the process afterwards."""
    plugin = plugin_folder.plugin(
        "import pathlib\ndef run(*, note, **_): pathlib.Path(note).touch()\n"
    )
    async with Workers(1) as workers:
        with pytest.raises(RunTimeout):
            await workers.call(plugin, {"note": str(note)}, options_for(workers, timeout=0))

        assert not note.exists()


def test_the_processes_of_one_worker_are_not_those_of_another() -> None:
    """Also of one whose number begins with the same digits."""
    mark = new_mark()
    sleeping = {
        number: subprocess.Popen(["sleep", "600"], env={MARK: mark_below(mark, number)})
        for number in (1, 10, 11)
    }
    try:
        assert kill_descendants(None, mark_below(mark, 1)) == ["sleep"]
        assert sleeping[1].wait() == -signal.SIGKILL
        assert (sleeping[10].poll(), sleeping[11].poll()) == (None, None)
    finally:
        kill_descendants(None, mark)
        ended = [each.wait() for each in sleeping.values()]
    assert ended == 3 * [-signal.SIGKILL]


async def test_helpers_serve_the_next_run(plugin_folder: PluginFolder) -> None:
    """A plugin may keep a pool of processes: it holds them, and they end with its own."""
    plugin = plugin_folder.plugin(
        """
        import multiprocessing, os
        pool = None
        def run(**_):
            global pool
            pool = pool or multiprocessing.get_context("spawn").Pool(1)
            return {"pid": pool.apply(os.getpid)}
        """
    )
    notes: list[str] = []
    async with Workers(1) as workers:
        options = options_for(workers, note=notes.append)
        pids = {(await workers.call(plugin, {}, options)).result["pid"] for _ in range(2)}

    assert len(pids) == 1
    assert notes == []
    assert not Path(f"/proc/{pids.pop()}").exists()


SHAPES: Final = {
    "thread": "def run(*, how, note, then, **_):\n    survive(how, note)\n",
    "coroutine": "async def run(*, how, note, then, **_):\n    survive(how, note)\n",
    "asyncio": (
        "import asyncio\nasync def run(*, how, note, then, **_):\n"
        "    line = f'(echo $$ >> {note}; exec sleep 600) &'\n"
        "    shell = await asyncio.create_subprocess_shell(\n"
        "        line, start_new_session=True, env={} if how == 'cleared' else None)\n"
        "    await shell.wait()\n    survive('none', note)\n"
    ),
}


# What the plugin does, and Python rightly warns of.
@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
@pytest.mark.filterwarnings("ignore:Exception ignored in. <function Popen.__del__")
@pytest.mark.parametrize("how", ["session", "cleared"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("then", ["return {}", "raise ValueError", "exec('raise SystemExit')"])
async def test_survivors_end_with_a_run_inside_the_daemon(
    plugin_folder: PluginFolder, note: Path, how: str, shape: str, then: str
) -> None:
    """What coroutines and functions in threads start is noted, as they have no process."""
    plugin = plugin_folder.plugin(f"{SURVIVOR}\n{SHAPES[shape]}    {then}\n")
    notes: list[str] = []
    options = options_for(Threads(), note=notes.append)
    kwargs = {"how": how, "note": str(note), "then": then}
    with contextlib.suppress(PluginError):
        async with contextlib.aclosing(results(plugin, kwargs, options)) as everything:
            async for _ in everything:
                pass

    await until(lambda: not alive(note))
    (told,) = notes
    assert told in TOLD


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("then", ["os._exit(3)", "os.kill(os.getpid(), 9)", "os.killpg(0, 9)"])
async def test_survivors_of_a_crash_end_as_well(
    leaving: Plugin, tmp_path: Path, how: str, then: str
) -> None:
    """The supervisor inherits them, whatever has become of their environment."""
    note = tmp_path / "note"
    kwargs = {"how": how, "note": str(note), "then": then}
    async with Workers(1) as workers:
        with pytest.raises(WorkerDied):
            await workers.call(leaving, kwargs, options_for(workers, timeout=None))

        assert not alive(note)


@pytest.mark.parametrize("how", WAYS)
def test_survivors_end_with_a_killed_daemon(daemon: DaemonProcess, note: Path, how: str) -> None:
    """The kernel tells the supervisor, so that the next daemon has nothing to clear away."""
    daemon.plugin(
        "stays",
        f"{SURVIVOR}\ndef run(*, how, note, **_):\n    survive(how, note)\n    time.sleep(600)",
    )
    params = {"note": str(note), "how": how}
    daemon.configure(collectors={"stays": {"plugin": "stays", "every": "200ms", "params": params}})
    daemon.start()
    eventually(lambda: is_noted(note))
    daemon.kill()

    eventually(lambda: not alive(note))


def test_record_names_what_a_run_has_left_behind(daemon: DaemonProcess, note: Path) -> None:
    """The operator sees it where runs are told."""
    code = "def run(*, note, **_):\n    survive('cleared', note)\n    return {}"
    daemon.plugin("stays", f"{SURVIVOR}\n{code}")
    params = {"note": str(note)}
    daemon.configure(collectors={"stays": {"plugin": "stays", "every": "200ms", "params": params}})
    daemon.start()
    daemon.wait_for("run ok", collector="stays")

    (told,) = daemon.newest_run("stays")["notes"]
    assert daemon.stop() == 0

    assert told in TOLD


def test_survivors_of_a_coroutine_end_with_the_daemon(
    daemon: DaemonProcess, tmp_path: Path
) -> None:
    """What it forks is not noted, so that may live until then; the log names it."""
    note = tmp_path / "note"
    daemon.plugin(
        "stays",
        f"{SURVIVOR}\nasync def run(*, note, **_):\n"
        "    os.path.exists(note) or survive('double fork', note)\n    return {}",
    )
    daemon.configure(
        collectors={"stays": {"plugin": "stays", "every": "200ms", "params": {"note": str(note)}}}
    )
    daemon.start()
    eventually(lambda: is_noted(note))
    assert daemon.stop() == 0

    assert not alive(note)
    assert daemon.logged("ended processes that plugins left behind")
