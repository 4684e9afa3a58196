"""Commands that only look: status, collectors, runs, spool, latest, plugins."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from ingestd.cli import show
from ingestd.cli.backend import Backend, Json
from ingestd.cli.backfill import show_backfills
from ingestd.cli.connecting import ask
from ingestd.cli.exitcodes import FAILURE
from ingestd.cli.settings import DURATION, config_option, json_option
from ingestd.hosts import HOSTS

LINES: Final = 40  # of what a run printed


@click.command(short_help="Say how the daemon is.")
@config_option
@json_option
def status(*, config_path: Path, as_json: bool) -> int:
    """Say how the daemon, its collectors and its stores are.

    Exits with 1 where no daemon runs.
    """
    found = ask(config_path, lambda backend: backend.status())
    if as_json:
        show.as_json(found)
    else:
        _show_status(found)
    return 0 if found["pid"] else FAILURE


def _show_status(found: Json) -> None:
    collectors, config, buffer = found["collectors"], found["config"], found["buffer"]
    running = f"process {found['pid']}, up for {show.span(found['uptime'])}" if found["pid"] else ""
    counts = (
        f"{collectors['total']}, {collectors['running']} running, {collectors['failing']} failing"
    )
    refused = "" if config["ok"] else f"\n{_refusal(config)}"
    show.facts(
        {
            "daemon": ("stopping, " if found["stopping"] else "") + (running or "not running"),
            "version": found["version"],
            "config": f"{config['path']}{refused}",
            "state": found["state_dir"],
            "collectors": counts,
            "buffer": f"{buffer['points']:,} of {buffer['capacity']:,} points"
            if found["pid"]
            else "",
            "paused": ", ".join(f"the spool of {name} is full" for name in buffer["paused"]),
        }
    )
    click.echo()
    headers = ["store", "", "stored", "in memory", "spooled", "dead", "dropped"]
    rows = [
        [
            each["name"],
            each["health"] or show.NOTHING,
            show.number(each["stored"]),
            show.number(each["in_memory"]),
            show.number(each["spool"]["points"]),
            show.number(each["dead_letters"]),
            show.number(each["dropped"]),
        ]
        for each in found["stores"]
    ]
    show.table(headers, rows, right=set(headers[2:]))
    for each in found["stores"]:
        if each["error"]:
            click.echo(f"{each['name']}: {show.visible(each['error'])}")
    if found["backfills"]:
        click.echo()
        show_backfills(found["backfills"])


def _refusal(config: Json) -> str:
    """Say in a line that the configuration on disk is not the one in use."""
    last = config["last_reload"]
    problems = show.counted(len(last.splitlines()), "problem")
    when = f" {show.ago(config['refused_at'])}" if config["refused_at"] else ""
    if not last.startswith("refused"):
        return f"{last}; the running one stays"
    return f"refused{when}, the running one stays: {problems}; see ingestd check"


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


@click.command(short_help="List runs, or show one.")
@click.argument("run_id", metavar="[ID]", type=int, required=False)
@click.option("--collector", metavar="NAME", help="Only those of one collector.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@click.option("--full", is_flag=True, help="Show all that a run with an ID has printed.")
@config_option
@json_option
def runs(
    *,
    run_id: int | None,
    collector: str | None,
    limit: int,
    full: bool,
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
            _show_run(record, full=full)
        return
    found = ask(config_path, lambda backend: backend.runs(collector=collector, limit=limit))
    if as_json:
        show.as_json(found)
        return
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
    empty = f"no runs of {collector!r} on record" if collector else "no runs yet"
    numbers = {"id", "took", "readings", "unusable"}
    show.table(headers, rows, right=numbers, cut="error", empty=empty)


def _show_run(record: Json, *, full: bool) -> None:
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
            "error": record["error"],
            "details": record["details"] if full else _end(record["details"]),
            "output": record["output"] if full else _end(record["output"]),
        }
    )
    for host in HOSTS.values():
        if told := record.get(host.name):
            click.echo(f"\nas {host.title} has it:")
            show.facts({name: _end(str(value)) for name, value in told.items()})


def _end(text: str) -> str:
    """Return the last lines of a text, which say most, and how many there were before them."""
    lines = text.splitlines()
    before = len(lines) - LINES
    if before <= 0:
        return text
    note = f"... {show.counted(before, 'line')} before these; --full shows all"
    return "\n".join([note, *lines[before:]])


def _readings(record: Json) -> str:
    number, usable = record["readings"], record["points"]
    return f"{number:,}" if number == usable else f"{number:,}, {usable:,} of them usable"


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


@click.command("reload", short_help="Have the daemon read its configuration again.")
@config_option
def reload(*, config_path: Path) -> None:
    """Have the daemon read its configuration again, and say what changed.

    Prints what is suspicious in it. Exits with 78 if it is wrong; the running one stays.
    """
    found = ask(config_path, lambda backend: backend.reload())
    for warning in found["warnings"]:
        click.echo(f"warning: {show.visible(warning)}", err=True)
    click.echo(found["changes"])
