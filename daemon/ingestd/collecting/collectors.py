"""All collectors: started, replaced and stopped; what they remember outlives them."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC
from functools import partial
from typing import Any

from ingestd.clock import Clock
from ingestd.collecting import schedule as schedules
from ingestd.collecting.collector import Collector
from ingestd.collecting.committer import StateCommitter
from ingestd.collecting.instants import TimeLimits
from ingestd.collecting.points import Naming
from ingestd.collecting.schedule import Schedule
from ingestd.collecting.services import Services
from ingestd.collecting.vitals import Vitals
from ingestd.config import Catalogue, CollectorConfig
from ingestd.contract import Memory, take_apart
from ingestd.health import SeriesKey, SeriesWatch
from ingestd.model import Series
from ingestd.records import Kept, Paces, StateStore
from ingestd.tasks import Task, Tasks, first_of


@dataclass(slots=True)
class Place:
    """What there is under the name of a collector, beside the collector itself.

    Attributes:
        running: The task of the one that runs, or None.
        stopping: The end of the one that ran last and of all before it, or None if none has ended.
        committer: What they remember, once the first of them was made.
        committing: The task of the committer, or None if there is none.
        found: What was on disk when the daemon started, until there is a committer.
    """

    running: Task | None = None
    stopping: Task | None = None
    committer: StateCommitter | None = None
    committing: Task | None = None
    found: Kept | None = None


class Collectors:
    """The collectors by name.

    Args:
        states: Where their memories and records are kept.
        tasks: Where they run.
        grace: How long a run may go on when its collector has to end, in seconds.
        hurry: Set when that is to be cut short.

    Attributes:
        by_name: Those that run, or are about to.
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
        self._places: defaultdict[str, Place] = defaultdict(Place)
        # What a former daemon left of series, and when collectors ran first.
        self._paces: dict[str, Paces] = {}
        self._first_started: dict[str, float] = {}

    async def remember(self) -> None:
        """Read at once what all collectors remember, before they are started."""
        for name, kept in (await self._states.load_all()).items():
            self._places[name].found = kept
        self._paces, self._first_started = await self._states.paces()

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
        schedule = schedule_of(config)
        return Collector(
            config,
            schedule=schedule,
            naming=self._naming(config, catalogue),
            committer=await self._committer_for(config.name, services),
            last=self._states.last_runs().get(config.name),
            vitals=self._vitals(config, schedule, services.clock),
            services=services,
        )

    def start(self, collector: Collector) -> None:
        """Start a collector, in the place of the one of that name."""
        name = collector.name
        self._paces.pop(name, None)
        before, stopping = self.by_name.get(name), self._stop(name)
        if before is not None:
            collector.follow(before)
        self.by_name[name] = collector

        async def collect() -> None:
            if stopping is not None:
                await asyncio.wait({stopping})
                # Its last run may have ended only now.
                collector.last = self._states.last_runs().get(name)
            await collector.run()

        place = self._places[name]
        if place.committer is not collector.committer:  # forgotten since the collector was made
            self._commit_with(place, collector.committer)
        place.running = self._tasks.start(name, collect)

    def remove(self, name: str) -> Task | None:
        """Begin to stop a collector, and return its end; what it remembers stays."""
        self._states.keep_paces(name, self.by_name[name].moved())
        self._paces[name] = self.by_name[name].left()
        stopping = self._stop(name)
        del self.by_name[name]
        return stopping

    async def forget(self, name: str) -> None:
        """Let go of what a collector that was removed had in memory, once all of it is on disk.

        Nothing is let go of if it comes back meanwhile.
        """
        while name not in self.by_name and name in self._places:
            place = self._places[name]
            if place.committer is None or place.committer.idle:
                del self._places[name]
                if place.committing is not None:
                    await self._tasks.cancel({place.committing})
                return
            await place.committer.committed()

    def rename(self, catalogue: Catalogue) -> None:
        """Name series by another catalogue from now on."""
        for collector in self.by_name.values():
            collector.naming = self._naming(collector.config, catalogue)

    def leave_removed_stores(self) -> None:
        """Begin streams anew that would go on giving readings to stores that are gone."""
        for collector in self.by_name.values():
            collector.leave_removed_stores()

    async def stop(self) -> None:
        """Stop all collectors, letting runs under way end within the grace period."""
        for name in self.by_name:
            self._stop(name)
        if stopping := {each.stopping for each in self._places.values() if each.stopping}:
            await asyncio.wait(stopping)

    @property
    def stuck(self) -> list[str]:
        """The collectors whose schedule does not move."""
        return [name for name, each in self.by_name.items() if each.stuck]

    async def memory(self, name: str) -> Memory | None:
        """Return what a collector remembers, or None if there never was one of that name.

        Raises:
            StateError: The database failed.
        """
        if committer := self._committer(name):
            return committer.memory
        kept = await self._states.load(name)
        return None if kept.changed is None else kept.memory

    async def reset(self, name: str, *, masks: bool = False) -> bool:
        """Make a collector forget its state, running or not; say whether it had any.

        Raises:
            StateError: The database failed.
        """
        if name in self.by_name:
            return await self.by_name[name].reset(masks=masks)
        if committer := self._committer(name):
            forgot = committer.reset(masks=masks)
            await committer.committed()
            return forgot
        self._forget_found(name)
        return await self._states.reset(name, masks=masks)

    async def keep_hidden(self, name: str, hidden: Mapping[str, Any]) -> None:
        """Give the next runs of a collector secrets, beside those that it has; return when on disk.

        Raises:
            ResultError: They cannot be kept.
            StateError: The database failed.
        """
        result = take_apart({"hidden": dict(hidden)})

        def change(memory: Memory) -> Memory:
            return replace(memory, hidden={**memory.hidden, **result.hidden})

        if committer := self._committer(name):
            await committer.amend(change).wait()
        else:
            self._forget_found(name)
            await self._states.commit(name, change((await self._states.load(name)).memory))

    async def committed(self) -> None:
        """Return when everything that they remember is on disk."""
        for place in list(self._places.values()):  # a reload may be adding some
            if place.committer is not None:
                await place.committer.committed()

    async def forget_series(self, name: str, key: SeriesKey) -> bool:
        """Forget a series of a collector, so that it is late no more; say whether it was known.

        Raises:
            StateError: The database failed.
        """
        collector, paces = self.by_name.get(name), self._paces.get(name, {})
        known = collector is not None and collector.forget_series(key)
        if key in paces:  # of a collector that may come back
            self._paces[name] = {each: pace for each, pace in paces.items() if each != key}
        return await self._states.forget_series(name, key) or known

    def keep_paces(self) -> None:
        """Keep how far the series of all collectors have come, within seconds."""
        for name, collector in self.by_name.items():
            self._states.keep_paces(name, collector.moved())

    def _vitals(self, config: CollectorConfig, schedule: Schedule | None, clock: Clock) -> Vitals:
        watch = SeriesWatch(config.cadence)
        watch.resume(self._paces.get(config.name, {}), now=clock.monotonic())
        first_started = self._first_started.get(config.name)
        return Vitals(config, schedule, watch=watch, clock=clock, first_started=first_started)

    def _naming(self, config: CollectorConfig, catalogue: Catalogue) -> Naming:
        return naming_of(config, catalogue, met=partial(self._states.note_series, config.name))

    def _committer(self, name: str) -> StateCommitter | None:
        return self._places[name].committer if name in self._places else None

    async def _committer_for(self, name: str, services: Services) -> StateCommitter:
        """Return what holds the memory of a name, made when it is first wanted."""
        place = self._places[name]
        if place.committer is None:
            kept, place.found = place.found or await self._states.load(name), None
            log = self._log.bind(collector=name)
            if kept.damage:
                log.error("state was damaged", problem=kept.damage)
            services.redactor.add(kept.memory.hidden.values(), owner=name)
            committer = StateCommitter(
                name, kept.memory, store=self._states, clock=services.clock, log=log
            )
            self._commit_with(place, committer)
            return committer
        return place.committer

    def _forget_found(self, name: str) -> None:
        """Have what is on disk read again when it is wanted: it is about to change."""
        if name in self._places:
            self._places[name].found = None

    def _commit_with(self, place: Place, committer: StateCommitter) -> None:
        """Begin to commit what collectors of a name remember."""
        place.committer = committer
        place.committing = self._tasks.start(f"{committer.collector}.commit", committer.run)

    def _stop(self, name: str) -> Task | None:
        """Begin to stop the collector of a name; return the end of it and of all before it.

        A task of its own does it, because the collector that waits for it may
        itself be replaced meanwhile, and must not leave the first one running.
        """
        place = self._places[name]
        task, earlier = place.running, place.stopping
        if task is None:
            return earlier
        collector, place.running = self.by_name[name], None

        async def stop() -> None:
            await self._end_run(collector, task)
            if earlier is not None:
                await asyncio.wait({earlier})

        place.stopping = self._tasks.start(f"{name}.stop", stop)
        return place.stopping

    async def _end_run(self, collector: Collector, task: Task) -> None:
        """Let the run under way come to its end, if it can, and cancel the rest."""
        await first_of(collector.stop(), self._hurry, within=self.grace)
        for name in await self._tasks.cancel({task}):
            self._log.error("a plugin does not end when it is cancelled", task=name)


def schedule_of(config: CollectorConfig) -> Schedule | None:
    """Return a collector's ticks, or None if it is a stream."""
    if config.every is not None:
        return schedules.interval(
            config.every, offset=config.offset, jitter=config.jitter, key=config.name
        )
    if config.cron is not None:
        return schedules.cron(
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
        limits=TimeLimits(config.not_before, config.not_after),
        met=met,
    )
