"""``ingestd runs``: what is on record of runs."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from ingestd.cli import requests, show
from ingestd.cli.backend import Backend, Json
from ingestd.cli.connecting import ask
from ingestd.cli.settings import Verbs, config_option, found_in, json_option, verbose_option

LINES_SHOWN: Final = 40  # of what a run printed

SEARCHED: Final = 10_000  # runs for a text or a plugin


class RunId(click.ParamType[str]):
    """The number of a run, or of a requested one."""

    name = "id"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """Return it as it was written."""
        if not _RUN_ID.fullmatch(str(value)):
            self.fail(f"expected a number such as 17, or r-17, got {value!r}", param, ctx)
        return str(value)


_RUN_ID: Final = re.compile(r"(r-)?[0-9]{1,18}")
RUN_ID: Final = RunId()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which runs to list.

    Attributes:
        collector: Those of one, or None for all.
        plugin: Those of collectors with it, likewise.
        text: Those in whose collector or error it is found, likewise.
        failing: Whether only those that failed are wanted.
        limit: How many at most.
        before: Only older ones than that, or None.
    """

    collector: str | None
    plugin: str | None
    text: str | None
    failing: bool
    limit: int
    before: str | None

    @property
    def searched(self) -> int:
        """How many have to be looked at."""
        return SEARCHED if self.plugin or self.text else self.limit

    def among(self, found: Sequence[Json], collectors: Sequence[Json], *, error: str) -> list[Json]:
        """Return those of what was found that fit the plugin and the text."""
        if self.plugin:
            names = {each["name"] for each in collectors if self.plugin in _plugin_names(each)}
            found = [each for each in found if each["collector"] in names]
        if self.text:
            found = [
                each for each in found if found_in(self.text, each["collector"], each[error] or "")
            ]
        return list(found[: self.limit])


class RunsGroup(Verbs):
    """A group that takes the number of a run in place of a command."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find a command, or take the word for the number of a run."""
        if args[0] not in self.commands and not args[0].startswith("-"):
            return "one", one, args
        return super().resolve_command(ctx, args)


full_option = click.option(
    "--full", is_flag=True, help="Show all that a run with an ID has printed or given."
)


@click.group(cls=RunsGroup, invoke_without_command=True, short_help="List runs, or show one.")
@click.option("--collector", metavar="NAME", help="Only those of one collector.")
@click.option("--failing", "--failed", is_flag=True, help="Only those that failed.")
@click.option("--plugin", metavar="NAME", help="Only those of collectors with this plugin.")
@click.option("--text", metavar="TEXT", help="Only those in whose collector or error it is found.")
@click.option("--requested", is_flag=True, help="Those that were asked for, also if they wait.")
@click.option(
    "--status",
    type=click.Choice(requests.STATUSES, case_sensitive=False),
    help="Only those that were asked for and stand so.",
)
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@click.option("--before", metavar="ID", type=RUN_ID, help="Only older ones: the next page.")
@full_option
@verbose_option
@config_option
@json_option
@click.pass_context
def runs(  # noqa: PLR0913 -- each is an option
    ctx: click.Context,
    *,
    collector: str | None,
    failing: bool,
    plugin: str | None,
    text: str | None,
    requested: bool,
    status: str | None,
    limit: int,
    before: str | None,
    full: bool,
    verbose: bool,
    config_path: Path,
    as_json: bool,
) -> None:
    """List the newest runs; with an ID show all about that one."""
    ctx.obj = full, verbose
    if ctx.invoked_subcommand is not None:
        return
    wanted = Wanted(collector, plugin, text, failing=failing, limit=limit, before=before)
    if requested or status is not None:
        found = _list_requested(config_path, wanted, status)
    else:
        found = _list(config_path, wanted)
    if as_json:
        show.as_json(found)
    elif requested or status is not None:
        requests.show_requested(found)
    else:
        _show_runs(found, f"no runs of {collector!r} on record" if collector else "no runs yet")


runs.add_command(requests.start)
runs.add_command(requests.cancel)


@click.command(hidden=True)
@click.argument("run_id", metavar="ID", type=RUN_ID)
@full_option
@verbose_option
@config_option
@json_option
@click.pass_context
def one(
    ctx: click.Context,
    run_id: str,
    *,
    full: bool,
    verbose: bool,
    config_path: Path,
    as_json: bool,
) -> None:
    """Show all about the run ID."""
    before = ctx.obj
    full, verbose = full or before[0], verbose or before[1]
    if run_id.startswith("r-"):
        requests.show_one(config_path, run_id, full=full, verbose=verbose, as_json=as_json)
        return
    record = ask(config_path, lambda backend: backend.run(int(run_id)))
    if as_json:
        show.as_json(record)
    else:
        _show_run(record, full=full, verbose=verbose)


def _list(config_path: Path, wanted: Wanted) -> list[Json]:
    """Return the records of runs."""
    before = None if wanted.before is None else int(wanted.before.removeprefix("r-"))

    async def asked(backend: Backend) -> tuple[list[Json], list[Json]]:
        found = await backend.runs(
            collector=wanted.collector,
            limit=wanted.searched,
            before=before,
            failing=wanted.failing,
        )
        return found, await backend.collectors() if wanted.plugin else []

    return wanted.among(*ask(config_path, asked), error="error")


def _list_requested(config_path: Path, wanted: Wanted, status: str | None) -> list[Json]:
    """Return requested runs."""
    failed = "FAILED" if wanted.failing else None

    async def asked(backend: Backend) -> tuple[list[Json], list[Json]]:
        found = await backend.requested_runs(
            collector=wanted.collector,
            status=status or failed,
            limit=wanted.searched,
            before=wanted.before,
        )
        return found, await backend.collectors() if wanted.plugin else []

    return wanted.among(*ask(config_path, asked), error="failure_message")


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
            "requested": record.get("requested") or "",
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
