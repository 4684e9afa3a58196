"""``ingestd latest`` and ``ingestd spool``: readings in a store, and on their way there."""

from collections.abc import Sequence
from pathlib import Path

import click

from ingestd.cli import show
from ingestd.cli.backend import Backend, Json
from ingestd.cli.connecting import ask
from ingestd.cli.settings import DURATION, config_option, json_option


@click.command(short_help="Show the newest reading of each series.")
@click.option("--series", metavar="GLOB", help="Only series whose name matches.")
@click.option(
    "--within", type=DURATION, default="1d", show_default=True, help="Only readings so recent."
)
@click.option("--store", metavar="NAME", help="The store to ask; the first by default.")
@config_option
@json_option
def latest(
    *, series: str | None, within: float, store: str | None, config_path: Path, as_json: bool
) -> None:
    """Show the newest reading of each series, as a store has it."""

    async def asked(backend: Backend) -> tuple[list[Json], list[Json]]:
        found = await backend.latest(within=within, series=series, store=store)
        return found, [] if found or as_json else await backend.collectors()

    found, collectors = ask(config_path, asked)
    if as_json:
        show.as_json(found)
    else:
        which = f" of {series}" if series else ""
        empty = f"no readings{which} in the last {show.span(within)}{_awaited(collectors)}"
        show.readings(found, empty=empty)


def _awaited(collectors: Sequence[Json]) -> str:
    """Say when readings are to be expected."""
    coming = [each for each in collectors if each["next_run"]]
    if not coming:
        return ""
    first = min(coming, key=lambda each: float(each["next_run"]))
    return f"; the next run of {first['name']!r} is {show.ago(first['next_run'])}"


@click.command(short_help="Show what waits on disk for each store.")
@config_option
@json_option
def spool(*, config_path: Path, as_json: bool) -> None:
    """Show what waits on disk for each store."""
    found = ask(config_path, lambda backend: backend.spool())
    if as_json:
        show.as_json(found)
        return
    rows = [
        [
            each["store"],
            each["health"] or show.NOTHING,
            show.number(each["points"]),
            show.number(each["bodies"]),
            show.size(each["bytes"]),
            show.size(each["limit_bytes"]),
            show.ago(each["oldest_at"]),
        ]
        for each in found
    ]
    headers = ["store", "", "readings", "batches", "size", "limit", "oldest"]
    show.table(headers, rows, right=set(headers[2:6]))
