"""``ingestd backfill``: a collector's past, read again or for the first time."""

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import click

from ingestd.backfilling import beyond, too_short
from ingestd.cli import show
from ingestd.cli.backend import Backend, BackfillRequest, Json
from ingestd.cli.connecting import ask
from ingestd.cli.exitcodes import FAILURE, INTERRUPTED, CommandError
from ingestd.cli.progress import Bar, bar
from ingestd.cli.settings import MOMENT, SPAN, config_option, json_option, known, load

RATE: Final = click.FloatRange(min=0, min_open=True)
EXIT_CODES: Final = {"done": 0, "cancelled": FAILURE}


def pace_options(command: click.decorators.FC) -> click.decorators.FC:
    """Add the options that say how fast a backfill goes."""
    for option in (
        click.option("--rate", type=RATE, metavar="N", help="The most readings in a second."),
        click.option(
            "--chunk",
            type=SPAN,
            help="The longest time that one call of the plugin is for; 90 days by default.",
        ),
    ):
        command = option(command)
    return command


@click.command(short_help="Read a collector's past.")
@click.argument("name")
@click.option(
    "--from", "start", type=MOMENT, help="The first time: 2015-01-01, or with a clock, or 30d ago."
)
@click.option("--to", "end", type=MOMENT, help="The first time no longer; now by default.")
@pace_options
@click.option("--detach", is_flag=True, help="Leave it to the daemon, and do not wait.")
@click.option("--cancel", is_flag=True, help="Give up what is left of the collector's backfill.")
@config_option
@json_option
def backfill(  # noqa: PLR0913 -- each is an option
    name: str,
    *,
    start: datetime | None,
    end: datetime | None,
    chunk: float | None,
    rate: float | None,
    detach: bool,
    cancel: bool,
    config_path: Path,
    as_json: bool,
) -> int:
    """Have the collector NAME read what its source has from one time to another.

    What is collected live goes first, and its position never moves. Where a daemon runs,
    it does this, also after a restart; otherwise this process does, and when it was
    interrupted the same command goes on, or one without times. Times without an offset
    are local; 30d is a time so long ago, and there are now, today and yesterday.
    """
    if cancel:
        found = ask(config_path, lambda backend: _cancel(backend, name))
        show.as_json(found) if as_json else tell_end(found, "")
        return 0
    check_chunk(config_path, name, chunk)
    if start is None and end is None:
        wanted = ask(config_path, lambda backend: _unfinished(backend, name, chunk, rate))
    else:
        spans = [checked_span(start, end, now=datetime.now().astimezone())]
        wanted = BackfillRequest(collector=name, spans=spans, chunk=chunk, rate=rate)
    found, how = carried_out(config_path, wanted, detach=detach)
    show.as_json(found) if as_json else tell_end(found, how)
    return 0 if detach else exit_code(found)


def checked_span(
    start: datetime | None, end: datetime | None, *, now: datetime
) -> tuple[float, float]:
    """Return what is to be read, in Unix seconds, if a source can have anything there.

    Raises:
        click.UsageError: It cannot.
    """
    if start is None:
        raise click.UsageError("expected --from, such as --from 2015-01-01 or --from 30d")
    end = now if end is None else end
    wrong = beyond((start.timestamp(), end.timestamp()), now=now.timestamp())
    if wrong is not None:
        option, time, such = {
            "start": ("--from", start, ""),
            "end": ("--to", end, ", such as --to now"),
        }[wrong.at]
        text = f"expected {wrong.expected}{such}, got {show.moment(time.timestamp())}"
        raise click.BadParameter(text, param_hint=option)
    return start.timestamp(), end.timestamp()


def check_chunk(config_path: Path, name: str, chunk: float | None) -> None:
    """Refuse a chunk that is shorter than readings are apart: most windows would hold none.

    Raises:
        click.UsageError: It is.
    """
    if chunk is None:
        return
    cadence = known(load(config_path).collectors, name, "collector").cadence
    refuse_short(chunk, cadence, f"the readings of {name} apart (cadence)")


def refuse_short(chunk: float, cadence: float | None, what: str) -> None:
    """Refuse a chunk that is shorter than a cadence.

    Raises:
        click.UsageError: It is.
    """
    if cadence is not None and too_short(chunk, cadence):
        text = f"expected at least {show.span(cadence)}, for so far are {what}"
        raise click.BadParameter(f"{text}, got {show.span(chunk)}", param_hint="--chunk")


async def _unfinished(
    backend: Backend, name: str, chunk: float | None, rate: float | None
) -> BackfillRequest:
    """Return what the collector's unfinished backfill was asked for, to go on with it."""
    for each in await backend.backfills(name):
        if each["ended"] is None:
            spans = [(float(first), float(last)) for first, last in each["spans"]]
            return BackfillRequest(
                collector=name,
                spans=spans,
                chunk=chunk or each["chunk"],
                rate=rate or each["rate"],
            )
    text = f"expected --from, such as --from 30d: {name} has no backfill to go on with"
    raise click.UsageError(text)


def carried_out(
    config_path: Path, wanted: BackfillRequest, *, detach: bool = False
) -> tuple[Json, str]:
    """Have a backfill made, and show how it goes.

    Returns:
        How the API shows it in the end, and what is to be said of one that goes on elsewhere.
    """
    with bar() as progress:
        follower = Follower(progress)
        try:
            found = ask(
                config_path, lambda backend: backend.backfill(wanted, None if detach else follower)
            )
        except KeyboardInterrupt:
            if follower.last is None:
                raise
            cancel = f"ingestd backfill {wanted.collector} --cancel"
            how = f"goes on in the daemon; see ingestd status, or give it up with: {cancel}"
            return follower.last, how
    return found, "runs in the daemon; see ingestd status" if detach else ""


class Follower:
    """Shows how a backfill goes.

    Attributes:
        last: How it was when last seen, or None.
    """

    def __init__(self, progress: Bar) -> None:
        self._progress, self._began, self._told = progress, time.monotonic(), ""
        self._done_before = 0.0
        self.last: Json | None = None

    def __call__(self, found: Json) -> None:
        """Show a backfill as the API has it."""
        if self.last is None:
            self._done_before = found["done"]
        self.last = found
        cause = found["error"] or found["why"]  # the other one comes and goes with every attempt
        if cause and cause != self._told:
            self._progress.say(f"{found['collector']}: {trouble(found)}")
        self._told = cause
        readings = show.counted(found["readings"], "reading")
        last = ["waiting"] if cause else self._left(found["done"])
        self._progress.tell(
            found["done"], ", ".join([show.day(found["position"]), readings, *last])
        )

    def _left(self, done: float) -> list[str]:
        """Return how long the rest will take, if that can be told."""
        share, elapsed = done - self._done_before, time.monotonic() - self._began
        return [f"{show.span((1 - done) * elapsed / share)} left"] if share > 0 and done < 1 else []


def show_backfills(found: Sequence[Json]) -> None:
    """Print those that are not over."""
    rows = [
        [
            each["collector"],
            each["status"],
            f"{each['done']:.0%}",
            show.day(each["position"]),
            show.day(each["spans"][-1][1]),
            show.number(each["readings"]),
        ]
        for each in found
    ]
    headers = ["backfill", "", "done", "at", "to", "readings"]
    show.table(headers, rows, right={"done", "readings"})
    for each in found:
        if why := trouble(each):
            click.echo(f"{each['collector']}: {why}")


def trouble(backfill: Json) -> str:
    """Say in a line what keeps a backfill from getting on, or return an empty string."""
    return show.visible(": ".join(filter(None, [backfill["why"], backfill["error"]])))


async def _cancel(backend: Backend, collector: str) -> Json:
    for each in await backend.backfills(collector):
        if each["ended"] is None:
            return await backend.cancel_backfill(each["id"])
    raise CommandError(f"{collector}: no backfill to cancel")


def exit_code(found: Json) -> int:
    """Return the exit code of a command that has waited for a backfill."""
    return EXIT_CODES.get(found["status"], INTERRUPTED)


def tell_end(found: Json, how: str) -> None:
    """Say how a backfill has ended, or that it has not."""
    readings = show.counted(found["readings"], "reading")
    at = f"at {show.moment(found['position'])}, {found['done']:.0%} done, {readings}"
    match found["status"]:
        case "done":
            text = f"done after {show.span(found['ended'] - found['asked'])}, {readings}"
        case "cancelled":
            text = f"cancelled {at}"
        case _:
            text = how or f"interrupted {at}; the same command goes on with it, or the daemon"
    click.echo(f"{found['collector']}: backfill {found['id']} {text}")
    for problem in found["problems"]:
        click.echo(f"  {show.visible(problem)}", err=True)
