"""One backfill: gives a plugin one window after the other, and moves on when they are safe.

Theory of operation. A backfill is the work that can best wait, so it
yields to everything else: it goes on only while every store is up and without a
backlog, since its source keeps the data and the spool is for what has nowhere
else to be. A store that goes away in the middle of a window gets a little
patience; then the window is given up, so that the plugin holds no connection and no turn
at its server for as long as the store stays away, and begun anew afterwards.

The position moves, in memory and on disk, when every point of a window is safe. A
window that fails is tried again for ever, after growing pauses: an operator can
mend a server, a password, or the plugin. Only one that takes longer than the
collector's timeout, or holds more than a process can hand over, would never work: it
is halved, until its pieces can be read.
"""

import asyncio
import math
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

from ingestd.backfilling.records import BackfillRecord, Status
from ingestd.backfilling.windowrun import WindowRun
from ingestd.backfilling.windows import SHORTEST_WINDOW, Span, format_window, next_window
from ingestd.calling import Isolation
from ingestd.clock import Clock, wait_at_most
from ingestd.collecting import Collector, Pulse
from ingestd.contract import safe_repr
from ingestd.errors import NotNow, PluginError, ResultTooLarge, RunTimeout, StoresChanged
from ingestd.metrics import Metrics
from ingestd.model import Receipt
from ingestd.plugins._backoff import Backoff
from ingestd.redaction import Redactor
from ingestd.tasks import is_being_cancelled

BACKOFF: Final = Backoff(first=10.0, longest=300.0)
LOOK_AT_STORES: Final = 1.0  # seconds
STORE_PATIENCE: Final = 30.0  # seconds
WITH_EASE: Final = 0.25  # of the timeout
KEEP_SMALL: Final = 8  # windows after one that held too much; those beside it hold as much
FAILED: Final = "failed, and is tried again every few minutes"
TOO_LONG: Final = "is too long, and is tried again in shorter windows"


class ReadingRate:
    """Keeps to a number of readings in a second.

    Attributes:
        rate: That number, or None for no limit.
    """

    def __init__(self, rate: float | None, *, clock: Clock) -> None:
        self.rate, self._clock = rate, clock
        self._next = clock.monotonic()

    async def turn(self, readings: int) -> None:
        """Return when so many readings more may come."""
        if self.rate is None:
            return
        now = self._clock.monotonic()
        start = max(now, self._next)
        self._next = start + readings / self.rate
        if start > now:
            await self._clock.sleep(start - now)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillServices:
    """What all backfills share.

    Attributes:
        behind: Tells why they should wait, or returns an empty string.
        processes: Where ordinary functions run, apart from those of scheduled runs.
    """

    behind: Callable[[], str]
    processes: Isolation
    clock: Clock
    metrics: Metrics
    redactor: Redactor
    log: Any


class Backfill:
    """The work on one backfill, with its collector as it is configured now.

    Args:
        record: How far it has come; brought up to date as it gets on.
        collector: Whose plugin reads the windows.
        save: Brings the record to the disk.
        services: What it shares with the others.

    Attributes:
        running: The run over the window under way, or None.
    """

    def __init__(
        self,
        record: BackfillRecord,
        collector: Collector,
        *,
        save: Callable[[BackfillRecord], Awaitable[None]],
        services: BackfillServices,
    ) -> None:
        self.record, self.collector = record, collector
        self._save, self._services, self._clock = save, services, services.clock
        self._log = services.log.bind(collector=record.collector, backfill=record.id)
        self._http = collector.setup.http.beside()
        self._pace = ReadingRate(record.rate, clock=services.clock)
        self._longest = record.chunk  # seconds that a window may be long to be read in time
        self._keep_small = 0  # so many windows do not grow, however easily they are read
        self._again, self._stopping = asyncio.Event(), False
        self.running: WindowRun | None = None

    async def run(self) -> bool:
        """Read window after window; return whether that was all."""
        try:
            while window := self._next_window():
                await self._wait_for_idle_stores()
                if self._stopping:
                    return False
                await self._attempt(window)
            return True
        finally:
            await self._http.close()

    def stop(self) -> None:
        """Begin no other window; the one under way goes on."""
        self._stopping = True
        self._again.set()

    def hurry(self) -> None:
        """Take the rate of the record, and try again now what has failed."""
        self._pace.rate = self.record.rate
        self._again.set()

    @property
    def portion(self) -> int:
        """The most readings that are handed over at a time: those of a second, at a rate."""
        return sys.maxsize if self._pace.rate is None else max(1, int(self._pace.rate))

    async def admit(self, readings: int) -> None:
        """Return when so many readings may be handed over.

        Raises:
            NotNow: A store has gone away, and does not come back soon.
        """
        await self._pace.turn(readings)
        await self._until_stores_are_back()
        self._services.metrics.backfill_readings.labels(self.record.collector).inc(readings)

    async def within_patience(self, put: Awaitable[Receipt]) -> Receipt:
        """Return what comes of handing points over, which may have to wait for room.

        Raises:
            NotNow: A store has gone away, and does not come back soon.
        """
        handing_over = asyncio.ensure_future(put)
        watching = asyncio.ensure_future(self._watch_stores())
        both = handing_over, watching
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            return await (handing_over if handing_over.done() else watching)
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    async def _watch_stores(self) -> NoReturn:
        while True:
            await self._until_stores_are_back()
            await self._clock.sleep(LOOK_AT_STORES)

    async def _until_stores_are_back(self) -> None:
        patient_until = self._clock.monotonic() + STORE_PATIENCE
        while why := self._services.behind():
            if self._clock.monotonic() >= patient_until:
                raise NotNow(why)
            self._stand(Status.PAUSED, f"{why}; it goes on afterwards")
            await self._clock.sleep(LOOK_AT_STORES)
        self._stand(Status.RUNNING)

    def _next_window(self) -> Span | None:
        record = self.record
        return next_window(record.spans, chunk=self._longest, position=record.position)

    async def _wait_for_idle_stores(self) -> None:
        """Return when the stores have nothing better to do, or it is to stop."""
        while not self._stopping and (why := self._services.behind()):
            self._stand(Status.PAUSED, f"{why}; it goes on afterwards")
            await wait_at_most(self._again, LOOK_AT_STORES, clock=self._clock)
            self._again.clear()
        self._stand(Status.RUNNING)

    async def _attempt(self, window: Span) -> None:
        try:
            await self._read(window)
        except (NotNow, StoresChanged) as error:  # a store went away, for a while or for good
            self._stand(Status.PAUSED, str(error))
        except (RunTimeout, ResultTooLarge) as error:
            self._longest = max(SHORTEST_WINDOW, (window[1] - window[0]) / 2)
            if isinstance(error, ResultTooLarge):
                self._keep_small = KEEP_SMALL
            await self._failed(window, str(error), TOO_LONG)
        except PluginError as error:
            await self._failed(window, str(error))
        except (asyncio.CancelledError, GeneratorExit) as end:
            if isinstance(end, GeneratorExit) or is_being_cancelled():
                raise
            await self._met_a_bug(window, end)
        except BaseException as bug:  # noqa: BLE001 -- border: no plugin may stop the others
            await self._met_a_bug(window, bug)

    async def _met_a_bug(self, window: Span, bug: BaseException) -> None:
        text = "a window met a bug of the daemon"
        self._log.error(text, window=format_window(window), exc_info=bug)
        await self._failed(window, f"bug in the daemon: {safe_repr(bug)}")

    async def _read(self, window: Span) -> None:
        """Read a window, and move on when all of it is safe."""
        run = self.running = await self._prepare(window)
        began = asyncio.get_running_loop().time()  # as the deadline does
        try:
            await run.collect()
            self._reach_out(asyncio.get_running_loop().time() - began)
            await run.receipts.settled()
        finally:
            self.running = None
        await self._move_on(run, window)

    async def _prepare(self, window: Span) -> WindowRun:
        """Make the run over a window, which may go on beside the scheduled ones.

        Raises:
            PluginError: The plugin does not load, or takes no window.
        """
        setup = self.collector.setup
        plugin = await setup.plugin()
        if not plugin.wants_window:
            raise PluginError(
                f"{setup.config.plugin}: expected a run that declares start and end, so that it "
                f"can be given a window, got {', '.join(plugin.parameters.names) or 'none'}"
            )
        start, end = (datetime.fromtimestamp(time, tz=UTC) for time in window)
        return WindowRun(
            plugin=plugin,
            setup=setup,
            options=setup.call_options(
                # Of its own: what keeps an earlier window busy does not keep the runs away.
                name=f"{setup.config.name}.backfill",
                timeout=setup.config.timeout,
                processes=self._services.processes,
                log=self._log,
            ),
            http=self._http,
            started=self._clock.now(),
            pulse=Pulse(began=self._clock.monotonic()),
            admission=self,
            span=(start, end),
        )

    def _reach_out(self, seconds: float) -> None:
        """Let windows that were halved grow again, if one has ended long before its deadline."""
        if self._keep_small:
            self._keep_small -= 1
        elif seconds < (self.collector.config.timeout or math.inf) * WITH_EASE:
            self._longest = min(self.record.chunk, self._longest * 2)

    async def _move_on(self, run: WindowRun, window: Span) -> None:
        record, counts = self.record, run.counts
        if record.failures:
            self._log.info("backfill works again", failures=record.failures)
        record.failures, record.error = 0, ""
        record.position = window[1]
        record.readings += counts.readings
        record.points += counts.points
        record.unusable = dict(counts.unusable + Counter(record.unusable))
        if counts.degraded:
            problem = f"{format_window(window)}: {self._masked(counts.degraded)}"
            record.note_problem(problem, counts.unread)
        self._log.debug("window is safe", window=format_window(window), readings=counts.readings)
        await self._save(record)

    async def _failed(self, window: Span, error: str, what: str = FAILED) -> None:
        """Note why a window failed, and wait for a while."""
        record, error = self.record, self._masked(error)
        if error != record.error:
            self._log.warning("backfill fails", window=format_window(window), error=error)
        record.failures, record.error = record.failures + 1, error
        self._stand(Status.RUNNING, f"{format_window(window)} {what}")
        pause = BACKOFF.pause(record.failures)
        await wait_at_most(self._again, pause, clock=self._clock)
        self._again.clear()

    def _masked(self, text: str) -> str:
        return self._services.redactor.text(text, owner=self.record.collector)

    def _stand(self, status: Status, why: str = "") -> None:
        """Say how the backfill stands, unless other work has taken its place and says it."""
        if not self._stopping:
            self.record.status, self.record.why = status, why
