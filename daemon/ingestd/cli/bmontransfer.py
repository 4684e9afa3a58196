"""The way of BMON's readings into the stores, page by page.

Theory of operation. The readings go straight to the stores, as those of ``ingestd copy``
do: beside a running daemon, or without one. One sensor after the other is read in pages;
when a page is safe in every store, the position on disk moves past it. A kill repeats a
page, which overwrites itself, and skips none. At the end the position is forgotten, so
that the same command reads everything again, with what BMON has stored meanwhile.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import inf
from typing import TypeGuard

from ingestd.bmon.history import History, Table
from ingestd.cli import show
from ingestd.cli.bmonposition import Position, PositionFile
from ingestd.cli.progress import Bar
from ingestd.cli.writing import Written, write
from ingestd.collecting import Naming, TimeLimits
from ingestd.config import Catalogue, Config, SeriesDescription
from ingestd.errors import StoreUnavailable
from ingestd.model import Point
from ingestd.plugins._limits import is_time
from ingestd.sinks import Sink, make_sink


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryImport:
    """What tells one import from others: how it turns what into which points, and where.

    Attributes:
        file: Path, device and inode of the database: another file begins anew.
        stores: The names of the stores.
        measurement: That of the points, unless the catalogue says it.
        field: Theirs, likewise.
        tags: Theirs, likewise.
        series: What becomes of each sensor, by its id.
        limits: Which times are believed.
    """

    file: tuple[str, int, int]
    stores: Sequence[str]
    measurement: str
    field: str
    tags: Mapping[str, str]
    series: Mapping[str, SeriesDescription]
    limits: TimeLimits

    @property
    def naming(self) -> Naming:
        """What makes points of readings."""
        return Naming(
            measurement=self.measurement,
            field=self.field,
            tags=self.tags,
            catalogue=Catalogue(self.series),
            limits=self.limits,
        )


class Transfer:
    """Brings the readings of sensors into stores, from a position on.

    Args:
        history: Where they are.
        tables: The sensors, in the order of their ids.
        wanted: What becomes of them.
        position: What is safe already; moves on.
        kept: Where it is kept.
        progress: Shows how far it has come.
    """

    def __init__(
        self,
        history: History,
        tables: Sequence[Table],
        wanted: HistoryImport,
        position: Position,
        kept: PositionFile,
        progress: Bar,
    ) -> None:
        self._history, self._tables, self._wanted = history, tables, wanted
        self._position, self._kept, self._progress = position, kept, progress
        self._naming = wanted.naming

    async def run(self, config: Config) -> None:
        """Bring over what is left.

        Raises:
            StoreUnavailable: A store was away for longer than a minute.
            NotPossible: The database cannot be read.
            CommandError: The position cannot be written.
        """
        size = min(config.stores[name].batch.points for name in self._wanted.stores)
        async with _opened(config, self._wanted.stores) as sinks:
            for number, table in enumerate(self._tables):
                if table.name >= (self._position.table or ""):
                    await self._bring(table, number, size, sinks)

    async def _bring(self, table: Table, number: int, size: int, sinks: Mapping[str, Sink]) -> None:
        position = self._position
        if table.name != position.table:
            position.table, position.after = table.name, None
            untimed = await asyncio.to_thread(self._history.untimed, table)
            position.readings += untimed
            position.unusable += Counter(time=untimed)
        first, last = await asyncio.to_thread(self._history.span, table)
        while rows := await asyncio.to_thread(
            self._history.page,
            table,
            after=position.after,
            size=size,
            start=-inf if position.start is None else position.start,
            end=inf if position.end is None else position.end,
        ):
            readings = [(ts, table.name, value) for ts, value in rows]
            found = self._naming.sort(readings, now=time.time())
            await self._store(found.points, sinks)
            position.after = rows[-1][0]
            position.readings += len(rows)
            position.unusable += found.unusable
            await asyncio.to_thread(self._kept.save, position)
            self._tell(number, (position.after - first) / ((last - first) or 1.0))

    async def _store(self, points: Sequence[Point], sinks: Mapping[str, Sink]) -> None:
        for name, sink in sinks.items():
            written = Written()
            try:
                await write(sink, points, written)
            except StoreUnavailable as error:
                raise _stopped(name, error, self._position.readings) from error
            refused = {f"{name}: {reason}": count for reason, count in written.refused.items()}
            self._position.refused += Counter(refused)

    def _tell(self, number: int, share: float) -> None:
        position = self._position
        at = [show.day(position.after)] if dated(position.after) else []
        sensor = f"sensor {number + 1} of {len(self._tables)}"
        text = ", ".join([sensor, *at, show.counted(position.readings, "reading")])
        self._progress.tell((number + share) / len(self._tables), text)


def dated(seconds: float | None) -> TypeGuard[float]:
    """Say whether a time has a date."""
    return seconds is not None and is_time(seconds)


@asynccontextmanager
async def _opened(config: Config, names: Sequence[str]) -> AsyncIterator[dict[str, Sink]]:
    """Open stores for writing.

    Raises:
        StoreUnavailable: One is away.
    """
    sinks = {name: make_sink(config.stores[name]) for name in names}
    try:
        for name, sink in sinks.items():
            try:
                await sink.open()
            except StoreUnavailable as error:
                raise _stopped(name, error, 0) from error
        yield sinks
    finally:
        for sink in sinks.values():
            await sink.close()


def _stopped(store: str, error: StoreUnavailable, readings: int) -> StoreUnavailable:
    done = f"stopped after {readings:,} readings; the same command goes on"
    return StoreUnavailable(f"{store}: {error}; {done}")
