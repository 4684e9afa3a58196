"""Every command: its help, and its place in the documentation."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ingestd.cli import ingestd
from tests.support.cli import CommandLine

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


@pytest.mark.slow
def test_help_and_samples_can_be_printed(cli: CommandLine) -> None:
    """They need no configuration."""
    assert "new-plugin" in cli("--help").out
    assert "--dry-run" in cli("once", "--help").out
    assert "collectors:" in cli("config", "sample").out
    assert "ExecStart=" in cli("systemd", "unit").out


@pytest.mark.slow
def test_a_misspelt_command_is_set_right(cli: CommandLine) -> None:
    """As options of the configuration are."""
    said = cli("statsu")

    assert said.code == 2
    assert "no command 'statsu'; did you mean 'status'?" in said.err
    assert "No such command 'frobnicate'" in cli("frobnicate").err


@pytest.mark.slow
def test_a_closed_pipe_is_no_error_to_talk_about(cli: CommandLine) -> None:
    """As in ``ingestd plugins | head -1``."""
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
