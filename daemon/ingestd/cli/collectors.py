"""``ingestd collectors``: what collects."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from ingestd.cli import show
from ingestd.cli.backend import Json
from ingestd.cli.connecting import ask
from ingestd.cli.settings import config_option, found_in, json_option, limit_option
from ingestd.health import State, by_trouble

FAILING: Final = frozenset(each.value for each in State if each.is_failing)
LATE: Final = frozenset(each.value for each in State if each.is_late)


@click.command(short_help="List the collectors.")
@click.argument("text", required=False)
@click.option("--failing", is_flag=True, help="Only those that fail.")
@click.option("--late", is_flag=True, help="Only those from which readings are missing.")
@click.option("--plugin", metavar="NAME", help="Only those with this plugin.")
@limit_option
@config_option
@json_option
def collectors(
    *,
    text: str | None,
    failing: bool,
    late: bool,
    plugin: str | None,
    limit: int,
    config_path: Path,
    as_json: bool,
) -> None:
    """List the collectors, those in trouble first; with TEXT only those that it is found in."""
    found = ask(config_path, lambda backend: backend.collectors())
    if failing or late:
        wanted = (FAILING if failing else frozenset()) | (LATE if late else frozenset())
        found = [each for each in found if each["state"] in wanted]
    found = [each for each in found if plugin in (None, each["plugin"], _stem(each["plugin"]))]
    if text:
        searched = ("name", "plugin", "state", "why")
        found = [each for each in found if found_in(text, *(each[name] for name in searched))]
    found = sorted(found, key=lambda each: by_trouble(each["state"]))
    if as_json:
        show.as_json(found)
        return
    _show_collectors(found[:limit], beyond=len(found) - limit)


def _show_collectors(found: Sequence[Json], *, beyond: int) -> None:
    rows = [
        [
            each["name"],
            each["plugin"] if len(each["plugin"]) < 20 else f"...{each['plugin'][-16:]}",
            each["schedule"],
            show.state(each["state"]),
            _last(each),
            _next(each),
            show.number((each["last_run"] or {}).get("readings")),
            show.ago(each["last_reading"]),
        ]
        for each in found
    ]
    headers = ["collector", "plugin", "schedule", "", "last run", "next run", "readings", "newest"]
    empty = "no collectors in the configuration, or none that were asked for"
    show.table(headers, rows, right={"readings"}, empty=empty)
    for each in found:
        if each["why"]:
            click.echo(f"{each['name']}: {show.visible(each['why'])}")
    if beyond > 0:
        click.echo(f"and {beyond} more; --limit shows more of them", err=True)


def _stem(plugin: str) -> str:
    return Path(plugin).stem


def _last(collector: Json) -> str:
    if collector["running"]:
        return f"since {show.ago(collector['running']['since'])}"
    return show.ago(collector["last_run"]["started"]) if collector["last_run"] else show.NOTHING


def _next(collector: Json) -> str:
    if collector["backing_off_for"]:
        return show.ago(collector["backing_off_for"], now=0.0)
    return show.ago(collector["next_run"])
