"""``ingestd plugins``: which there are, and packages for some of them."""

import re
import shlex
from pathlib import Path
from typing import Final

import click

from ingestd.cli import show
from ingestd.cli.connecting import ask
from ingestd.cli.environments import make_environment
from ingestd.cli.exitcodes import CommandError
from ingestd.cli.settings import Verbs, config_option, json_option, load
from ingestd.cli.statedir import refuse_foreign_root

NAME: Final = re.compile(r"[A-Za-z][\w-]*")
FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
PROGRAM: Final = click.Path(path_type=Path)


@click.group(cls=Verbs, invoke_without_command=True, short_help="List the plugins.")
@config_option
@json_option
@click.pass_context
def plugins(ctx: click.Context, *, config_path: Path, as_json: bool) -> None:
    """List the plugins that a collector can name."""
    if ctx.invoked_subcommand is not None:
        return
    found = ask(config_path, lambda backend: backend.plugins())
    if as_json:
        show.as_json(found)
        return
    rows = [
        [each["name"], each["kind"] or "broken", show.clipped(each["error"] or each["summary"], 90)]
        for each in found
    ]
    show.table(["plugin", "kind", "what it does"], rows)


@plugins.command(short_help="Install packages for a plugin, apart from all others.")
@click.argument("name")
@click.option("--requirements", "-r", metavar="FILE", type=FILE, required=True, help="For pip.")
@click.option("--python", metavar="PATH", type=PROGRAM, help="Another version than ours.")
@config_option
def install(*, name: str, requirements: Path, python: Path | None, config_path: Path) -> None:
    """Make an environment NAME with packages that plugins need, in the state directory.

    Again, it is made anew, and takes the place of the one that was there once it is whole.
    """
    if not NAME.fullmatch(name):
        text = "expected a letter, and then letters, digits, hyphens or underscores"
        raise CommandError(f"{text}, got {name!r:.80}")
    requirements = requirements.absolute()  # so that the command that is told works anywhere
    state_dir = load(config_path, elsewhere=True).daemon.state_dir
    refuse_foreign_root(state_dir)
    made = make_environment(state_dir, name, requirements, python)
    again = ["ingestd", "plugins", "install", name, "-r", str(requirements)]
    if python is not None:
        again += ["--python", str(python)]
    click.echo(
        f"installed {requirements} in {made.parent.parent}\n"
        f"\nAt the collectors that need it, write:\n\n    python: {made}\n"
        "\nUpgrades of ingestd leave it as it is. Keep the file: after an upgrade of Python, and to"
        f"\nbring the packages up to date, make it anew, also while the daemon runs:\n"
        f"\n    {shlex.join(again)}"
    )
