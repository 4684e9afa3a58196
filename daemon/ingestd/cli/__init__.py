"""Commands for people and scripts; ``ingestd --help`` lists them.

What a command needs is imported when it is called, so that the others start fast.
"""

import importlib
import platform
import sys
from typing import Final

import click

from ingestd import __version__
from ingestd.cli.endings import ended

# Command -> the module that has it, under the same name; in the order of the help.
COMMANDS: Final = {
    "run": "run",
}


class Commands(click.Group):
    """The commands, each imported when it is wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"ingestd.cli.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command


def _print_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 -- as click calls it
    if wanted:
        click.echo(f"ingestd {__version__}, Python {platform.python_version()}")
        ctx.exit()


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
)
def ingestd() -> None:
    """Collect readings from meters, sensors and instruments, and never skip one.

    The configuration is --config, or $INGESTD_CONFIG, or /etc/ingestd/ingestd.yaml
    (~/.config/ingestd/ingestd.yaml for other users than root).
    """


def main() -> None:
    """Run the command line and end the process."""
    sys.exit(ended(lambda: ingestd.main(prog_name="ingestd", standalone_mode=False)))
