"""One collector: waits for its ticks, runs its plugin, backs off when that fails.

No two runs of a collector overlap: those of its schedule and those that are asked for
take turns. A run that fails changes nothing but its record and the backoff; its
neighbours never notice.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import aclosing, asynccontextmanager
from enum import Enum
from typing import Final

from ingestd.clock import Alarm, wait_at_most
from ingestd.collecting.committer import StateCommitter
from ingestd.collecting.outcomes import OutcomeInto
from ingestd.collecting.points import Naming
from ingestd.collecting.report import Report
from ingestd.collecting.run import Run, RunCounts
from ingestd.collecting.schedule import Schedule, ticks
from ingestd.collecting.services import Services
from ingestd.collecting.setup import RunSetup
from ingestd.collecting.vitals import Course, Pulse, Vitals
from ingestd.config import CollectorConfig
from ingestd.errors import NotNow
from ingestd.health import CollectorFacts, KnownSeries, PaceKept, SeriesKey
from ingestd.plugins._backoff import Backoff
from ingestd.records import GOOD_OUTCOMES, Outcome, Paces, RunRecord

SCHEDULED_TIMEOUT: Final = 300.0  # seconds, unless the operator gives a timeout
BACKOFF: Final = Backoff(first=10.0, longest=300.0)
RESTART: Final = Backoff(first=1.0, longest=60.0)  # of a stream that ended
LOOK_FOR_CHANGES: Final = 5.0  # seconds
OVERSLEPT: Final = 60.0  # seconds behind the end of a sleep; the task that slept is dead by then


class Stage(Enum):
    """Where a collector stands in its life."""

    MADE = "not started yet"
    WAITING = "waits for its next run"
    RUNNING = "a run is under way"
    STOPPING = "begins no more runs"


class Collector:
    """A configured plugin with its schedule and its memory.

    Attributes:
        config: What the operator wrote.
        setup: What its runs are made of, those of its backfills included.
        schedule: Its ticks, or None for a stream.
        naming: How its readings become points; a reload may replace it.
        timeout: The plugin's own time for a run, in seconds, or None for no limit.
        last: The record of the newest run that ended, or None.
        running: The run under way, or None.
        failures: How many runs have failed in a row.
        not_before: Until when it backs off, in monotonic seconds.
    """

    def __init__(
        self,
        config: CollectorConfig,
        *,
        schedule: Schedule | None,
        naming: Naming,
        committer: StateCommitter,
        last: RunRecord | None,
        vitals: Vitals,
        services: Services,
    ) -> None:
        self.config, self.schedule, self.naming, self.last = config, schedule, naming, last
        self._services, self._clock = services, services.clock
        self.setup = RunSetup.of(
            config,
            services=services,
            committer=committer,
            watch=vitals.watch,
            naming=lambda: self.naming,
        )
        self.timeout = config.timeout or (None if schedule is None else SCHEDULED_TIMEOUT)
        self._options = self.setup.call_options(
            name=config.name,
            timeout=self.timeout,
            processes=services.processes,
            log=self.setup.log,
        )
        self._vitals = vitals
        if last is not None and last.outcome in GOOD_OUTCOMES:
            vitals.succeeded_at = last.started + last.seconds
        self._stage = Stage.MADE
        self._one_at_a_time = asyncio.Lock()
        self._alarm = Alarm(services.clock)
        self._asked: asyncio.Task[RunRecord | None] | None = None
        self._begin_anew = asyncio.Event()
        self._report = Report(
            config.name,
            states=services.states,
            metrics=services.metrics,
            redactor=services.redactor,
            log=self.setup.log,
        )
        services.metrics.expect(config.name, Outcome)
        self.running: Run | None = None
        self.failures = 0
        self.not_before = 0.0

    @property
    def name(self) -> str:
        """The collector's name."""
        return self.config.name

    @property
    def committer(self) -> StateCommitter:
        """What the collector remembers, in memory and on disk."""
        return self.setup.committer

    @property
    def newest_us(self) -> int | None:
        """The newest time of a usable reading that is known, in microseconds, or None."""
        return self.setup.watch.newest_us

    @property
    def succeeded_at(self) -> float | None:
        """When its newest good run ended, in seconds since the Unix epoch, or None."""
        return self._vitals.succeeded_at

    @property
    def known_since(self) -> float:
        """When the collector first started as far as is known, in seconds since the epoch."""
        return self._clock.now() - (self._clock.monotonic() - self._vitals.known_since)

    @property
    def failing(self) -> bool:
        """Whether its last run failed, even if that was before the daemon started."""
        return self.last is not None and self.last.failed

    def follow(self, before: "Collector") -> None:
        """Take over what is told of the collector that this one replaces."""
        self.last = before.last
        self._vitals.follow(before._vitals)  # noqa: SLF001 -- of one class

    def _redacted(self, text: str) -> str:
        return self._services.redactor.text(text, owner=self.name)

    def moved(self) -> dict[SeriesKey, PaceKept]:
        """Return how far each series has come that has moved since this was asked last."""
        now, wall = self._clock.monotonic(), self._clock.now()
        self.setup.watch.look(now=now, wall=wall)
        return self.setup.watch.moved(now=now, wall=wall)

    def left(self) -> Paces:
        """Return how far all series have come, for the next collector of this name."""
        return self.setup.watch.left(now=self._clock.monotonic(), wall=self._clock.now())

    def series(self, only: Iterable[SeriesKey] | None = None) -> Iterator[KnownSeries]:
        """Yield series that the collector has given with what is known of them: all, or some."""
        return self._vitals.series(only)

    def series_keys(self) -> Iterable[SeriesKey]:
        """Return what the series that it has given are known by."""
        return self.setup.watch.keys()

    def forget_series(self, key: SeriesKey) -> bool:
        """Forget a series that was taken away; return whether it was known."""
        return self.setup.watch.forget(key)

    def facts(self, *, blocked: str = "") -> CollectorFacts:
        """Return what is known of how it is.

        Args:
            blocked: The line with which it held up the event loop, or an empty string.
        """
        run, last = self.running, self.last
        degraded = run.counts.degraded if run and self.schedule is None else ""
        return self._vitals.facts(
            Course(
                pulse=run.pulse if run else None,
                unusable=self._redacted(run.counts.unusable_text())
                if run and run.counts.unusable
                else "",
                last=last,
                failures=self.failures,
                retry_in=max(0.0, self.not_before - self._clock.monotonic()),
                degraded=self._redacted(degraded)
                or (last.degraded if last and self.schedule is not None else ""),
                full=self._services.buffer.full,
                blocked=blocked,
            )
        )

    @property
    def stuck(self) -> bool:
        """Whether the schedule should have woken long ago, and no run or stop keeps it from that.

        What counts is when its sleep was to end: a tick by the wall clock may be
        long due when that has just stepped or the machine was asleep.
        """
        if self.schedule is None or self._stage is not Stage.WAITING:
            return False
        return self._clock.monotonic() - self._alarm.due > OVERSLEPT

    async def run(self) -> None:
        """Run the plugin on its schedule, or as a stream, until cancelled."""
        if self._stage is Stage.MADE:
            self._stage = Stage.WAITING
        try:
            if self.schedule is None:
                await self._stream()
            else:
                await self._scheduled(self.schedule)
        finally:
            if self._asked is not None:
                self._asked.cancel()
                await asyncio.wait({self._asked})
            await self.setup.http.close()

    async def stop(self) -> None:
        """Start no more runs; return when the one under way may be cancelled.

        A stream may be at once, since it would go on for ever.
        """
        self._stage = Stage.STOPPING
        if self.schedule is not None:
            async with self._one_at_a_time:
                return

    async def run_now(self) -> RunRecord:
        """Run once, apart from the schedule, when no other run is under way.

        The run belongs to the collector: it goes on when the caller is cancelled.

        Raises:
            NotNow: It runs all the time, was asked already, or is being replaced.
        """
        if self.schedule is None:
            raise NotNow(f"{self.name}: expected a collector with a schedule, got a stream")
        if self._asked is not None and not self._asked.done():
            raise NotNow(f"{self.name}: a run that was asked for has not ended yet")
        if self._stage in {Stage.MADE, Stage.STOPPING}:
            raise NotNow(f"{self.name}: is being stopped or replaced")
        asked = self._asked = asyncio.create_task(
            self._take_turn(self._clock.now()), name=f"ingestd[{self.name}].asked"
        )
        await asyncio.wait({asked})
        if asked.cancelled() or (record := asked.result()) is None:
            raise NotNow(f"{self.name}: was stopped before the run came to its end")
        return record

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for the end of the run under way, and let no other begin in this context.

        Raises:
            NotNow: It is being stopped or replaced.
        """
        async with self._one_at_a_time:
            if self._stage is Stage.STOPPING:
                raise NotNow(f"{self.name}: is being stopped or replaced")
            self._move(Stage.WAITING, Stage.RUNNING)  # so that ticks wait for this, and it shows
            try:
                yield
            finally:
                self._move(Stage.RUNNING, Stage.WAITING)

    async def reset(self, *, masks: bool) -> bool:
        """Forget what it remembers, between two runs; a stream begins anew.

        Returns:
            Whether there was anything to forget; it is on disk by then.
        """
        self._begin_anew.set()
        async with self._one_at_a_time:
            self._begin_anew.clear()
            forgot = self.committer.reset(masks=masks)
        await self.committer.committed()
        return forgot

    def leave_removed_stores(self) -> None:
        """Begin a stream anew if one of its stores is gone; what it gives now would be lost.

        A scheduled run goes on: what it gives has nowhere to go, but its end comes by itself.
        """
        run = self.running
        if run is not None and self.setup.stream and self._services.buffer.missing(run.stores):
            self._begin_anew.set()

    def note(self) -> None:
        """Bring the metrics up to date with the run under way; a stream's may take years."""
        if self.running is not None:
            self._report.note(self.running.counts)

    async def _scheduled(self, schedule: Schedule) -> None:
        last = self.last.tick if self.last else None
        every = ticks(schedule, self._alarm, last=last, catch_up=self.config.catch_up)
        async with aclosing(every):
            async for tick, missed in every:
                if self._stage is Stage.STOPPING:
                    return
                backing_off = self._clock.monotonic() < self.not_before
                if missed or backing_off:
                    self._services.metrics.missed.labels(self.name).inc(missed + backing_off)
                if not backing_off:
                    await self._take_turn(tick)

    async def _stream(self) -> None:
        ends = 0  # in a row, each soon after its beginning
        while self._stage is not Stage.STOPPING:
            began = self._clock.monotonic()
            edited = await self._run_until_edited()
            lasted = self._clock.monotonic() - began > RESTART.longest
            ends = 1 if edited or lasted else ends + 1
            await self._clock.sleep(RESTART.pause(ends))

    async def _run_until_edited(self) -> bool:
        """Run the stream until it ends or its plugin changes; return whether that did."""
        self._begin_anew.clear()
        run = asyncio.create_task(
            self._take_turn(self._clock.now()), name=f"ingestd[{self.name}].stream"
        )
        edited = asyncio.create_task(self._edited(), name=f"ingestd[{self.name}].watch")
        try:
            await asyncio.wait({run, edited}, return_when=asyncio.FIRST_COMPLETED)
            return edited.done()
        finally:
            for task in (run, edited):
                task.cancel()
            await asyncio.wait({run, edited})

    async def _edited(self) -> None:
        """Return when there is a reason to begin anew: a reset, or a new version that loads."""
        while not await wait_at_most(self._begin_anew, LOOK_FOR_CHANGES, clock=self._clock):
            if self.running is not None and await self.setup.current.edited(self.running.plugin):
                return

    async def _take_turn(self, tick: float) -> RunRecord | None:
        """Run the plugin when no other run is under way; None if the collector stops before."""
        async with self._one_at_a_time:
            return None if self._stage is Stage.STOPPING else await self._execute(tick)

    async def _execute(self, tick: float) -> RunRecord:
        """Run the plugin once and record how it went."""
        services, clock = self._services, self._clock
        record = RunRecord(collector=self.name, tick=tick, started=clock.now())
        began = clock.monotonic()
        self._move(Stage.WAITING, Stage.RUNNING)
        services.metrics.start_lag.observe(max(0.0, record.started - tick))
        try:
            with OutcomeInto(record, self.setup.log):
                run = self.running = await self._prepare()
                await run.collect()
                run.counts.judge(record)
        finally:
            record.seconds = clock.monotonic() - began
            self._complete(record, self.running.counts if self.running else RunCounts())
            self.running = None
            self._move(Stage.RUNNING, Stage.WAITING)
        return record

    async def _prepare(self) -> Run:
        setup = self.setup
        return Run(
            plugin=await setup.plugin(),
            setup=setup,
            options=self._options,
            http=setup.http,
            started=self._clock.now(),
            pulse=Pulse(began=self._clock.monotonic()),
        )

    def _move(self, before: Stage, after: Stage) -> None:
        """Go from one stage to the next, unless it has begun to stop."""
        if self._stage is before:
            self._stage = after

    def _complete(self, record: RunRecord, counts: RunCounts) -> None:
        """Complete the record of a run, decide on the backoff, and tell of both."""
        if record.outcome in GOOD_OUTCOMES:
            self._vitals.went_well(self._clock.now())
        self._report.complete(record, counts, late=self._vitals.late())
        record.told = self.setup.told_by_hosts(record)
        self.last = record
        self.failures = self.failures + 1 if record.failed else 0
        self.not_before = 0.0
        if self.failures > 1:  # after one failure the next tick is soon enough
            self.not_before = self._clock.monotonic() + BACKOFF.pause(self.failures - 1)
        self._report.tell(record, counts, failures=self.failures)
