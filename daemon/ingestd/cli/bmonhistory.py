"""``ingestd import bmon-history``: what BMON has stored, into the stores here."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

import click

from ingestd.bmon.history import History, Table, as_stored, catalogued, unclear
from ingestd.bmon.importing import Sensor, sensors
from ingestd.cli import show
from ingestd.cli.bmonexport import read_export
from ingestd.cli.bmonposition import Position, PositionFile, alone_in
from ingestd.cli.bmontransfer import HistoryImport, Transfer, dated
from ingestd.cli.exitcodes import FAILURE, CommandError
from ingestd.cli.progress import bar
from ingestd.cli.settings import MOMENT, config_option, known, load, refuse_reversed
from ingestd.cli.statedir import refuse_foreign_root
from ingestd.cli.writing import tell_reasons
from ingestd.collecting import TimeLimits
from ingestd.config import Config, SeriesDescription

NAMED: Final = 5  # sensors in a message
INTERRUPTED: Final = "interrupted; the same command goes on"
IN_ITS_UNIT: Final = "--as-stored, if the values are in the unit of the catalogue"
UNCLEAR: Final = (
    "has a scale or an offset in the catalogue, which BMON may have applied before it stored:"
    f" expected --transforms EXPORT, which tells that, or {IN_ITS_UNIT}"
)
NOT_TAKEN_BACK: Final = (
    "has a scale or an offset in the catalogue, and BMON's transform cannot be taken back:"
    f" expected {IN_ITS_UNIT}, or other sensors (--sensor)"
)


@click.command("bmon-history", short_help="Bring over the readings that BMON has stored.")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--sensor",
    "patterns",
    multiple=True,
    metavar="ID",
    help="A sensor, or a pattern such as 'boiler_*'; all if it is left out.",
)
@click.option("--from", "start", type=MOMENT, help="The first time: 2015-01-01, or 30d ago.")
@click.option("--to", "end", type=MOMENT, help="The first time no longer.")
@click.option("--store", "stores", multiple=True, metavar="NAME", help="Into it, not into all.")
@click.option(
    "--collector",
    metavar="NAME",
    help="What reads the sensors now: its measurement, field, tags and limits of times are taken.",
)
@click.option(
    "--transforms",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="EXPORT",
    help="What `import bmon` has read: says which transforms BMON has applied already.",
)
@click.option(
    "--as-stored", "plain", is_flag=True, help="Apply no scale and no offset of the catalogue."
)
@config_option
def bmon_history(  # noqa: PLR0913 -- each is an option
    *,
    file: Path,
    patterns: Sequence[str],
    start: datetime | None,
    end: datetime | None,
    stores: Sequence[str],
    collector: str | None,
    transforms: Path | None,
    plain: bool,
    config_path: Path,
) -> int:
    """Bring the readings that BMON has stored into the stores.

    FILE is BMON's database of readings, which is only read; BMON may go on, and a daemon
    here may run. An import that was interrupted or killed goes on with the same command,
    also without its times; what is there already is overwritten with itself.
    """
    refuse_reversed(start, end)
    config = load(config_path)
    if plain and transforms:
        raise click.UsageError("expected --transforms or --as-stored, got both")
    refuse_foreign_root(config.daemon.state_dir)
    with History(file) as history, alone_in(config.daemon.state_dir):
        found, others = history.tables()
        tables = _chosen(found, patterns)
        names = [table.name for table in tables]
        wanted = _wanted(
            file, config, stores, collector, _described(names, config, transforms, plain=plain)
        )
        kept = PositionFile(config.daemon.state_dir, asdict(wanted))
        position = _begun(kept, *(each.timestamp() if each else None for each in (start, end)))
        if others:
            click.echo(f"left out, as they hold no readings: {show.visible(', '.join(others))}")
        with bar() as progress:
            transfer = Transfer(history, tables, wanted, position, kept, progress)
            try:
                asyncio.run(transfer.run(config))
            except KeyboardInterrupt:
                progress.say(INTERRUPTED)
                raise
        kept.forget()
    return _told(position, tables, wanted)


def _chosen(tables: Sequence[Table], patterns: Sequence[str]) -> list[Table]:
    """Return the sensors that one of the patterns means, in the order of their ids."""
    for pattern in patterns:
        if not any(fnmatchcase(table.name, pattern) for table in tables):
            text = f"expected one of {len(tables)} sensors, got {pattern!r:.80}"
            raise click.BadParameter(text, param_hint="--sensor")
    wanted = patterns or ["*"]
    found = [each for each in tables if any(fnmatchcase(each.name, one) for one in wanted)]
    return sorted(found, key=lambda each: each.name)


def _described(
    names: Sequence[str], config: Config, transforms: Path | None, *, plain: bool
) -> dict[str, SeriesDescription]:
    """Return what becomes of each sensor.

    Raises:
        CommandError: Nobody can say in which unit BMON has stored one.
    """
    catalogue = config.catalogue
    if plain:
        return {name: as_stored(name, catalogue) for name in names}
    listed: dict[str, Sensor] | None = None
    if transforms:
        listed = {each.name: each for each in sensors(read_export(transforms))}
    if left := unclear(names, catalogue, listed):
        shown = ", ".join(left[:NAMED]) + (", ..." if len(left) > NAMED else "")
        raise CommandError(f"{shown}: {UNCLEAR if listed is None else NOT_TAKEN_BACK}")
    return {name: catalogued(name, catalogue, listed) for name in names}


def _wanted(
    file: Path,
    config: Config,
    stores: Sequence[str],
    collector: str | None,
    series: Mapping[str, SeriesDescription],
) -> HistoryImport:
    now = known(config.collectors, collector, "collector") if collector else None
    into = sorted(set(stores or config.stores))
    for name in into:
        known(config.stores, name, "store")
    there = file.stat()
    return HistoryImport(
        file=(str(file.resolve()), there.st_dev, there.st_ino),
        stores=into,
        measurement=(now and now.measurement) or "reading",
        field=(now and now.field) or "value",
        tags=now.tags if now else {},
        series=series,
        limits=TimeLimits(
            (now or config.daemon).not_before,
            (now or config.daemon).not_after,
        ),
    )


def _begun(kept: PositionFile, start: float | None, end: float | None) -> Position:
    """Return the position to go on from, which is none at first."""
    position = kept.load()
    if position is None or not position.spans(start, end):
        return Position(start=start, end=end)
    at = f", {show.day(position.after)}" if dated(position.after) else ""
    click.echo(f"goes on at {show.visible(position.table or '')}{at}")
    return position


def _told(position: Position, tables: Sequence[Table], wanted: HistoryImport) -> int:
    """Say what was done, and return the exit code."""
    usable = position.readings - position.unusable.total()
    what = f"{show.counted(usable, 'reading')} of {show.counted(len(tables), 'sensor')}"
    click.echo(f"{what} brought into {' and '.join(wanted.stores)}")
    tell_reasons(position.unusable, "cannot be stored")
    tell_reasons(position.refused, "refused")
    return FAILURE if position.refused.total() else 0
