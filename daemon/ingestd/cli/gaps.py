"""``ingestd gaps``: what a store lacks of a collector's series."""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import click

from ingestd.backfilling import SECOND_US, Absences, Bounds, Compared, Hole, compare, merged
from ingestd.cli import show
from ingestd.cli.backend import Backend, BackfillRequest, Json
from ingestd.cli.backfill import (
    carried_out,
    check_chunk,
    exit_code,
    pace_options,
    refuse_short,
    tell_end,
)
from ingestd.cli.connecting import ask
from ingestd.cli.exitcodes import CommandError
from ingestd.cli.progress import bar
from ingestd.cli.settings import MOMENT, SPAN, config_option, json_option, known, load
from ingestd.cli.stores import opened
from ingestd.config import Config

RECENT: Final = 30 * 86400.0  # seconds to look back, unless the operator says since when
HOLES_SHOWN: Final = 40  # holes on a terminal
TOLD: Final = 5  # series that could not be compared
MINUTE_US: Final = 60 * SECOND_US
ADVICE: Final = "look further back, such as --from 365d, or say how far apart with --cadence"
MOST_SPANS: Final = 1000  # each is at least one call of the plugin


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is looked for.

    Attributes:
        collector: Whose series.
        store: Where.
        series: A glob for their names, or None for all.
        bounds: Between which times.
        cadence: How far apart readings should be, in seconds, or None to learn it.
        everything: Whether to list also what the source is known not to have.
    """

    collector: str
    store: str
    series: str | None
    bounds: Bounds
    cadence: float | None
    everything: bool


@click.command(short_help="Find readings that are missing in a store.")
@click.argument("name")
@click.option("--from", "start", type=MOMENT, help="The first time; 30 days ago by default.")
@click.option("--to", "end", type=MOMENT, help="The first time no longer; now by default.")
@click.option("--cadence", type=SPAN, help="How far apart readings should be; learnt by default.")
@click.option("--series", metavar="GLOB", help="Only series whose name matches.")
@click.option("--store", metavar="NAME", help="The store to look into; the first by default.")
@click.option("--refill", is_flag=True, help="Have the collector read what is missing.")
@click.option("--all", "everything", is_flag=True, help="Also what the source does not have.")
@pace_options
@config_option
@json_option
def gaps(  # noqa: PLR0913 -- each is an option
    name: str,
    *,
    start: datetime | None,
    end: datetime | None,
    cadence: float | None,
    series: str | None,
    store: str | None,
    refill: bool,
    everything: bool,
    chunk: float | None,
    rate: float | None,
    config_path: Path,
    as_json: bool,
) -> int:
    """Find what a store lacks of the series that the collector NAME has given.

    Readings should be as far apart as --cadence says, or the collector's cadence:, or as
    most neighbours in their series are. What lies before the first reading of a series is
    missing only if --from says that it should be there, and what lies behind the last only
    if --to does. Times without an offset are local; 30d is a time so long ago, and there
    are now, today and yesterday.
    """
    check_chunk(config_path, name, chunk)
    config = load(config_path)
    collector = known(config.collectors, name, "collector")
    question = Question(
        collector=name,
        store=store or next(iter(config.stores)),
        series=series,
        bounds=_bounds(start, end),
        cadence=cadence or collector.cadence,
        everything=everything,
    )
    found = ask(config_path, lambda backend: _compared(config, backend, question))
    if not as_json:
        _show(question, found)
    if refill and chunk is not None:
        _refuse_short(chunk, found)
    wanted = BackfillRequest(collector=name, spans=spans(found), chunk=chunk, rate=rate)
    if refill and len(wanted.spans) == MOST_SPANS:
        click.echo(f"the nearest holes are read together, {MOST_SPANS:,} spans in all", err=True)
    ended, how = carried_out(config_path, wanted) if refill and wanted.spans else (None, "")
    told = _learn_what_is_absent(config_path, question, found, ended) if ended else ""
    if as_json:
        show.as_json({**_as_json(question, found), "backfill": ended})
    elif ended:
        tell_end(ended, how)
    if told:
        click.echo(f"{name}: {told}", err=as_json)
    return exit_code(ended) if ended else 0


def _refuse_short(chunk: float, found: Sequence[Compared]) -> None:
    """Refuse a chunk in which not even the series that come most often have a reading."""
    cadences = [hole.cadence_us / SECOND_US for _, hole in _holes(found)]
    refuse_short(chunk, min(cadences, default=None), "readings apart in the store")


def _learn_what_is_absent(
    config_path: Path, question: Question, before: Sequence[Compared], ended: Json
) -> str:
    """Keep in mind which holes are still there after a backfill of them; say so.

    A hole without a reading behind it is no such hole: the source is silent at present.
    """
    if ended["status"] != "done":
        return ""
    config = load(config_path)
    asked = Absences.of_json(_holes_json(before))
    after = ask(
        config_path, lambda backend: _compared(config, backend, replace(question, everything=True))
    )
    still = [
        (each, hole)
        for each, hole in _holes(after)
        if asked.has(each.name, each.tags, hole) and hole.end_us < question.bounds.end_us
    ]
    if not still:
        return ""
    unread = [each for each in still if _is_unread(each[0], ended)]
    absent = [each for each in still if each not in unread]
    told = []
    if absent:
        rows = [_hole_json(each, hole) for each, hole in absent]
        ask(config_path, lambda backend: backend.note_absent(question.collector, rows))
        where = f"{_readings_in(absent)} in {show.counted(len(absent), 'hole')}"
        told = [f"the source does not have {where} either; from now on --all lists them"]
    if unread:
        told.append(f"{_readings_in(unread)} still missing, since not everything could be read")
    return "; ".join(told)


def _is_unread(series: Compared, ended: Json) -> bool:
    """Say whether a series may be one of those with which something was wrong."""
    known: Sequence[str] | None = ended.get("unread")
    return bool(ended["problems"]) and (known is None or series.name in known)


def _readings_in(holes: Sequence[tuple[Compared, Hole]]) -> str:
    return show.counted(sum(hole.missing for _, hole in holes), "reading")


def _holes_json(found: Sequence[Compared]) -> list[Json]:
    return [_hole_json(each, hole) for each, hole in _holes(found)]


def _hole_json(series: Compared, hole: Hole) -> Json:
    return {
        "series": series.name,
        "tags": dict(series.tags),
        "start": hole.after_us / SECOND_US,
        "end": hole.end_us / SECOND_US,
    }


async def _compared(config: Config, backend: Backend, question: Question) -> list[Compared]:
    store = known(config.stores, question.store, "store")
    series = [
        (each["series"], tuple(sorted(each["tags"].items())))
        for each in await backend.series(question.collector)
        if question.series is None or fnmatchcase(each["series"], question.series)
    ]
    if not series:
        which = "" if question.series is None else f" that matches {question.series!r}"
        raise CommandError(f"{question.collector}: it has not given any series yet{which}")
    cadence_us = None if question.cadence is None else round(question.cadence * SECOND_US)
    with bar() as progress:
        async with opened(store) as sink:
            comparing = compare(sink, series, question.bounds, cadence_us, progress.tell)
            found = [each async for each in comparing]
    if not question.everything:
        absences = Absences.of_json(await backend.absent(question.collector))
        for each in found:
            each.leave_out(absences)
    return found


def _bounds(start: datetime | None, end: datetime | None) -> Bounds:
    now = time.time()
    # What is yet to come is not missing.
    end_at = now if end is None else min(end.timestamp(), now)
    start_at = end_at - RECENT if start is None else start.timestamp()
    if start_at >= end_at:
        text = f"expected a time before {show.moment(end_at)}, got {show.moment(start_at)}"
        raise click.BadParameter(text, param_hint="--from")
    return Bounds(
        start_us=round(start_at * SECOND_US),
        end_us=round(end_at * SECOND_US),
        from_start=start is not None,
        to_end=end is not None,
    )


def spans(found: Sequence[Compared]) -> list[tuple[float, float]]:
    """Return what to read again, from the reading before a hole to the one behind it.

    Not from the first that is missing, because it is not known exactly when that should be.
    """
    holes = ((hole.after_us, hole.end_us) for _, hole in _holes(found))
    return [(start / SECOND_US, end / SECOND_US) for start, end in merged(holes, MOST_SPANS)]


def _holes(found: Sequence[Compared]) -> Iterator[tuple[Compared, Hole]]:
    return ((each, hole) for each in found for hole in each.found.holes)


def _as_json(question: Question, found: Sequence[Compared]) -> Json:
    return {
        "collector": question.collector,
        "store": question.store,
        "start": question.bounds.start_us / SECOND_US,
        "end": question.bounds.end_us / SECOND_US,
        "missing": _missing(found),
        "series": list(map(_series_json, found)),
    }


def _missing(found: Sequence[Compared]) -> int:
    return sum(hole.missing for _, hole in _holes(found))


def _show(question: Question, found: Sequence[Compared]) -> None:
    holes = list(_holes(found))
    shown = holes[:HOLES_SHOWN] if sys.stdout.isatty() else holes
    if shown:
        times = (time_us for _, hole in shown for time_us in (hole.start_us, hole.end_us))
        seconds = any(time_us % MINUTE_US for time_us in times)
        headers = ["series", "cadence", "from", "to", "missing"]
        names = Counter(each.name for each in found)
        rows = [
            _row(each, hole, seconds=seconds, tags=names[each.name] > 1) for each, hole in shown
        ]
        show.table(headers, rows, right={"cadence", "missing"})
        click.echo()
    if len(holes) > len(shown):
        click.echo(f"... and {len(holes) - len(shown):,} more; --json shows all\n")
    click.echo(f"{question.collector}: {_summary(found)}")
    absent = [hole for each in found for hole in each.absent]
    if absent:
        missing = show.counted(sum(hole.missing for hole in absent), "reading")
        what = f"{missing} in {show.counted(len(absent), 'hole')}"
        click.echo(f"{question.collector}: the source does not have {what}; --all lists them")
    _tell_what_was_not_compared([each for each in found if each.found.problem])


def _row(series: Compared, hole: Hole, *, seconds: bool, tags: bool) -> list[str]:
    return [
        show.series(series.name, dict(series.tags) if tags else {}),
        show.span(hole.cadence_us / SECOND_US),
        show.moment(hole.start_us / SECOND_US, seconds=seconds),
        show.moment(hole.end_us / SECOND_US, seconds=seconds),
        show.number(hole.missing),
    ]


def _summary(found: Sequence[Compared]) -> str:
    readings = show.counted(sum(each.found.readings for each in found), "reading")
    missing = _missing(found)
    if not missing:
        compared = sum(not each.found.problem for each in found)
        return f"nothing is missing in {compared:,} series, {readings}"
    holes = show.counted(sum(len(each.found.holes) for each in found), "hole")
    with_holes = sum(bool(each.found.holes) for each in found)
    where = f"in {holes} of {with_holes:,} of {len(found):,} series"
    return f"{show.counted(missing, 'reading')} missing {where}, {readings} there"


def _tell_what_was_not_compared(series: Sequence[Compared]) -> None:
    if not series:
        return
    click.echo(f"not compared: {len(series):,} series", err=True)
    for each in series[:TOLD]:
        name = show.visible(show.series(each.name, dict(each.tags)))
        click.echo(f"  {name}: {each.found.problem}", err=True)
    if len(series) > TOLD:
        click.echo(f"  ... and {len(series) - TOLD:,} more; --json shows all", err=True)
    if any(each.found.cadence_us is None for each in series):
        click.echo(ADVICE, err=True)


def _series_json(series: Compared) -> Json:
    found = series.found
    return {
        "series": series.name,
        "tags": dict(series.tags),
        "cadence": None if found.cadence_us is None else found.cadence_us / SECOND_US,
        "readings": found.readings,
        "missing": sum(hole.missing for hole in found.holes),
        "holes": list(map(_listed, found.holes)),
        "absent": list(map(_listed, series.absent)),
        "problem": found.problem,
    }


def _listed(hole: Hole) -> Json:
    return {
        "start": hole.start_us / SECOND_US,
        "end": hole.end_us / SECOND_US,
        "missing": hole.missing,
        "cadence": hole.cadence_us / SECOND_US,
    }
