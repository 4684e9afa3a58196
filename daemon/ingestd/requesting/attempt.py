"""One attempt at a requested run: waits for its turn, calls the plugin, waits for the readings."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ingestd.calling import Isolation
from ingestd.collecting import Collector, OutcomeInto, Pulse, Report, RunCounts
from ingestd.context import LazySession
from ingestd.errors import StoresChanged
from ingestd.records import RunRecord
from ingestd.requesting.records import RequestedRun
from ingestd.requesting.runonrequest import RunOnRequest


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """How an attempt ended.

    Attributes:
        record: The record of the run, which is kept among those of the schedule.
        document: What the plugin gave under ``result``, as JSON, or None.
    """

    record: RunRecord
    document: str | None


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One attempt, with the collector as it is configured now.

    Attributes:
        request: What was asked for.
        given: What is laid over the collector's params.
        collector: Whose plugin is called.
        processes: Where an ordinary function runs, apart from those of scheduled runs.
        begin: Called once it is its turn.
        running: The run under way, or None.
    """

    request: RequestedRun
    given: Mapping[str, Any] = field(repr=False)
    collector: Collector
    processes: Isolation
    begin: Callable[[], Awaitable[None]]
    running: RunOnRequest | None = None
    _stores_changed: bool = field(default=False, init=False)

    async def make(self) -> AttemptResult | None:
        """Run the plugin between two scheduled runs; return when its readings are safe.

        Returns:
            How that ended, or None if it has to begin anew, with the stores of a new configuration.

        Raises:
            NotNow: The collector is being stopped or replaced.
        """
        services, collector = self.collector.setup.services, self.collector
        now = services.clock.now()
        record = RunRecord(collector=collector.name, tick=now, started=now)
        async with collector.turn():
            await self.begin()
            run = await self._call(record)
        if self._stores_changed:
            return None
        if run is None or record.failed:
            return AttemptResult(record, None)
        await run.receipts.settled()
        if run.commit:
            await collector.committer.committed()
        return AttemptResult(record, run.document)

    async def _call(self, record: RunRecord) -> RunOnRequest | None:
        """Call the plugin and record how that went; return the run if there was one."""
        setup = self.collector.setup
        clock = setup.services.clock
        record.started, began = clock.now(), clock.monotonic()
        record.requested = self.request.name
        run: RunOnRequest | None = None
        http = setup.http.beside()
        try:
            with OutcomeInto(record, setup.log):
                run = self.running = await self._prepare(http)
                await self._collect(run)
                run.counts.judge(record)
            return run
        finally:
            record.seconds = clock.monotonic() - began
            self._tell(record, run.counts if run else RunCounts())
            self.running = None
            await http.close()

    async def _collect(self, run: RunOnRequest) -> None:
        try:
            await run.collect()
        except StoresChanged:
            self._stores_changed = True
            raise

    async def _prepare(self, http: LazySession) -> RunOnRequest:
        setup = self.collector.setup
        clock = setup.services.clock
        return RunOnRequest(
            plugin=await setup.plugin(),
            setup=setup,
            options=setup.call_options(
                name=setup.config.name,
                timeout=self.collector.timeout,
                processes=self.processes,
                log=setup.log.bind(requested=self.request.name),
            ),
            http=http,
            started=clock.now(),
            pulse=Pulse(began=clock.monotonic()),
            given=self.given,
            commit=self.request.commit,
        )

    def _tell(self, record: RunRecord, counts: RunCounts) -> None:
        """Keep the record among those of the schedule, without any effect on the backoff."""
        setup = self.collector.setup
        services = setup.services
        report = Report(
            self.collector.name,
            states=services.states,
            metrics=services.metrics,
            redactor=services.redactor,
            log=setup.log.bind(requested=self.request.name),
        )
        report.complete(record, counts, late=())
        record.told = setup.told_by_hosts(record)
        report.tell(record, counts, failures=int(record.failed))
