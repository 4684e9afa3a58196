"""Backfills beside collectors, on a clock that jumps, and a store that can have a backlog."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ingestd.backfilling.backfill import BackfillServices
from ingestd.backfilling.backfills import Backfills
from ingestd.backfilling.records import BackfillRecord
from ingestd.backfilling.windows import Span
from tests.support.collecting import Site, site

START: Final = 1_600_000_000.0
HOUR: Final = 3600.0

# Gives a reading for every hour of a window, in a result for every ten.
HOURLY: Final = """
    async def run(*, ctx, start=None, end=None, last=0, **_):
        if start is None:
            return
        first, end = int(start.timestamp()), int(end.timestamp())
        ctx.log.info("window", start=first, end=end, last=last)
        try:
            for begin in range(first, end, 36000):
                times = range(begin, min(end, begin + 36000), 3600)
                yield {"readings": [(t, "level", t) for t in times], "last": 5}
        finally:
            ctx.log.info("closed")
"""

# Fails behind its reading, unless the collector is told that it is not broken.
FAILING = """
    async def run(*, ctx, broken=True, start=None, end=None, **_):
        if start is not None:
            ctx.log.info("window", start=int(start.timestamp()), end=int(end.timestamp()))
            yield {"readings": [(start.timestamp(), "level", 1)]}
            if broken:
                raise OSError("no server")
"""


def hours(number: int, *, after: int = 0) -> Span:
    """Return a span of so many hours."""
    return START + after * HOUR, START + (after + number) * HOUR


@dataclass
class Past:
    """Backfills, and the collectors whose plugins read for them.

    Attributes:
        here: The collectors and the store.
        behind: Why backfills should wait; empty while they need not.
    """

    here: Site
    behind: str = ""

    def __post_init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Put backfills in place as a daemon that has just started does."""
        services = self.here.services
        self.backfills = Backfills(
            collectors=self.here.collectors,
            database=self.here.database,
            tasks=self.here.tasks,
            hurry=self.here.hurry,
            services=BackfillServices(
                behind=lambda: self.behind,
                processes=services.processes,
                clock=self.here.clock,
                metrics=services.metrics,
                redactor=services.redactor,
                log=services.log,
            ),
        )

    async def ask(self, *spans: Span, name: str = "probe", **options: Any) -> BackfillRecord:
        """Ask for a backfill of a collector."""
        return await self.here.clock.drive(self.backfills.ask(name, spans, **options))

    async def ended(self, record: BackfillRecord) -> BackfillRecord:
        """Let time pass until a backfill is over."""
        found = await self.here.clock.drive(self.backfills.ended(record.id))
        assert found is not None
        return found

    async def restarted(self) -> BackfillRecord:
        """Begin as the next daemon does, with what is on disk; return what it goes on with."""
        self.renew()
        await self.backfills.remember()
        self.backfills.follow()
        (record,) = self.backfills.unfinished
        return record

    def may_end(self) -> None:
        """Set the event that plugins of a test wait for, if they share one."""
        self.here.services.shared.get(asyncio.Event).set()

    def windows(self) -> Sequence[tuple[int, int]]:
        """Return the windows that the plugin was called with."""
        return [(each["start"], each["end"]) for each in self.here.logged("window")]

    def stored_times(self) -> list[int]:
        """Return the times that were stored, each once, in order."""
        return sorted({time_us // 1_000_000 for _, time_us, _ in self.here.stored})


@asynccontextmanager
async def past(path: Path, **options: Any) -> AsyncIterator[Past]:
    """Give a site with backfills."""
    async with site(path, **options) as here:
        yield Past(here)
