"""One collector: waits for its ticks, runs its plugin, backs off when that fails.

No two runs of a collector overlap, whoever asks for them. A run that fails
changes nothing but its record and the backoff; its neighbours never notice.
"""

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from ingestd.calling import CallOptions, Isolation, Plugin
from ingestd.clock import Alarm, Clock, wait_at_most
from ingestd.collecting.committer import StateCommitter
from ingestd.collecting.points import Naming
from ingestd.collecting.report import Report
from ingestd.collecting.run import Run, RunCounts
from ingestd.collecting.schedule import Schedule, ticks
from ingestd.collecting.windowrun import Admission, WindowRun
from ingestd.config import CollectorConfig
from ingestd.context import Context, Http, LazySession, Reader, Shared
from ingestd.contract import Host
from ingestd.delivery import Buffer
from ingestd.errors import NotNow, PluginError, PluginLoadError, RunTimeout
from ingestd.loading import Blocking, CurrentPlugin, Loader
from ingestd.metrics import Metrics
from ingestd.plugins._backoff import Backoff
from ingestd.records import Outcome, RunRecord, StateStore
from ingestd.redaction import Redactor
from ingestd.worker import Kind

SCHEDULED_TIMEOUT: Final = 300.0
BACKOFF: Final = Backoff(first=10.0, longest=300.0)
FIRST_RESTART: Final = 1.0
LONGEST_RESTART: Final = 60.0
LOOK_FOR_CHANGES: Final = 5.0
OVERSLEPT: Final = 60.0  # seconds; then nobody waits for the next tick any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What all collectors share.

    Attributes:
        reader: Where ``ctx.query`` reads, or None.
        stopping: Set once the daemon is stopping.
        blocking: Calls what blocks, in a thread of ours.
        shared: What plugins share between their collectors.
        hosts: The systems whose plugins run as they are, by the name that ``compat:`` has.
    """

    clock: Clock
    buffer: Buffer
    loader: Loader
    processes: Isolation
    threads: Isolation
    states: StateStore
    reader: Reader | None
    metrics: Metrics
    redactor: Redactor
    stopping: asyncio.Event
    blocking: Blocking
    shared: Shared
    hosts: Mapping[str, Host]
    log: Any


class Collector:
    """A configured plugin with its schedule and its memory.

    Attributes:
        config: What the operator wrote.
        schedule: Its ticks, or None for a stream.
        naming: How its readings become points; a reload may replace it.
        last: The record of the newest run that ended, or None.
        running: The run under way, or None.
        window: The run over a window of the past that goes on beside it, or None.
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
        services: Services,
    ) -> None:
        self.config, self.schedule, self.naming = config, schedule, naming
        self.committer, self.last = committer, last
        self._services, self._clock = services, services.clock
        self._log = services.log.bind(collector=config.name)
        self._http = LazySession(config.http, clock=services.clock)
        self._one_at_a_time = asyncio.Lock()
        self._alarm: Alarm | None = None
        self._current = CurrentPlugin(
            config.plugin, loader=services.loader, blocking=services.blocking, log=self._log
        )
        self._started = self._finishing = False
        self._asked: asyncio.Task[RunRecord] | None = None
        self._begin_anew = asyncio.Event()
        self._report = Report(
            config.name,
            states=services.states,
            metrics=services.metrics,
            redactor=services.redactor,
            log=self._log,
        )
        self.running: Run | None = None
        self.window: WindowRun | None = None
        self.failures = 0
        self.not_before = 0.0

    @property
    def name(self) -> str:
        """The collector's name."""
        return self.config.name

    @property
    def newest_us(self) -> int | None:
        """The newest time of a reading since the start, in microseconds, or None."""
        return self._report.newest_us

    def follow(self, before: "Collector") -> None:
        """Take over what is told of the collector in whose place this one comes."""
        self.last, self._report.newest_us = before.last, before.newest_us

    @property
    def stuck(self) -> bool:
        """Whether it should have woken for a tick long ago, and nothing keeps it from that.

        What counts is when its sleep was to end: a tick by the wall clock may be
        long due when that has just stepped or the machine was asleep.
        """
        if self._alarm is None or self._finishing or self._one_at_a_time.locked():
            return False
        return self._clock.monotonic() - self._alarm.due > OVERSLEPT

    async def run(self) -> None:
        """Run the plugin on its schedule, or as a stream, until cancelled."""
        self._started = True
        try:
            if self.schedule is None:
                await self._stream()
            else:
                await self._scheduled(self.schedule)
        finally:
            if self._asked is not None:
                self._asked.cancel()
                await asyncio.wait({self._asked})
            await self._http.close()

    async def finish(self) -> None:
        """Start no more runs; return when the one under way may be cancelled.

        A stream may be at once, since it would go on for ever.
        """
        self._finishing = True
        if self.schedule is not None:
            async with self._one_at_a_time:
                return

    async def run_now(self) -> RunRecord:
        """Run once, apart from the schedule, when no other run is under way.

        The run belongs to the collector: it goes on when nobody waits for it any more.

        Raises:
            NotNow: It runs all the time, was asked already, or is being replaced.
        """
        if self.schedule is None:
            raise NotNow(f"{self.name}: expected a collector with a schedule, got a stream")
        if self._asked is not None and not self._asked.done():
            raise NotNow(f"{self.name}: a run that was asked for has not ended yet")
        if self._finishing or not self._started:
            raise NotNow(f"{self.name}: is being stopped or replaced")
        asked = self._asked = asyncio.create_task(
            self._execute(self._clock.now()), name=f"ingestd[{self.name}].asked"
        )
        await asyncio.wait({asked})
        if asked.cancelled():
            raise NotNow(f"{self.name}: was stopped before the run came to its end")
        return asked.result()

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

    def note(self) -> None:
        """Bring the metrics up to date with the run under way; a stream's may take years."""
        if self.running is not None:
            self._report.note(self.running.counts)

    async def plugin(self) -> Plugin:
        """Return the plugin as it is now.

        Raises:
            PluginLoadError: It does not load, or is not of the kind that the schedule needs.
        """
        plugin = await self._current.get()
        if self.schedule is None and plugin.kind is not Kind.GENERATOR:
            raise PluginLoadError(
                f"{self.config.plugin}: expected an async generator, because the collector has "
                f"neither every: nor cron:, got a {plugin.kind.value}"
            )
        return plugin

    def session_beside(self) -> LazySession:
        """Return a session for what goes on beside the runs, whose rate it shares."""
        return self._http.beside()

    async def window_run(
        self, *, admission: Admission, processes: Isolation, log: Any
    ) -> WindowRun:
        """Prepare a run over a window of the past, which may go on beside the others.

        Args:
            admission: Says when its readings may be handed over.
            processes: Where an ordinary function runs, apart from the other runs.
            log: Takes what the plugin logs.

        Raises:
            PluginError: The plugin does not load, or takes no window.
        """
        plugin = await self.plugin()
        if not plugin.wants_window:
            raise PluginError(
                f"{self.config.plugin}: expected a run that declares start and end, so that it "
                f"can be given a window, got {', '.join(plugin.parameters.names) or 'none'}"
            )
        options = self._call_options(
            # Of its own: what keeps an earlier window busy does not keep the other runs away.
            name=f"{self.name}.backfill",
            timeout=self.config.timeout,
            processes=processes,
            log=log,
        )
        return WindowRun(plugin=plugin, **self._parts(options), admission=admission)

    def extras(
        self,
        run: Run,
        *,
        http: Http,
        log: Any,
        window: tuple[datetime | None, datetime | None] = (None, None),
    ) -> dict[str, Any]:
        """Return the arguments of a run that only the daemon can give."""
        extras: dict[str, Any] = {
            name: None if seconds is None else timedelta(seconds=seconds)
            for name, seconds in self.config.revisits.items()
            if run.plugin.wants(name)
        }
        if run.plugin.wants_window:
            extras |= dict(zip(("start", "end"), window, strict=True))
        if run.plugin.wants_ctx:
            extras["ctx"] = Context(
                collector=self.name,
                log=log,
                clock=self._clock,
                receipts=run.receipts,
                stopping=self._services.stopping,
                reader=self._services.reader,
                http=http,
                shared=self._services.shared,
                keep=run.keep_hidden,
            )
        return extras

    async def _scheduled(self, schedule: Schedule) -> None:
        last = self.last.tick if self.last else None
        self._alarm = Alarm(self._clock)
        every = ticks(schedule, self._alarm, last=last, catch_up=self.config.catch_up)
        async with aclosing(every):
            async for tick, missed in every:
                if self._finishing:
                    return
                backing_off = self._clock.monotonic() < self.not_before
                if missed or backing_off:
                    self._services.metrics.missed.labels(self.name).inc(missed + backing_off)
                if not backing_off:
                    await self._execute(tick)

    async def _stream(self) -> None:
        pause = FIRST_RESTART
        while not self._finishing:
            began = self._clock.monotonic()
            if await self._run_until_edited() or self._clock.monotonic() - began > LONGEST_RESTART:
                pause = FIRST_RESTART
            await self._clock.sleep(pause)
            pause = min(pause * 2, LONGEST_RESTART)

    async def _run_until_edited(self) -> bool:
        """Run the stream until it ends or its plugin changes; return whether that did."""
        run = asyncio.create_task(
            self._execute(self._clock.now()), name=f"ingestd[{self.name}].stream"
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
            if self.running is not None and await self._current.edited(self.running.plugin):
                return

    async def _execute(self, tick: float) -> RunRecord:
        """Run the plugin once and record how it went."""
        async with self._one_at_a_time:
            services, clock = self._services, self._clock
            record = RunRecord(collector=self.name, tick=tick, started=clock.now())
            began = clock.monotonic()
            services.metrics.start_lag.observe(max(0.0, record.started - tick))
            try:
                run = await self._prepare()
                self.running = run
                await run.collect(self.extras(run, http=self._http, log=self._log))
                record.outcome = Outcome.DEGRADED if run.counts.degraded else Outcome.OK
            except asyncio.CancelledError:
                record.outcome, record.error = Outcome.CANCELLED, "the daemon stopped it"
                raise
            except PluginError as error:
                timed_out = isinstance(error, RunTimeout)
                record.outcome = Outcome.TIMEOUT if timed_out else Outcome.FAILED
                record.error, record.details, record.output = (
                    str(error),
                    error.details,
                    error.output,
                )
            except Exception as bug:  # noqa: BLE001 -- border: nothing a plugin does may stop its neighbours
                self._log.exception("a run met a bug of the daemon")
                record.outcome, record.error = Outcome.FAILED, f"bug in the daemon: {bug!r:.200}"
            finally:
                record.seconds = clock.monotonic() - began
                self._close(record, self.running.counts if self.running else RunCounts())
                self.running = None
            return record

    async def _prepare(self) -> Run:
        scheduled = self.schedule is not None
        options = self._call_options(
            name=self.name,
            timeout=self.config.timeout or (SCHEDULED_TIMEOUT if scheduled else None),
            processes=self._services.processes,
            log=self._log,
        )
        return Run(plugin=await self.plugin(), **self._parts(options))

    def _call_options(
        self,
        *,
        name: str,
        timeout: float | None,
        processes: Isolation,
        log: Any,
    ) -> CallOptions:
        threads = self.config.isolation == "thread"
        return CallOptions(
            name=name,
            timeout=timeout,
            memory_limit=self.config.memory_limit,
            isolation=self._services.threads if threads else processes,
            log=log,
            host=self._host(),
        )

    def _host(self) -> Host | None:
        host = self._services.hosts.get(self.config.compat or "")
        return host and host.configured(self.config.settings)

    def _parts(self, options: CallOptions) -> dict[str, Any]:
        """Return what every run of this collector is made of."""
        services = self._services
        return {
            "options": options,
            "params": self.config.params,
            "naming": lambda: self.naming,
            "committer": self.committer,
            "buffer": services.buffer,
            "clock": self._clock,
            "redactor": services.redactor,
            "fingerprint": services.states.fingerprint,
            "started": self._clock.now(),
        }

    def _close(self, record: RunRecord, counts: RunCounts) -> None:
        """Complete the record of a run, decide on the backoff, and tell everybody."""
        self._report.complete(record, counts)
        record.told = {
            name: host.told(record) if name == self.config.compat else {}
            for name, host in self._services.hosts.items()
        }
        self.last = record
        self.failures = self.failures + 1 if record.failed else 0
        self.not_before = 0.0
        if self.failures > 1:  # after one failure the next tick is soon enough
            self.not_before = self._clock.monotonic() + BACKOFF.pause(self.failures - 1)
        self._report.tell(record, counts, failures=self.failures)
