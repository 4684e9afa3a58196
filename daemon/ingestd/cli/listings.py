"""Commands that only look: status, collectors, runs, spool, latest, plugins."""

from pathlib import Path

import click

from ingestd.cli import show
from ingestd.cli.backend import Json, ask
from ingestd.cli.endings import FAILURE
from ingestd.cli.settings import DURATION, config_option, json_option


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
    refused = "" if config["ok"] else f"\nrefused, an earlier one stays: {config['last_reload']}"
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
            show.number((each["last_run"] or {}).get("points")),
        ]
        for each in found
    ]
    headers = ["collector", "plugin", "schedule", "", "last run", "next run", "readings"]
    show.table(headers, rows, right={"readings"})
    for each in found:
        if each["last_run"] and each["last_run"]["error"]:
            click.echo(f"{each['name']}: {show.visible(each['last_run']['error'])}")


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
        return show.ago(-collector["backing_off_for"], now=0.0)
    return show.ago(collector["next_run"])


@click.command(short_help="List runs, or show one.")
@click.argument("run_id", metavar="[ID]", type=int, required=False)
@click.option("--collector", metavar="NAME", help="Only those of one collector.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@config_option
@json_option
def runs(
    *, run_id: int | None, collector: str | None, limit: int, config_path: Path, as_json: bool
) -> None:
    """List the newest runs; with an ID show all about that one."""
    if run_id is not None:
        number = run_id
        record = ask(config_path, lambda backend: backend.run(number))
        if as_json:
            show.as_json(record)
        else:
            _show_run(record)
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
            show.number(each["points"]),
            show.number(sum(each["unusable"].values())),
            show.clipped(each["error"] or each["degraded"], 60),
        ]
        for each in found
    ]
    headers = ["id", "collector", "outcome", "started", "took", "readings", "unusable", "error"]
    show.table(headers, rows, right={"id", "took", "readings", "unusable"}, cut="error")


def _show_run(record: Json) -> None:
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
            "details": record["details"],
            "output": record["output"],
        }
    )


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
    found = ask(
        config_path, lambda backend: backend.latest(within=within, series=series, store=store)
    )
    if as_json:
        show.as_json(found)
    else:
        show.readings(found)


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

    Exits with 78 if it is wrong; the running one stays.
    """
    click.echo(ask(config_path, lambda backend: backend.reload()))
