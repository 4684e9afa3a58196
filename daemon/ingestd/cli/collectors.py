"""``ingestd collectors`` and ``ingestd plugins``: what collects, and what could."""

from pathlib import Path

import click

from ingestd.cli import show
from ingestd.cli.backend import Json
from ingestd.cli.connecting import ask
from ingestd.cli.settings import config_option, json_option


@click.command(short_help="List the collectors.")
@config_option
@json_option
def collectors(*, config_path: Path, as_json: bool) -> None:
    """List the collectors with their last and next runs."""
    found = ask(config_path, lambda backend: backend.collectors())
    if as_json:
        show.as_json(found)
        return
    rows = [
        [
            each["name"],
            each["plugin"] if len(each["plugin"]) < 20 else f"...{each['plugin'][-16:]}",
            each["schedule"],
            _outcome(each),
            _last(each),
            _next(each),
            show.number((each["last_run"] or {}).get("readings")),
        ]
        for each in found
    ]
    headers = ["collector", "plugin", "schedule", "", "last run", "next run", "readings"]
    empty = "no collectors in the configuration"
    show.table(headers, rows, right={"readings"}, empty=empty)
    for each in found:
        last = each["last_run"]
        if last and last["error"] and last["outcome"] != "cancelled":
            click.echo(f"{each['name']}: {show.visible(last['error'])}")


def _outcome(collector: Json) -> str:
    if not collector["enabled"]:
        return "disabled"
    if collector["running"]:
        return "running"
    return collector["last_run"]["outcome"] if collector["last_run"] else show.NOTHING


def _last(collector: Json) -> str:
    if collector["running"]:
        return f"since {show.ago(collector['running']['since'])}"
    return show.ago(collector["last_run"]["started"]) if collector["last_run"] else show.NOTHING


def _next(collector: Json) -> str:
    if collector["backing_off_for"]:
        return show.ago(collector["backing_off_for"], now=0.0)
    return show.ago(collector["next_run"])


@click.command(short_help="List the plugins.")
@config_option
@json_option
def plugins(*, config_path: Path, as_json: bool) -> None:
    """List the plugins that a collector can name."""
    found = ask(config_path, lambda backend: backend.plugins())
    if as_json:
        show.as_json(found)
        return
    rows = [
        [each["name"], each["kind"] or "broken", show.clipped(each["error"] or each["summary"], 90)]
        for each in found
    ]
    show.table(["plugin", "kind", "what it does"], rows)
