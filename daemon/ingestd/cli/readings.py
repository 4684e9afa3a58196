"""``ingestd latest`` and ``ingestd spool``: readings in a store, and on their way there."""

from collections.abc import Sequence
from pathlib import Path

import click

from ingestd.cli import show
from ingestd.cli.backend import Backend, Json
from ingestd.cli.collectors import FAILING
from ingestd.cli.connecting import ask
from ingestd.cli.settings import DURATION, config_option, found_in, json_option, limit_option


@click.command(short_help="Show the newest reading of each series.")
@click.argument("text", required=False)
@click.option("--series", metavar="GLOB", help="Only series whose name matches.")
@click.option(
    "--within",
    type=DURATION,
    default="1d",
    show_default=True,
    help="Only readings so recent, beside the series that are late.",
)
@click.option("--late", is_flag=True, help="Only series that are late.")
@click.option("--failing", is_flag=True, help="Only series of collectors that fail.")
@click.option("--collector", metavar="NAME", help="Only those of one collector.")
@click.option("--plugin", metavar="NAME", help="Only those of collectors with this plugin.")
@click.option("--store", metavar="NAME", help="The store to ask; the first by default.")
@limit_option
@config_option
@json_option
def latest(  # noqa: PLR0913 -- each is an option
    *,
    text: str | None,
    series: str | None,
    within: float,
    late: bool,
    failing: bool,
    collector: str | None,
    plugin: str | None,
    store: str | None,
    limit: int,
    config_path: Path,
    as_json: bool,
) -> None:
    """Show the newest reading of each series, as a store has it; those that are late first.

    With TEXT only the series in whose name, tags or collector it is found.
    """

    async def asked(backend: Backend) -> tuple[list[Json], list[Json]]:
        found = await backend.latest(within=within, series=series, store=store)
        return found, await backend.collectors() if failing or not (found or as_json) else []

    found, collectors = ask(config_path, asked)
    names = {each["name"] for each in collectors if each["state"] in FAILING}
    found = [
        each
        for each in found
        if (each["state"] == "late" or not late)
        and (each["collector"] in names or not failing)
        and collector in (None, each["collector"])
        and plugin in (None, each["plugin"], Path(each["plugin"] or "").stem)
        and (text is None or found_in(text, _name(each), each["collector"]))
    ]
    if as_json:
        show.as_json(found[:limit])
        return
    which = f" of {series}" if series else ""
    empty = f"no readings{which} in the last {show.span(within)}{_awaited(collectors)}"
    show.readings(found[:limit], empty=empty)
    if len(found) > limit:
        click.echo(f"and {len(found) - limit:,} more; --limit shows more of them", err=True)


def _name(reading: Json) -> str:
    return show.series(reading["series"], reading["tags"])


def _awaited(collectors: Sequence[Json]) -> str:
    """Say when readings are to be expected."""
    coming = [each for each in collectors if each["next_run"]]
    if not coming:
        return ""
    first = min(coming, key=lambda each: float(each["next_run"]))
    return f"; the next run of {first['name']!r} is {show.ago(first['next_run'])}"
