"""``ingestd copy``: the history of one store into another."""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ingestd.cli import show
from ingestd.cli.exitcodes import FAILURE, CommandError
from ingestd.cli.settings import MOMENT, config_option, known, load, refuse_reversed
from ingestd.cli.stores import opened
from ingestd.cli.writing import Written, tell_reasons, write
from ingestd.config import Catalogue, Config
from ingestd.errors import StoreUnavailable
from ingestd.model import MICROSECONDS, Point, Series, StoredPoint
from ingestd.sinks import make_sink


@click.command(short_help="Copy the history of one store into another.")
@click.argument("source")
@click.argument("target")
@click.option(
    "--from", "start", type=MOMENT, help="The first time: 2026-01-31, or with a clock time."
)
@click.option("--to", "end", type=MOMENT, help="The first time no longer; now by default.")
@config_option
def copy(
    *, source: str, target: str, start: datetime | None, end: datetime | None, config_path: Path
) -> int:
    """Copy readings from the store SOURCE into the store TARGET, both in the configuration.

    It may be interrupted and run again: what is there already is overwritten with
    itself. Times without an offset are local.
    """
    refuse_reversed(start, end or datetime.now(UTC))
    config = load(config_path)
    copied = asyncio.run(_copy(config, source, target, start, end))
    refused = sum(copied.refused.values())
    click.echo(f"{show.counted(copied.points, 'reading')} copied from {source} to {target}")
    tell_reasons(copied.refused, f"refused by {target}")
    return FAILURE if refused else 0


async def _copy(
    config: Config, source: str, target: str, start: datetime | None, end: datetime | None
) -> Written:
    if source == target:
        raise CommandError(f"expected two stores, got {source!r} twice")
    start_us = int(start.timestamp() * MICROSECONDS) if start else 0
    end_us = int((end or datetime.now(UTC)).timestamp() * MICROSECONDS)
    copied, into = Written(), known(config.stores, target, "store")
    writing = make_sink(into)
    async with opened(known(config.stores, source, "store")) as reading:
        if reading is None:
            return copied
        try:
            await writing.open()
            chunks = reading.scan(start_us=start_us, end_us=end_us)
            batches = _batches(chunks, config.catalogue, into.batch.points)
            async with aclosing(batches):
                with _progress(copied) as tell:
                    async for points in batches:
                        await write(writing, points, copied)
                        tell()
        except StoreUnavailable as error:
            done = f"stopped after {copied.points:,} readings; run it again"
            raise StoreUnavailable(f"{target}: {error}; {done}") from error
        finally:
            await writing.close()
    return copied


async def _batches(
    chunks: AsyncIterator[Sequence[StoredPoint]], catalogue: Catalogue, size: int
) -> AsyncGenerator[list[Point], None]:
    """Yield what is to be written, in batches of the target's size."""
    known: dict[tuple[Any, ...], Series] = {}
    waiting: list[Point] = []
    async for chunk in chunks:
        waiting += [(_series(known, each, catalogue), each.time_us, each.value) for each in chunk]
        while len(waiting) >= size:
            yield waiting[:size]
            waiting = waiting[size:]
    if waiting:
        yield waiting


def _series(
    known: dict[tuple[Any, ...], Series], point: StoredPoint, catalogue: Catalogue
) -> Series:
    """Return a point's series, the same object for the same names."""
    tags = tuple(sorted(point.tags.items()))
    key = (point.series, tags, point.measurement, point.field)
    found = known.get(key)
    if found is None:
        unit = catalogue.describe(point.series).unit
        found = known[key] = Series(point.series, tags, point.measurement, point.field, unit)
    return found


@contextmanager
def _progress(copied: Written) -> Iterator[Callable[[], None]]:
    """Show on a terminal how far a copy has come, whenever it is told to."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console  # noqa: PLC0415 -- takes its time
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    began = time.monotonic()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading", total=None)

        def tell() -> None:
            rate = copied.points / (time.monotonic() - began)
            text = f"{copied.points:,} readings, {rate:,.0f}/s"
            progress.update(task, description=text)

        yield tell
