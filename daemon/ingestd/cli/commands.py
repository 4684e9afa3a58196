"""The table of commands; what one needs is imported when it is called."""

import importlib
from difflib import get_close_matches
from keyword import iskeyword
from typing import Final

import click

from ingestd.cli.exitcodes import ended
from ingestd.cli.settings import Verbs
from ingestd.cli.version import version

# Command -> the module that has it, and what the help says of it, in the order of the help.
COMMANDS: Final = {
    "run": ("run", "Run the daemon in the foreground."),
    "check": ("check", "Check the configuration."),
    "once": ("once", "Run a collector once, now."),
    "authorize": ("authorize", "Have a person allow what a collector does."),
    "backfill": ("backfill", "Read a collector's past."),
    "gaps": ("gaps", "Find readings that are missing in a store."),
    "status": ("status", "Say how the daemon is."),
    "collectors": ("collectors", "List the collectors."),
    "runs": ("runs", "List runs, or show one."),
    "latest": ("readings", "Show the newest reading of each series."),
    "spool": ("spool", "Show what waits on disk for each store, move or drop it."),
    "dead-letters": ("deadletters", "List, retry or purge what stores have refused."),
    "state": ("state", "Show or forget what a collector remembers."),
    "reload": ("status", "Have the daemon read its configuration again."),
    "import": ("importing", "Take over what another system has set up."),
    "copy": ("copying", "Copy the history of one store into another."),
    "plugins": ("plugins", "List the plugins, and install packages for them."),
    "new-plugin": ("newplugin", "Write a plugin to begin with, and its test."),
    "config": ("samples", "Print a sample configuration."),
    "systemd": ("samples", "Print the systemd unit."),
}


class Commands(Verbs):
    """The commands, each imported when it is wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"ingestd.cli.{COMMANDS[cmd_name][0]}")
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(module, f"{name}_" if iskeyword(name) else name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command, or say which one may be meant."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            meant = get_close_matches(args[0], COMMANDS, n=1)
            if not meant or args[0].startswith("-"):
                raise
            text = f"no command {args[0]!r}; did you mean {meant[0]!r}?"
            raise click.UsageError(text, ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them all."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(message=version(), help="Show the version and exit.")
def ingestd() -> None:
    """Collect readings from meters, sensors and instruments, and never skip one.

    The configuration is --config, or $INGESTD_CONFIG, or ~/.config/ingestd/ingestd.yaml, or
    /etc/ingestd/ingestd.yaml where there is none (and always for root). Options of a command,
    such as --config and --json, may stand before it, too.
    """


def main() -> int:
    """Run the command line and return its exit code."""
    return ended(lambda: ingestd.main(prog_name="ingestd", standalone_mode=False))
