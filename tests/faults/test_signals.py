"""Each signal in each phase of a daemon's life: only those that are meant to end it do."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.ingestdprocess import AS_USERS_DO

pytestmark = pytest.mark.slow

STARTING, RUNNING, STOPPING, STOPPED = "starting", "running", "stopping", "stopped"
HARMLESS = (signal.SIGHUP, signal.SIGUSR1)


class Life:
    """A daemon that stands still where a test wants it to, until it is let go on."""

    def __init__(self, daemon: DaemonProcess, folder: Path) -> None:
        self.daemon, self.folder = daemon, folder
        # Its import is the start, its run the stop: the run holds the grace period up.
        daemon.plugin(
            "slow",
            f"""
            import asyncio, pathlib, time
            folder = pathlib.Path({str(folder)!r})
            (folder / "importing").touch()
            while not (folder / "imported").exists():
                time.sleep(0.01)
            async def run(*, n=0, **_):
                (folder / "running").touch()
                while not (folder / "ran").exists():
                    await asyncio.sleep(0.01)
                return {{"readings": [(1_600_000_000 + n, "slow", n)], "n": n + 1}}
            """,
        )
        daemon.configure(
            daemon={"grace": "60s"}, collectors={"slow": {"plugin": "slow", "every": "100ms"}}
        )

    def go_on(self, mark: str) -> None:
        """Let it go on."""
        (self.folder / mark).touch()

    def until(self, phase: str) -> None:
        """Bring it to a phase."""
        self.daemon.start(ready=False)
        eventually((self.folder / "importing").exists)
        if phase == STARTING:
            return
        self.go_on("imported")
        self.daemon.wait_for("ready")
        eventually((self.folder / "running").exists)
        if phase == RUNNING:
            return
        self.daemon.send(signal.SIGTERM)
        self.daemon.wait_for("stopping")
        if phase == STOPPED:
            self.go_on("ran")
            self.daemon.wait_for("stopped")

    def end(self) -> int:
        """Let it come to its end, and return its exit code."""
        self.go_on("imported")
        self.go_on("ran")
        return self.daemon.ended()


@pytest.fixture
def life(daemon: DaemonProcess, tmp_path: Path) -> Life:
    """A daemon that has not been started."""
    return Life(daemon, tmp_path)


def send(life: Life, number: signal.Signals) -> None:
    """Send a signal, unless the process has gone already."""
    if life.daemon.alive:
        life.daemon.send(number)


@pytest.mark.parametrize("phase", [STARTING, RUNNING, STOPPING, STOPPED])
@pytest.mark.parametrize("number", HARMLESS, ids=str)
def test_a_signal_that_ends_nothing(life: Life, phase: str, number: signal.Signals) -> None:
    """Wherever it comes, the daemon goes on and ends as well as any other."""
    life.until(phase)
    send(life, number)
    if phase in {STARTING, RUNNING}:
        life.go_on("imported")
        life.daemon.wait_for("ready")
        life.go_on("ran")
        life.daemon.wait_for("run ok")
        life.daemon.send(signal.SIGTERM)

    assert life.end() == 0
    assert life.daemon.logged("stopped")


@pytest.mark.parametrize("phase", [STARTING, RUNNING, STOPPING, STOPPED])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=str)
def test_a_signal_that_ends_the_daemon(life: Life, phase: str, number: signal.Signals) -> None:
    """Once is a stop in good order, and one more in a stop hurries that."""
    life.until(phase)
    send(life, number)

    assert life.end() == 0
    assert life.daemon.logged("stopped")
    hurried = bool(life.daemon.logged("hurrying"))
    assert phase == STOPPED or hurried == (phase == STOPPING)  # "stopped" may come too late


def test_a_hangup_at_the_start_is_a_reload_afterwards(life: Life) -> None:
    """The configuration that was being read may have been edited meanwhile."""
    life.until(STARTING)
    life.daemon.configure(
        **{**life.daemon.config, "buffer": {"points": 5000}},
    )
    life.daemon.send(signal.SIGHUP)
    life.go_on("imported")

    assert life.daemon.wait_for("config reloaded")["changes"].endswith("applied: buffer.points")
    life.daemon.send(signal.SIGTERM)
    assert life.end() == 0


def test_a_hangup_before_there_is_anything_is_taken(daemon: DaemonProcess) -> None:
    """Python would end the process; what is imported takes most of the time of a start."""
    daemon.configure()
    daemon.start(ready=False, program=AS_USERS_DO)
    comm = Path(f"/proc/{daemon.pid}/status")

    def takes_hangups() -> bool:
        caught = next(line for line in comm.read_text().splitlines() if line.startswith("SigCgt"))
        return bool(int(caught.split()[1], 16) & 1 << signal.SIGHUP - 1)

    eventually(takes_hangups)
    assert not daemon.lines
    daemon.send(signal.SIGHUP)

    daemon.wait_for("ready")
    daemon.wait_for("config reloaded")
    assert daemon.stop() == 0


# Sends itself a signal at each of its imports.
AT_EACH_IMPORT: Final = """
import os, sys
import ingestd.cli

number = int(sys.argv[1])

class Sending:
    def find_spec(self, name, path=None, target=None):
        os.kill(os.getpid(), number)

sys.meta_path.insert(0, Sending())
sys.argv = ["ingestd", "run", "--config", "/nowhere/ingestd.yaml"]
ingestd.cli.main()
"""


@pytest.mark.parametrize("number", HARMLESS, ids=str)
def test_a_signal_while_anything_is_imported(number: signal.Signals) -> None:
    """From the first line of ours on, it does not end the process: the configuration does."""
    code = subprocess.run(
        [sys.executable, "-c", AT_EACH_IMPORT, str(int(number))], capture_output=True, check=False
    ).returncode

    assert code == 78


def test_a_signal_that_was_held_before_the_start_is_answered(daemon: DaemonProcess) -> None:
    """As with `env --block-signal=HUP`, which keeps it while Python itself starts."""
    daemon.configure()
    with blocked(signal.SIGHUP):
        daemon.start(ready=False, program=AS_USERS_DO)
    daemon.send(signal.SIGHUP)

    daemon.wait_for("ready")
    daemon.wait_for("config reloaded")
    assert daemon.stop() == 0


@contextmanager
def blocked(number: signal.Signals) -> Iterator[None]:
    """Have this thread, and what it starts, hold a signal."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
