"""What a daemon does at intervals beside its work: tells how it is, and looks after its disk."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ingestd.clock import Clock
from ingestd.collecting import Collectors
from ingestd.delivery import Deliveries
from ingestd.disk import Ballast
from ingestd.errors import StateError
from ingestd.looplag import LoopWatch
from ingestd.metrics import HourSummary, Metrics
from ingestd.systemd import Notifier
from ingestd.tasks import Blocking, Job

TEND: Final = 60.0  # seconds
KEEP_PACES_EVERY: Final = 5  # times that; what a kill may cost is told, not promised
TELL_STATUS: Final = 4.0  # seconds
HOUR: Final = 3600.0  # seconds
MOST_NAMED: Final = 8  # of what is stuck, in a line of the log


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """The jobs of one daemon that go on until it stops.

    Attributes:
        notifier: Tells systemd.
        loop_watch: Shows a line of its own while the event loop is held up.
        ballast: The disk space that is kept back.
        stuck: Names what should move and does not.
        status_line: Says in one line how things are.
        blocking: Calls what blocks, in a thread of the daemon.
    """

    notifier: Notifier
    loop_watch: LoopWatch
    ballast: Ballast
    collectors: Collectors
    deliveries: Deliveries
    metrics: Metrics
    stuck: Callable[[], Sequence[str]]
    status_line: Callable[[], str]
    blocking: Blocking
    clock: Clock
    log: Any

    @property
    def jobs(self) -> Mapping[str, Job]:
        """Each job under the name of its task."""
        return {
            "tend": self.tend,
            "summarise": self.summarise,
            "tell_status": self.tell_status,
            "feed_watchdog": self.feed_watchdog,
        }

    async def tend(self) -> None:
        """Look after the disk space kept back, and keep how far all series have come."""
        ticks = itertools.count(1)
        problem, told = "", ""
        while True:
            await self.clock.sleep(TEND)
            try:
                await self.blocking(self.ballast.make)
                problem = ""
            except StateError as exc:
                problem = str(exc)
            if problem and problem != told:
                self.log.error("no disk space can be kept back", problem=problem)
            told = problem
            if next(ticks) % KEEP_PACES_EVERY == 0:
                self.collectors.keep_paces()

    async def summarise(self) -> None:
        """Say once an hour what the log leaves out: the runs that go as they should."""
        stores = self.deliveries.by_store
        summary = HourSummary(
            runs=self.metrics.total_runs,
            stored=lambda: {name: each.account.stored for name, each in stores.items()},
        )
        while True:
            await self.clock.sleep(HOUR)
            self.log.info("last hour", **summary.since_last(), now=self.status_line())

    async def tell_status(self) -> None:
        """Tell systemd how things are, whenever that is news."""
        told = ""
        while self.notifier.address:
            await self.clock.sleep(TELL_STATUS)
            line = self.status_line()
            # While the loop is held up, its watch shows another line; it is back now.
            if line != told or self.loop_watch.blocked:
                self.notifier.status(line)
                told = line

    async def feed_watchdog(self) -> None:
        """Tell systemd that we live, as long as the schedules and the deliveries move."""
        every = self.notifier.watchdog_interval
        while every:
            if stuck := self.stuck():
                names, number = stuck[:MOST_NAMED], len(stuck)
                self.log.error("the watchdog starves", stuck=names, number=number)
            else:
                self.notifier.watchdog()
            await self.clock.sleep(every)
