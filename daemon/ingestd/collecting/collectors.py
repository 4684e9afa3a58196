"""All collectors: started, replaced and ended; what they remember outlives them."""

import asyncio
from collections.abc import Callable
from datetime import UTC
from functools import partial
from typing import Any

from ingestd.collecting import schedule
from ingestd.collecting.collector import Collector, Services
from ingestd.collecting.committer import StateCommitter
from ingestd.collecting.points import Naming
from ingestd.config import Catalogue, CollectorConfig
from ingestd.contract import Memory
from ingestd.model import Series
from ingestd.records import Kept, StateStore
from ingestd.tasks import Task, Tasks


class Collectors:
    """The collectors by name.

    Args:
        states: Where their memories and records are kept.
        tasks: Where they run.
        grace: How long a run may go on when its collector has to end, in seconds.
        hurry: Set when nobody wants to wait for that any longer.
    """

    def __init__(
        self,
        *,
        states: StateStore,
        tasks: Tasks,
        grace: float,
        hurry: asyncio.Event,
        log: Any,
    ) -> None:
        self._states, self._tasks = states, tasks
        self.grace, self._hurry, self._log = grace, hurry, log
        self.by_name: dict[str, Collector] = {}
        self._running: dict[str, Task] = {}
        self._retired: dict[str, Task] = {}
        self._committers: dict[str, StateCommitter] = {}
        self._found: dict[str, Kept] = {}

    async def remember(self) -> None:
        """Read at once what all collectors remember, before they are started."""
        self._found = await self._states.load_all()

    async def make(
        self, config: CollectorConfig, *, catalogue: Catalogue, services: Services
    ) -> Collector:
        """Make a collector, to be started.

        Args:
            config: What the operator wrote.
            catalogue: What the operator says of single series.
            services: What it shares with the others.

        Raises:
            StateError: What it remembers cannot be read.
        """
        return Collector(
            config,
            schedule=schedule_of(config),
            naming=self._naming(config, catalogue),
            committer=await self._committer_of(config.name, services),
            last=self._states.last_runs().get(config.name),
            services=services,
        )

    def start(self, collector: Collector) -> None:
        """Start a collector, in the place of the one of that name."""
        name = collector.name
        before, retired = self.by_name.get(name), self._retire(name)
        if before is not None:
            collector.follow(before)
        self.by_name[name] = collector

        async def collect() -> None:
            if retired is not None:
                await asyncio.wait({retired})
                # Its last run may have ended only now.
                collector.last = self._states.last_runs().get(name)
            await collector.run()

        self._running[name] = self._tasks.start(name, collect)

    def remove(self, name: str) -> Task | None:
        """Begin to end a collector, and return its end; what it remembers stays."""
        retired = self._retire(name)
        del self.by_name[name]
        return retired

    def rename(self, catalogue: Catalogue) -> None:
        """Name series by another catalogue from now on."""
        for collector in self.by_name.values():
            collector.naming = self._naming(collector.config, catalogue)

    async def finish(self) -> None:
        """End all collectors, letting runs finish within the grace period."""
        for name in self.by_name:
            self._retire(name)
        if self._retired:
            await asyncio.wait(set(self._retired.values()))

    @property
    def stuck(self) -> list[str]:
        """The collectors whose schedule does not move."""
        return [name for name, each in self.by_name.items() if each.stuck]

    async def memory(self, name: str) -> Memory | None:
        """Return what a collector remembers, or None if there never was such a one.

        Raises:
            StateError: The database failed.
        """
        if name in self._committers:
            return self._committers[name].memory
        kept = await self._states.load(name)
        return None if kept.changed is None else kept.memory

    async def reset(self, name: str, *, masks: bool = False) -> bool:
        """Make a collector forget its state, running or not; say whether it had any.

        Raises:
            StateError: The database failed.
        """
        if name in self.by_name:
            return await self.by_name[name].reset(masks=masks)
        if name in self._committers:
            forgot = self._committers[name].reset(masks=masks)
            await self._committers[name].committed()
            return forgot
        return await self._states.reset(name, masks=masks)

    async def committed(self) -> None:
        """Return when everything that they remember is on disk."""
        for committer in list(self._committers.values()):  # a reload may be adding some
            await committer.committed()

    def _naming(self, config: CollectorConfig, catalogue: Catalogue) -> Naming:
        return naming_of(config, catalogue, met=partial(self._states.note_series, config.name))

    async def _committer_of(self, name: str, services: Services) -> StateCommitter:
        if name not in self._committers:
            kept = self._found.pop(name, None) or await self._states.load(name)
            log = self._log.bind(collector=name)
            if kept.damage:
                log.error("state was damaged", problem=kept.damage)
            services.redactor.add(kept.memory.hidden.values(), owner=name)
            committer = StateCommitter(
                name, kept.memory, store=self._states, clock=services.clock, log=log
            )
            self._committers[name] = committer
            self._tasks.start(f"{name}.keep", committer.run)
        return self._committers[name]

    def _retire(self, name: str) -> Task | None:
        """Begin to end the collector of a name; return the end of it and of all before it.

        A task of its own does it, because the collector that waits for it may
        itself be replaced meanwhile, and must not leave the first one running.
        """
        task, earlier = self._running.pop(name, None), self._retired.get(name)
        if task is None:
            return earlier
        collector = self.by_name[name]

        async def retire() -> None:
            await self._end(collector, task)
            if earlier is not None:
                await asyncio.wait({earlier})

        retired = self._retired[name] = self._tasks.start(f"{name}.retire", retire)
        return retired

    async def _end(self, collector: Collector, task: Task) -> None:
        """Let the run under way come to its end, if it can, and cancel the rest."""
        over = asyncio.ensure_future(collector.finish())
        hurried = asyncio.ensure_future(self._hurry.wait())
        await asyncio.wait({over, hurried}, timeout=self.grace, return_when=asyncio.FIRST_COMPLETED)
        over.cancel()
        hurried.cancel()
        for name in await self._tasks.cancel({task}):
            self._log.error("a plugin does not end when it is cancelled", task=name)


def schedule_of(config: CollectorConfig) -> schedule.Schedule | None:
    """Return a collector's ticks, or None if it is a stream."""
    if config.every is not None:
        return schedule.interval(
            config.every, offset=config.offset, jitter=config.jitter, key=config.name
        )
    if config.cron is not None:
        return schedule.cron(
            config.cron,
            zone=config.timezone or UTC,
            offset=config.offset,
            jitter=config.jitter,
            key=config.name,
        )
    return None


def naming_of(
    config: CollectorConfig, catalogue: Catalogue, *, met: Callable[[Series], object] | None = None
) -> Naming:
    """Return what makes points of a collector's readings."""
    return Naming(
        measurement=config.measurement or "reading",
        field=config.field or "value",
        tags=config.tags,
        catalogue=catalogue,
        zone=config.timezone,
        met=met,
    )
