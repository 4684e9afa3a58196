"""A collector with everything that it shares, on a clock that jumps, and a store made of a list."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ingestd.calling.pool import Workers
from ingestd.calling.threads import Threads
from ingestd.collecting.collector import Collector
from ingestd.collecting.collectors import Collectors
from ingestd.collecting.services import Services
from ingestd.config.catalogue import Catalogue
from ingestd.config.model import CollectorConfig
from ingestd.context.context import Shared
from ingestd.context.lent import Reader
from ingestd.contract.memory import Memory
from ingestd.delivery.buffer import Buffer
from ingestd.delivery.lane import Lane
from ingestd.disk.database import Action, Database
from ingestd.disk.writer import OnFull
from ingestd.hosts import HOSTS
from ingestd.metrics import Metrics
from ingestd.model import Point
from ingestd.records.runs import RunRecord
from ingestd.records.store import StateStore
from ingestd.redaction import Redactor
from ingestd.tasks import Tasks
from tests.support.clock import VirtualClock
from tests.support.events import log_into
from tests.support.pipeline import until
from tests.support.plugins import PluginFolder

T = TypeVar("T")

# Gives how often it has run.
COUNTING = """
    async def run(*, n=0, **_):
        return {"readings": [(n + 1, "level", n + 1)], "n": n + 1}
"""


@dataclass
class Site:
    """Collectors, and where their readings and memories go.

    Attributes:
        stored: The points that the store has taken.
        droppable: Those of them that a full spool might have dropped.
        store_up: Whether it takes any; they stay on their way while it does not.
        events: Everything that was logged.
    """

    collectors: Collectors
    database: Database
    states: StateStore
    services: Services
    tasks: Tasks
    clock: VirtualClock
    buffer: Buffer
    plugins: PluginFolder
    hurry: asyncio.Event
    events: list[dict[str, Any]] = field(default_factory=list)
    stored: list[Point] = field(default_factory=list)
    droppable: list[Point] = field(default_factory=list)
    store_up: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self, plugin: str, name: str = "probe", **options: Any) -> Collector:
        """Write a plugin and start a collector with it, every ten seconds unless told else."""
        self.plugins.write(name, plugin)
        return await self.restart(name, **options)

    async def restart(self, name: str = "probe", **options: Any) -> Collector:
        """Start a collector anew, as a reload with other options does."""
        collector = await self.make(name, **options)
        self.collectors.start(collector)
        return collector

    async def make(self, name: str = "probe", **options: Any) -> Collector:
        """Make a collector that is not started."""
        if "stream" in options:
            del options["stream"]
        else:
            options.setdefault("every", 10.0)
        config = CollectorConfig(name=name, **{"plugin": name, **options})
        return await self.collectors.make(config, catalogue=Catalogue(), services=self.services)

    async def remove(self, name: str = "probe") -> None:
        """Remove a collector, and wait for its end."""
        ended = self.collectors.remove(name)
        if ended is not None:
            await asyncio.wait({ended})

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let virtual time pass until a condition holds."""
        await self.clock.drive(until(condition))

    async def ran(self, number: int = 1, name: str = "probe") -> list[RunRecord]:
        """Let time pass until so many runs have ended; return their records, oldest first."""
        await self.until(lambda: len(self.ended(name)) >= number)
        found = await self.states.runs(name, limit=number)
        return found[::-1]

    def ended(self, name: str = "probe") -> list[dict[str, Any]]:
        """Return the log lines of runs that have ended."""
        return [
            each
            for each in self.events
            if each.get("collector") == name and each["event"].startswith("run ")
        ]

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Return what was logged under a phrase."""
        return [each for each in self.events if each["event"] == event]

    async def on_disk(self, name: str = "probe") -> Memory:
        """Return what a daemon that starts now would find."""
        return (await self.states.load(name)).memory

    def values(self) -> list[float]:
        """Return the values that were stored."""
        return [value for _, _, value in self.stored]

    def metric(self, name: str, **labels: str) -> float:
        """Return a counter's value."""
        return self.services.metrics.registry.get_sample_value(name, labels) or 0.0

    async def _deliver(self, lane: Lane) -> None:
        while (batch := await lane.next_batch()) is not None:
            await self.store_up.wait()
            self.stored += batch.points
            if batch.droppable:
                self.droppable += batch.points
            lane.done(batch, raw_bytes=0)
            batch.settle()


class UnhurriedDatabase(Database):
    """A database whose threads the clock waits for, however busy the machine is."""

    clock: VirtualClock

    async def write(self, action: Action[T], *, on_full: OnFull = "fail") -> T:
        """Write while the clock stands still."""
        with self.clock.outside():
            return await super().write(action, on_full=on_full)

    async def read(self, action: Action[T]) -> T:
        """Read while the clock stands still."""
        with self.clock.outside():
            return await super().read(action)


@asynccontextmanager
async def site(
    path: Path, *, grace: float = 5.0, capacity: int = 1000, reader: Reader | None = None
) -> AsyncIterator[Site]:
    """Give a site without collectors; what they leave behind stays in the directory."""
    clock = VirtualClock(patience=0.03)
    buffer, hurry, stopping = Buffer(capacity=capacity), asyncio.Event(), asyncio.Event()
    events: list[dict[str, Any]] = []
    redactor = Redactor()
    log = log_into(events)
    lane = Lane(points=100, size_bytes=10**6, linger=1.0, clock=clock)
    buffer.lanes = {"main": lane}
    folder = path / "plugins"
    folder.mkdir(exist_ok=True)
    plugins = PluginFolder(folder)
    tasks = Tasks(clock=clock, log=log)
    with ThreadPoolExecutor(1) as pool:
        opening = UnhurriedDatabase.open(path / "state.db")
        async with await opening as database, Workers(2) as workers:
            database.clock = clock
            states = await StateStore.open(database, clock)

            async def blocking(function: Callable[..., T], *args: Any) -> T:
                with clock.outside():
                    return await asyncio.get_running_loop().run_in_executor(pool, function, *args)

            services = Services(
                clock=clock,
                buffer=buffer,
                loader=plugins.loader,
                processes=workers,
                threads=Threads(),
                states=states,
                reader=reader,
                metrics=Metrics(),
                redactor=redactor,
                stopping=stopping,
                blocking=blocking,
                shared=Shared(),
                hosts=HOSTS,
                log=log,
            )
            collectors = Collectors(
                states=states,
                tasks=tasks,
                grace=grace,
                hurry=hurry,
                log=log,
            )
            made = Site(
                collectors, database, states, services, tasks, clock, buffer, plugins, hurry, events
            )
            made.store_up.set()
            delivering = asyncio.create_task(made._deliver(lane))
            try:
                yield made
            finally:
                stopping.set()
                delivering.cancel()
                await clock.drive(tasks.cancel())
                await states.close()
