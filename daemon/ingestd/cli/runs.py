"""``ingestd runs``: what is on record of runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from ingestd.cli import show
from ingestd.cli.backend import Backend, Json
from ingestd.cli.connecting import ask
from ingestd.cli.settings import config_option, found_in, json_option, verbose_option

LINES_SHOWN: Final = 40  # of what a run printed

SEARCHED: Final = 10_000  # runs for a text or a plugin


@click.command(short_help="List runs, or show one.")
@click.argument("run_id", metavar="[ID]", type=int, required=False)
@click.option("--collector", metavar="NAME", help="Only those of one collector.")
@click.option("--failing", is_flag=True, help="Only those that failed.")
@click.option("--plugin", metavar="NAME", help="Only those of collectors with this plugin.")
@click.option("--text", metavar="TEXT", help="Only those in whose collector or error it is found.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@click.option("--before", metavar="ID", type=int, help="Only older ones: the next page.")
@click.option("--full", is_flag=True, help="Show all that a run with an ID has printed.")
@verbose_option
@config_option
@json_option
def runs(  # noqa: PLR0913 -- each is an option
    *,
    run_id: int | None,
    collector: str | None,
    failing: bool,
    plugin: str | None,
    text: str | None,
    limit: int,
    before: int | None,
    full: bool,
    verbose: bool,
    config_path: Path,
    as_json: bool,
) -> None:
    """List the newest runs; with an ID show all about that one."""
    if run_id is not None:
        number = run_id
        record = ask(config_path, lambda backend: backend.run(number))
        if as_json:
            show.as_json(record)
        else:
            _show_run(record, full=full, verbose=verbose)
        return
    searched = SEARCHED if plugin or text else limit

    async def asked(backend: Backend) -> tuple[list[Json], list[Json]]:
        found = await backend.runs(
            collector=collector, limit=searched, before=before, failing=failing
        )
        return found, await backend.collectors() if plugin else []

    found, collectors = ask(config_path, asked)
    if plugin:
        names = {each["name"] for each in collectors if plugin in _plugin_names(each)}
        found = [each for each in found if each["collector"] in names]
    if text:
        found = [each for each in found if found_in(text, each["collector"], each["error"])]
    found = found[:limit]
    if as_json:
        show.as_json(found)
    else:
        _show_runs(found, f"no runs of {collector!r} on record" if collector else "no runs yet")


def _show_runs(found: Sequence[Json], empty: str) -> None:
    rows = [
        [
            str(each["id"]),
            each["collector"],
            each["outcome"],
            show.ago(each["started"]),
            show.span(each["seconds"]),
            show.number(each["readings"]),
            show.number(sum(each["unusable"].values())),
            show.clipped(each["error"] or each["degraded"], 60),
        ]
        for each in found
    ]
    headers = ["id", "collector", "outcome", "started", "took", "readings", "unusable", "error"]
    numbers = {"id", "took", "readings", "unusable"}
    show.table(headers, rows, right=numbers, cut="error", empty=empty)


def _plugin_names(collector: Json) -> set[str]:
    return {collector["plugin"], Path(collector["plugin"]).stem}


def _show_run(record: Json, *, full: bool, verbose: bool) -> None:
    from ingestd.hosts import HOSTS  # noqa: PLC0415 -- takes its time

    reasons = ", ".join(f"{count} {reason}" for reason, count in record["unusable"].items())
    show.facts(
        {
            "run": str(record["id"]),
            "collector": record["collector"],
            "outcome": record["outcome"],
            "started": f"{show.moment(record['started'])}, {show.ago(record['started'])}",
            "scheduled": show.moment(record["tick"]),
            "took": show.span(record["seconds"]),
            "readings": _readings(record),
            "unusable": "\n".join(filter(None, [reasons, *record["samples"]])),
            "degraded": record["degraded"],
            "notes": "\n".join(record["notes"]),
            "late": _late(record),
            "error": record["error"],
            "details": record["details"] if full or verbose else "",
            "output": record["output"] if full else _end(record["output"]),
        }
    )
    if record["details"] and not (full or verbose):
        click.echo("\n--verbose (-v) shows the traceback", err=True)
    for host in HOSTS.values():
        if told := record.get(host.name):
            click.echo(f"\nas {host.title} has it:")
            show.facts({name: _end(str(value)) for name, value in told.items()})


def _late(record: Json) -> str:
    """Name the series that had given nothing for too long."""
    beyond = record["late"] - len(record["late_series"])
    more = [f"and {beyond:,} more"] if beyond > 0 else []
    return "\n".join([*record["late_series"], *more])


def _end(text: str) -> str:
    """Return the last lines of a text, which say most, and how many there were before them."""
    lines = text.splitlines()
    before = len(lines) - LINES_SHOWN
    if before <= 0:
        return text
    note = f"... {show.counted(before, 'line')} before these; --full shows all"
    return "\n".join([note, *lines[before:]])


def _readings(record: Json) -> str:
    number, usable = record["readings"], record["points"]
    return f"{number:,}" if number == usable else f"{number:,}, {usable:,} of them usable"
