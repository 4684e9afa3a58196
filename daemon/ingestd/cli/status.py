"""``ingestd status`` and ``ingestd reload``: the daemon as a whole."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from ingestd.cli import show
from ingestd.cli.backend import Json
from ingestd.cli.backfill import show_backfills
from ingestd.cli.connecting import ask
from ingestd.cli.exitcodes import FAILURE
from ingestd.cli.settings import config_option, json_option

MOST_PROBLEMS: Final = 20
MOST_NAMED: Final = 5  # collectors in a line
PROBLEM_SHOWN: Final = 300  # characters of one


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
    _show_problems(found)
    click.echo()
    collectors, config, buffer = found["collectors"], found["config"], found["buffer"]
    running = f"process {found['pid']}, up for {show.span(found['uptime'])}" if found["pid"] else ""
    states = [f"{number} {show.state(name)}" for name, number in collectors["states"].items()]
    counts = ", ".join([str(collectors["total"]), f"{collectors['running']} running", *states])
    refused = "" if config["ok"] else f"\n{_refusal(config)}"
    show.facts(
        {
            "daemon": ("stopping, " if found["stopping"] else "") + (running or "not running"),
            "version": found["version"],
            "config": f"{config['path']}{refused}",
            "warnings": _warnings(config.get("warnings", ())),  # not of an older daemon
            "state": found["state_dir"],
            "workers": found["worker_processes"],
            "collectors": counts,
            "disabled": _named(collectors["disabled"]),
            "waiting": _named(collectors["distant"]),
            "buffer": f"{buffer['points']:,} of {buffer['capacity']:,} points"
            if found["pid"]
            else "",
            "paused": ", ".join(f"the spool of {name} takes no more" for name in buffer["paused"]),
        }
    )
    click.echo()
    headers = ["store", "", "stored", "in memory", "spooled", "dead", "dropped", "who answers"]
    rows = [
        [
            each["name"],
            each["health"] or show.NOTHING,
            show.number(each["stored"]),
            show.number(each["in_memory"]),
            show.number(each["spool"]["points"]),
            show.number(each["dead_letters"]),
            show.number(each["dropped"]),
            show.visible(each["identity"]) or show.NOTHING,
        ]
        for each in found["stores"]
    ]
    show.table(headers, rows, right=set(headers[2:-1]))
    for each in found["stores"]:
        if each["error"]:
            click.echo(f"{each['name']}: {show.visible(each['error'])}")
        if each["suspect"]:
            waiting = f"{each['suspect']:,} of what is spooled waits"
            click.echo(f"{each['name']}: {waiting} because the store fails over it, and no other")
    if found["backfills"]:
        click.echo()
        show_backfills(found["backfills"])


def _show_problems(found: Json) -> None:
    """Print the one sentence, or its head and a line for each problem if there are several."""
    problems, head = found["problems"], found["headline"]
    before = "" if found["pid"] else "no daemon runs; "
    if len(problems) < 2 or not head:
        click.echo(show.bold(f"{before}{show.visible(found['summary'])}"))
        return
    click.echo(show.bold(f"{before}{head}:"))
    for line in problems[:MOST_PROBLEMS]:
        click.echo(f"  {show.clipped(show.visible(line), PROBLEM_SHOWN)}")
    if beyond := len(problems[MOST_PROBLEMS:]):
        click.echo(f"  and {beyond} more; see ingestd collectors")


def _warnings(warnings: Sequence[str]) -> str:
    """Return what looks suspicious in the configuration, each in a line."""
    lines = [show.clipped(show.visible(each), PROBLEM_SHOWN) for each in warnings[:MOST_PROBLEMS]]
    if beyond := len(warnings[MOST_PROBLEMS:]):
        lines.append(f"and {beyond:,} more; see ingestd check")
    return "\n".join(lines)


def _named(names: Sequence[str]) -> str:
    """Return the first names of some, and how many more there are."""
    beyond = len(names) - MOST_NAMED
    return ", ".join([*names[:MOST_NAMED], *([f"and {beyond:,} more"] if beyond > 0 else [])])


def _refusal(config: Json) -> str:
    """Say in a line that the configuration on disk is not the one in use."""
    last = config["last_reload"]
    problems = show.counted(len(last.splitlines()), "problem")
    when = f" {show.ago(config['refused_at'])}" if config["refused_at"] else ""
    if not last.startswith("refused"):
        return f"{last}; the running one stays"
    return f"refused{when}, the running one stays: {problems}; see ingestd check"


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
