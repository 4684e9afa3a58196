"""``ingestd state``: what is remembered of a collector."""

from pathlib import Path

import click
import yaml

from ingestd.cli import show
from ingestd.cli.connecting import ask
from ingestd.cli.exitcodes import FAILURE, INTERRUPTED
from ingestd.cli.settings import Verbs, config_option, json_option


@click.group(cls=Verbs, short_help="Show or forget what a collector remembers.")
def state() -> None:
    """Show or forget what a collector remembers from run to run."""


@state.command("show", short_help="Show it.")
@click.argument("name")
@config_option
@json_option
def show_state(*, name: str, config_path: Path, as_json: bool) -> None:
    """Show what is remembered for the collector NAME.

    What its plugin keeps hidden is only counted.
    """
    found = ask(config_path, lambda backend: backend.state(name))
    if as_json:
        show.as_json(found)
        return
    text = yaml.safe_dump(found["state"], sort_keys=False, allow_unicode=True)
    hidden = found["hidden"]["keys"]
    show.facts(
        {
            "state": text if found["state"] else "empty",
            "hidden": show.counted(hidden, "key") if hidden else "",
            "masked params": ", ".join(found["masks"]),
        }
    )
    if found.get("last_run"):
        click.echo("\nof the last run, and not given to the next:")
        show.facts({name: str(value) for name, value in found["last_run"].items()})


@state.command(short_help="Forget it.")
@click.argument("name")
@click.option("--masks", is_flag=True, help="Forget also which params its plugin has deleted.")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@config_option
def reset(*, name: str, masks: bool, yes: bool, config_path: Path) -> int:
    """Forget what is remembered for the collector NAME, hidden values included.

    Its next run reads its source from the beginning.
    """
    if not yes and not _confirmed(f"{name}: forget its state, and read its source again?"):
        click.echo(f"{name}: not confirmed, nothing was forgotten", err=True)
        return INTERRUPTED
    ask(config_path, lambda backend: backend.reset(name, masks=masks))
    click.echo(f"{name}: forgotten")
    return 0


def _confirmed(question: str) -> bool:
    try:
        return click.confirm(question, err=True)
    except click.Abort:  # standard input has no answer
        click.echo(err=True)
        return False


@state.command(short_help="Forget a series.")
@click.argument("name")
@click.argument("series")
@click.option("--tag", "tags", metavar="NAME=VALUE", multiple=True, help="One of its tags.")
@config_option
def forget(*, name: str, series: str, tags: tuple[str, ...], config_path: Path) -> int:
    """Forget a SERIES of the collector NAME that was taken away, so that it is late no more.

    What the stores have of it stays, and it is known again with its next reading.
    """
    pairs = dict(_pair(each) for each in tags)
    known = ask(config_path, lambda backend: backend.forget_series(name, series, pairs))
    text = show.series(series, pairs)
    if not known:
        click.echo(f"{name}: expected one of its series, got {text}; see ingestd latest", err=True)
        return FAILURE
    click.echo(f"{name}: {text} forgotten")
    return 0


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.BadParameter(f"expected NAME=VALUE, got {text!r}", param_hint="--tag")
    return name, value
