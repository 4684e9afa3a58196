"""``ingestd run``: how it ends, and with which exit code."""

import signal
import subprocess
import sys

import pytest

from tests.support.cli import CommandLine
from tests.support.daemonprocess import DaemonProcess

pytestmark = pytest.mark.slow

STUBBORN = """
import asyncio

async def run(*, ctx, **_):
    ctx.log.info("begun")
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass
"""


def test_ends_with_0_when_it_is_asked_to(daemon: DaemonProcess) -> None:
    """TERM is a clean end."""
    daemon.configure()
    daemon.start()

    assert daemon.stop() == 0


def test_lists_every_problem_of_the_configuration_and_ends_with_78(
    daemon: DaemonProcess, cli: CommandLine
) -> None:
    """All of them are told at once, with their lines."""
    daemon.configure(collectors={"a": {"plugin": "system", "evry": "5s"}, "b": {"every": "x"}})

    said = cli("run")

    assert said.code == 78
    assert "collectors.a.evry: unknown option" in said.err
    assert "collectors.b.every: expected a duration" in said.err


def test_says_how_to_begin_where_there_is_no_configuration(cli: CommandLine) -> None:
    """The first message after an installation says what to do."""
    said = cli("run", "--config", "nowhere.yaml")

    assert said.code == 78
    assert said.err.startswith("nowhere.yaml: no such file; name one with --config")


def test_ends_with_75_where_another_daemon_runs(daemon: DaemonProcess, cli: CommandLine) -> None:
    """The message names who holds the state directory."""
    daemon.configure()
    daemon.start()

    said = cli("run")

    assert said.code == 75
    assert f"in use by process {daemon.pid}" in said.err


def test_ends_with_2_for_a_wrong_command_line(cli: CommandLine) -> None:
    """It is what most programs do, and what scripts look for."""
    assert cli("run", "--nonsense").code == 2
    assert cli("nonsense").code == 2


@pytest.mark.parametrize(
    ("more", "schedule"),
    [("    yield {}\n", {}), ("", {"every": "1s"})],
    ids=["stream", "on a schedule"],
)
def test_is_not_kept_by_a_plugin_that_ignores_its_end(
    daemon: DaemonProcess, more: str, schedule: dict[str, str]
) -> None:
    """The process is ended over it, and says so."""
    daemon.plugin("stubborn", STUBBORN + more)
    daemon.configure(collectors={"s": {"plugin": "stubborn", **schedule}}, daemon={"grace": "10ms"})
    daemon.start()
    daemon.wait_for("begun")

    assert daemon.stop() == 0
    (line,) = daemon.logged("ended without waiting any longer")
    assert any("ingestd[s" in task for task in line["tasks"])


def test_marks_what_is_wrong_as_an_error_for_the_journal(cli: CommandLine) -> None:
    """The journal reads the priority at the start of a line."""
    script = (
        "import os, runpy, sys\n"
        "status = os.fstat(2)\n"
        "os.environ['JOURNAL_STREAM'] = f'{status.st_dev}:{status.st_ino}'\n"
        "sys.argv = ['ingestd', 'run', '--config', 'nowhere.yaml']\n"
        "runpy.run_module('ingestd', run_name='__main__')\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=False, env=cli.environ
    )

    assert done.returncode == 78
    assert done.stderr.startswith(b"<3>nowhere.yaml: no such file")


def test_takes_the_log_format_from_the_command_line(daemon: DaemonProcess) -> None:
    """What is said there wins over the configuration."""
    daemon.configure(daemon={"log_format": "console"})
    argv = [sys.executable, "-m", "ingestd", "run", "-c", str(daemon.config_path)]
    process = subprocess.Popen([*argv, "--log-format", "json"], stderr=subprocess.PIPE)
    assert process.stderr is not None

    with process, process.stderr as log:
        first = log.readline()
        process.send_signal(signal.SIGTERM)
        log.read()

    assert first.startswith(b'{"timestamp"')


def test_shows_its_version(cli: CommandLine) -> None:
    """A report of a fault needs the version of Python as well."""
    said = cli("--version")

    assert said.code == 0
    assert said.out.startswith("ingestd 0.")
    assert f"Python {sys.version.split()[0]}" in said.out
