"""Every command: its help, and its place in the documentation."""

import platform
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ingestd import __version__
from ingestd.cli.commands import COMMANDS, ingestd
from ingestd.cli.settings import behind_the_verb
from tests.support.cli import CommandLine
from tests.support.daemonprocess import DaemonProcess

DOCS = Path(__file__).parents[2] / "docs" / "commands.md"


def commands(
    command: click.Command = ingestd, path: tuple[str, ...] = ("ingestd",)
) -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its full name."""
    if not isinstance(command, click.Group):
        yield " ".join(path), command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from commands(found, (*path, name))


@pytest.mark.parametrize(("name", "command"), list(commands()))
def test_is_documented_with_its_options(name: str, command: click.Command) -> None:
    """A reader finds each command under its name, and each of its options."""
    text = DOCS.read_text()
    options = [
        option
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for option in parameter.opts
        if option.startswith("--")
    ]

    assert f"`{name}" in text or f"$ {name}" in text
    assert [option for option in options if option not in text] == []
    assert command.help


@pytest.mark.slow  # a process for each command
def test_help_and_samples_can_be_printed(cli: CommandLine) -> None:
    """They need no configuration."""
    assert "new-plugin" in cli("--help").out
    assert "--dry-run" in cli("once", "--help").out
    assert "collectors:" in cli("config", "sample").out
    assert "ExecStart=" in cli("systemd", "unit").out


@pytest.mark.slow  # a process for each command
def test_a_misspelt_command_is_set_right(cli: CommandLine) -> None:
    """A command gets the same hint as an option of the configuration."""
    said = cli("statsu")

    assert said.code == 2
    assert "no command 'statsu'; did you mean 'status'?" in said.err
    assert "No such command 'frobnicate'" in cli("frobnicate").err


@pytest.mark.slow  # a process for each command
def test_a_closed_pipe_is_no_error_to_talk_about(cli: CommandLine) -> None:
    """A reader such as ``head -1`` goes away before the last line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ingestd", "config", "sample"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=cli.environ,
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None

    assert process.stderr.read() == b""
    process.stderr.close()
    process.wait()


@pytest.mark.slow  # a process for each command
def test_the_version_is_the_same_however_it_is_asked(cli: CommandLine) -> None:
    """Alone it is told before the command line is imported, which tells it among other options."""
    alone, among_others = cli("--version"), cli("--version", "status")

    assert alone.out == f"ingestd {__version__}, Python {platform.python_version()}\n"
    assert (among_others.code, among_others.out) == (alone.code, alone.out)


@pytest.mark.slow  # a process for each command
def test_the_version_needs_nothing_of_the_command_line() -> None:
    """Scripts ask for it again and again, and the command line takes thrice the time."""
    loaded = modules_after(
        "import sys; sys.argv[1:] = ['--version']; from ingestd.cli import main; main()"
    )

    assert {name for name in loaded if name.startswith("ingestd")} == {
        "ingestd",
        "ingestd.cli",
        "ingestd.cli.version",
    }
    assert not loaded & {"click", "importlib.metadata", "platform", "typing"}


@pytest.mark.slow  # a process for each command
@pytest.mark.parametrize("module", sorted({module for module, _ in COMMANDS.values()}))
def test_only_run_imports_the_daemon(module: str) -> None:
    """The other commands start without it, and import it only to be one for a while."""
    loaded = modules_after(f"import ingestd.cli.{module}")

    assert ("ingestd.app" in loaded) == (module == "run")
    assert ("ingestd.web" in loaded) == (module == "run")


def modules_after(code: str) -> set[str]:
    """Return what a Python process has imported once it has run some code."""
    tell = "import sys; sys.stderr.write('\\n'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{tell}"], check=True, capture_output=True, text=True
    )
    return set(done.stderr.split())


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["--config", "F", "status"], ["status", "--config", "F"]),
        (["-c", "F", "--json", "status"], ["status", "-c", "F", "--json"]),
        (["-cF", "status"], ["status", "-cF"]),
        (["--config=F", "dead-letters", "list"], ["dead-letters", "list", "--config=F"]),
        (["-v", "once", "m", "-n"], ["once", "m", "-n", "-v"]),
        (["--log-level", "debug", "run"], ["run", "--log-level", "debug"]),
        (["--json", "state", "show", "--", "-odd"], ["state", "show", "--json", "--", "-odd"]),
        (["status", "--json"], ["status", "--json"]),
        (["--help"], ["--help"]),
        (["--frobnicate", "status"], ["--frobnicate", "status"]),
        (["--json"], ["--json"]),
        (["--config"], ["--config"]),
        ([], []),
    ],
)
def test_shared_options_may_stand_before_the_verb(written: list[str], read: list[str]) -> None:
    """They are those of the verb; any other is told as the mistake that it is."""
    assert behind_the_verb(written) == read


@pytest.mark.slow  # a process for each command
def test_options_before_the_verb_are_taken(site: DaemonProcess, cli: CommandLine) -> None:
    """Of a command, of one in a group, and with the group between."""
    del cli.environ["INGESTD_CONFIG"]
    path = str(site.config_path)

    assert cli("--config", path, "--json", "status").out.startswith("{")
    assert cli("--config", path, "dead-letters", "list").code == 0
    assert cli("dead-letters", "--config", path, "list").code == 0
    assert "ingestd run --help" in cli("--json", "-c", path, "run").err
