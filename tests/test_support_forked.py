"""Forked processes of ingestd are what those are that start as users start them."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.cli import CommandLine
from tests.support.daemonprocess import DaemonProcess
from tests.support.ingestdprocess import AS_USERS_DO, PIPE, IngestdProcess

pytestmark = pytest.mark.slow  # Python starts for half of the commands

BOTH = pytest.mark.parametrize("program", [(), AS_USERS_DO], ids=["forked", "started"])


@pytest.fixture
def as_users_do(cli: CommandLine) -> CommandLine:
    """Give the command line whose processes start as users start them."""
    return CommandLine(cli.config_path, AS_USERS_DO)


@pytest.mark.parametrize(
    "command",
    [
        ["--version"],
        ["statsu"],
        ["check"],
        ["config", "sample"],
        ["new-plugin", "/nowhere/at/all"],
        ["plugins"],
        ["status", "--json"],
        ["run", "--config", "nowhere.yaml"],
    ],
    ids=" ".join,
)
def test_say_the_same(
    command: Sequence[str], site: DaemonProcess, cli: CommandLine, as_users_do: CommandLine
) -> None:
    """Code, output and errors are the same."""
    assert cli(*command) == as_users_do(*command)


@BOTH
def test_end_by_the_signal_that_ends_them(daemon: DaemonProcess, program: Sequence[str]) -> None:
    """One that is killed says so, and one that is asked to end does."""
    daemon.configure()
    daemon.start(program=program)
    daemon.kill()
    killed = daemon.ended()
    daemon.start(program=program)

    assert (killed, daemon.stop()) == (-signal.SIGKILL, 0)


@BOTH
def test_have_the_input_the_outputs_and_nothing_else_open(
    site: DaemonProcess, program: Sequence[str]
) -> None:
    """A command that asks for a confirmation waits for it, with these three."""
    command = ("state", "reset", "good", "--config", str(site.config_path))
    ours, theirs = os.pipe()
    with os.fdopen(theirs, "w") as answer, os.fdopen(ours):
        process = IngestdProcess(*command, stdin=ours, stdout=PIPE, stderr=PIPE, program=program)
        with process:
            asked = process.stderr.read(1)
            names = {each.name for each in Path(f"/proc/{process.pid}/fd").iterdir()}
            answer.write("n\n")
            answer.close()
            process.read()

            assert process.wait() == 130
    assert asked
    assert names == {"0", "1", "2"}


@BOTH
def test_are_ended_with_the_test(site: DaemonProcess, program: Sequence[str]) -> None:
    """None is left that waits for something."""
    command = ("run", "--config", str(site.config_path))
    with IngestdProcess(*command, stderr=PIPE, program=program) as process:
        process.stderr.readline()

    assert process.poll() == -signal.SIGKILL
    assert not Path(f"/proc/{process.pid}").exists()


@pytest.mark.parametrize(
    ("environ", "forked"),
    [
        ({}, True),
        ({"COLUMNS": "40", "TZ": "Asia/Kathmandu", "PYTHONDONTWRITEBYTECODE": "1"}, True),
        ({"PYTHONUTF8": "0"}, False),
        ({"LC_ALL": "POSIX"}, False),
    ],
)
def test_python_starts_where_the_environment_tells_it_something(
    daemon: DaemonProcess, environ: dict[str, str], *, forked: bool
) -> None:
    """The server has read what Python reads of it only once."""
    daemon.configure()
    command = ("run", "--config", str(daemon.config_path))
    with IngestdProcess(*command, stderr=PIPE, environ={**os.environ, **environ}) as process:
        process.stderr.readline()
        shown = Path(f"/proc/{process.pid}/cmdline").read_bytes()

    assert (b"tests.support.forkserver" in shown) == forked
