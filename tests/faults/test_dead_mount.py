"""A directory on a mount whose server is gone: told in bounded time, never waited for."""

from pathlib import Path

import pytest

from tests.support.cli import CommandLine
from tests.support.daemonprocess import DaemonProcess

# Each asks a mount that does not answer, and gives it five seconds.
pytestmark = pytest.mark.slow

TOLD = "expected a directory on a disk that answers, got one that does not answer within 5 s"


def test_a_start_does_not_wait(daemon: DaemonProcess, dead_mount: Path) -> None:
    """It ends with an error that names the directory, for systemd to try again."""
    daemon.state_dir = dead_mount / "state"
    daemon.configure()
    daemon.start(ready=False)

    assert daemon.ended() == 1
    (told,) = daemon.logged("unreadable")
    assert f"{daemon.state_dir}: {TOLD}" in told["text"]


@pytest.mark.parametrize("command", ["status", "check", "once m", "once m --dry-run"])
def test_commands_do_not_wait(
    daemon: DaemonProcess, dead_mount: Path, cli: CommandLine, command: str
) -> None:
    """Nor those that look for a daemon there."""
    daemon.state_dir = dead_mount / "state"
    daemon.configure(collectors={"m": {"plugin": "system", "every": "1m"}})

    said = cli(*command.split())

    assert f"{daemon.state_dir}: {TOLD}" in said.err
    assert "Traceback" not in said.err


def test_a_daemon_does_not_wait_for_files(daemon: DaemonProcess, dead_mount: Path) -> None:
    """Their runs fail when it has not answered; others go on, and it stops at once."""
    shape = {"time": "time", "values": {"kwh": "kwh"}}
    params = {"path": f"{dead_mount}/**/*.csv", **shape}
    there = {"path": f"{daemon.folder}/{{name}}.csv", "follow": True, **shape}
    (daemon.folder / "a.csv").write_text("time,kwh\n2026-07-01T00:00:00Z,5\n")
    daemon.configure(
        collectors={
            "dead": {"plugin": "files", "every": "100ms", "params": params},
            "there": {"plugin": "files", "every": "100ms", "params": there},
        }
    )
    daemon.start()

    daemon.wait_for("run ok", collector="there", readings=1)
    failed = daemon.wait_for("run failed", collector="dead")
    assert f"{dead_mount}: does not answer" in failed["error"]
    assert daemon.stop() == 0
