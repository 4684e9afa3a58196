"""``ingestd runs start`` and ``runs cancel``, and what is shown of requested runs."""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

from ingestd.cli import show
from ingestd.cli.backend import Backend, Json, RunAsked
from ingestd.cli.connecting import ask
from ingestd.cli.exitcodes import FAILURE, INTERRUPTED
from ingestd.cli.params import param
from ingestd.cli.settings import config_option, json_option, verbose_option
from ingestd.contract import json_text
from ingestd.errors import ResultError

STATUSES: Final = ("PENDING", "RUNNING", "SUCCESS", "FAILED", "CANCELLED")
LINES_SHOWN: Final = 40  # of a result
EXIT_CODES: Final = {"SUCCESS": 0, "FAILED": FAILURE, "CANCELLED": FAILURE}


@click.command(short_help="Ask for a run, apart from the schedule.")
@click.argument("name")
@click.option(
    "--param",
    "-p",
    "params",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another value for a param, in YAML; may be repeated.",
)
@click.option("--project", metavar="NAME", help="What the run is about.")
@click.option("--trace", metavar="NAME", help="Which part of that.")
@click.option(
    "--input", "document", type=click.File("rb"), help="A file of JSON to give instead; - is stdin."
)
@click.option("--key", metavar="TEXT", help="A name for it: asked again, it is not made again.")
@click.option("--commit", is_flag=True, help="Let it move the collector's position.")
@click.option("--wait", is_flag=True, help="Wait for its end, and print what it gave.")
@verbose_option
@config_option
@json_option
def start(  # noqa: PLR0913 -- one for each option of the command
    name: str,
    *,
    params: tuple[str, ...],
    project: str | None,
    trace: str | None,
    document: Any,
    key: str | None,
    commit: bool,
    wait: bool,
    verbose: bool,
    config_path: Path,
    as_json: bool,
) -> int:
    """Ask for a run of the collector NAME, apart from its schedule.

    The daemon keeps it until it has ended, over restarts as well. Where none runs, this
    process makes it with --wait.
    """
    wanted = RunAsked(
        collector=name,
        project=project,
        trace=trace,
        input=None if document is None else _document(document.read()),
        params=_params(params),
        key=key,
        commit=commit,
    )
    run = ask(config_path, lambda backend: backend.ask_for_run(wanted, wait=wait))
    if as_json:
        show.as_json(run)
    elif run["status"] in EXIT_CODES:
        _tell_end(config_path, run, verbose=verbose)
    else:
        click.echo(f"{name}: {run['id']} is {run['status']}; see: ingestd runs {run['id']}")
    return EXIT_CODES.get(run["status"], INTERRUPTED if wait else 0)


@click.command(short_help="Give up a requested run.")
@click.argument("run_id", metavar="ID")
@config_option
@json_option
def cancel(run_id: str, *, config_path: Path, as_json: bool) -> None:
    """End the requested run ID now, or take it out of the queue; what it has given stays."""
    run = ask(config_path, lambda backend: backend.cancel_run(run_id))
    if as_json:
        show.as_json(run)
    else:
        click.echo(f"{run['collector']}: {run['id']} is {run['status']}")


def show_requested(runs: Sequence[Json]) -> None:
    """Print requested runs as a table."""
    rows = [
        [
            each["id"],
            each["collector"],
            each["status"],
            " ".join(filter(None, [each["project"], each["trace"]])),
            show.ago(_time(each["added"])),
            show.number(each["readings"]),
            show.clipped(each["failure_message"] or "", 60),
        ]
        for each in runs
    ]
    headers = ["id", "collector", "status", "about", "asked for", "readings", "error"]
    show.table(headers, rows, right={"readings"}, cut="error", empty="no requested runs")


def show_one(config_path: Path, name: str, *, full: bool, verbose: bool, as_json: bool) -> None:
    """Print all about a requested run, with what it gave."""

    async def asked(backend: Backend) -> tuple[Json, Json | None]:
        run = await backend.requested_run(name)
        return run, await backend.run_result(name) if run["result"] else None

    run, result = ask(config_path, asked)
    if as_json:
        show.as_json(run)
        return
    show.facts(
        {
            "run": run["id"],
            "collector": run["collector"],
            "status": run["status"],
            "project": run["project"] or "",
            "trace": run["trace"] or "",
            "params": json.dumps(run["params"]) if run["params"] else "",
            "asked for": _moment(run["added"]),
            "since": _moment(run["updated"]),
            "attempts": str(run["attempt"]) if run["attempt"] > 1 else "",
            "readings": show.number(run["readings"]),
            "record": "" if run["run"] is None else f"ingestd runs {run['run']}",
            "error": run["failure_message"] or "",
            "details": (run["traceback"] or "") if full or verbose else "",
            "result": _result(result, full=full),
        }
    )


def _tell_end(config_path: Path, run: Json, *, verbose: bool) -> None:
    seconds = _time(run["updated"]) - _time(run["added"])
    told = f"{run['collector']}: {run['id']} {run['status']} after {show.span(seconds)}"
    click.echo(f"{told}, {show.counted(run['readings'], 'reading')}")
    if run["failure_message"]:
        click.echo(show.visible(run["failure_message"]), err=True)
    if run["traceback"] and verbose:
        click.echo("\n".join(show.visible_lines(run["traceback"])), err=True)
    if run["result"]:
        found = ask(config_path, lambda backend: backend.run_result(run["id"]))
        if found["data"] is not None:
            show.as_json(found["data"])


def _params(given: Sequence[str]) -> dict[str, Any]:
    params = dict(map(param, given))
    try:
        json_text(params, where="params")
    except ResultError as error:
        raise click.BadParameter(str(error), param_hint="--param") from None
    return params


def _document(text: bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"expected JSON: {error}", param_hint="--input") from None


def _result(result: Json | None, *, full: bool) -> str:
    """Return what a run gave, or the beginning of it."""
    if result is None or result["data"] is None:
        return ""
    lines = json.dumps(result["data"], indent=1, ensure_ascii=False).splitlines()
    more = len(lines) - LINES_SHOWN
    if full or more <= 0:
        return "\n".join(lines)
    note = f"... {show.counted(more, 'line')} after these; --full shows all"
    return "\n".join([*lines[:LINES_SHOWN], note])


def _time(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp()


def _moment(iso: str) -> str:
    return f"{show.moment(_time(iso))}, {show.ago(_time(iso))}"
