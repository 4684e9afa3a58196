"""What a plugin leaves behind ends with its worker process, however it tries to get away."""

import asyncio
from pathlib import Path
from typing import Final

import pytest

from ingestd.calling.pool import Workers
from ingestd.errors import RunTimeout, WorkerDied
from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.plugins import PluginFolder
from tests.support.workers import options_for, until

# Each waits for processes to start and to be gone.
pytestmark = pytest.mark.slow

# How a process leaves the group and the session of its parent, and then notes its number.
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
            if os.fork() == 0:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                os.execvp("sh", ["sh", "-c", line])
            os._exit(0)
        os.waitpid(child, 0)
    while not os.path.exists(note) or not open(note).read().strip():
        time.sleep(0.01)
"""
WAYS: Final = ["session", "group", "cleared", "double fork"]


def alive(note: Path) -> bool:
    """Whether the process that noted its number still runs."""
    stat = Path(f"/proc/{int(note.read_text())}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] not in "ZX"


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("end", ["timeout", "cancel", "close"])
async def test_survivors_end_with_their_worker(
    plugin_folder: PluginFolder, tmp_path: Path, how: str, end: str
) -> None:
    """At a deadline, when the run is cancelled, and when the pool is closed after a good run."""
    hang = "" if end == "close" else "time.sleep(600)"
    plugin = plugin_folder.plugin(
        f"{SURVIVOR}\ndef run(*, how, note, **_):\n"
        f"    survive(how, note)\n    {hang}\n    return {{}}"
    )
    note = tmp_path / "note"
    async with Workers(1) as workers:
        calling = asyncio.create_task(
            workers.call(
                plugin,
                {"how": how, "note": str(note)},
                options_for(workers, timeout=2.0 if end == "timeout" else None),
            )
        )
        if end == "timeout":
            with pytest.raises(RunTimeout):
                await calling
        elif end == "cancel":
            await until(note.exists)
            calling.cancel()
            await asyncio.wait({calling})
        else:
            await calling
            assert alive(note), "a run may leave something for the next one"

    assert not alive(note)


@pytest.mark.parametrize("how", [way for way in WAYS if way != "cleared"])
async def test_survivors_of_a_crash_end_as_well(
    plugin_folder: PluginFolder, tmp_path: Path, how: str
) -> None:
    """They have a new parent by then, and are known by their environment."""
    plugin = plugin_folder.plugin(
        f"{SURVIVOR}\ndef run(*, how, note, **_):\n    survive(how, note)\n    os._exit(3)"
    )
    note = tmp_path / "note"
    kwargs = {"how": how, "note": str(note)}
    async with Workers(1) as workers:
        with pytest.raises(WorkerDied):
            await workers.call(plugin, kwargs, options_for(workers, timeout=None))

        assert not alive(note)


def test_survivors_of_a_coroutine_end_with_the_daemon(
    daemon: DaemonProcess, tmp_path: Path
) -> None:
    """It has no process of its own, so they may live until then; the log names them."""
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
    eventually(note.exists)
    assert daemon.stop() == 0

    assert not alive(note)
    assert daemon.logged("ended processes that plugins left behind")
