"""All backfills: asked for, gone on with after a start or a reload, cancelled, stopped.

One of each collector is unfinished at most. It belongs to the collector's name:
when that is configured anew, the window under way is begun again with the new
configuration; while there is no such collector, the backfill pauses.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from ingestd.backfilling import windows
from ingestd.backfilling.absent import Absence
from ingestd.backfilling.backfill import Backfill, BackfillServices
from ingestd.backfilling.records import BackfillRecord, Status
from ingestd.backfilling.store import BackfillStore
from ingestd.backfilling.windowrun import WindowRun
from ingestd.backfilling.windows import DEFAULT_CHUNK, Span
from ingestd.calling import Plugin
from ingestd.collecting import Collector, Collectors
from ingestd.disk import Database
from ingestd.errors import NotNow, NotPossible, PluginLoadError
from ingestd.tasks import Task, Tasks, first_of

NO_COLLECTOR: Final = "its collector is disabled, or no longer configured"


@dataclass(slots=True)
class Unfinished:
    """A backfill that is neither done nor cancelled, and what goes on for it.

    Attributes:
        record: How far it has come.
        work: What reads its windows now, or None while it rests.
        task: Where that goes on.
        stopping: The end of the work before and of all work before that, or None.
        cancelling: The end of its cancellation, or None unless that has begun.
        over: Set when it is done or cancelled.
    """

    record: BackfillRecord
    work: Backfill | None = None
    task: Task | None = None
    stopping: Task | None = None
    cancelling: Task | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Backfills:
    """The backfills of a daemon.

    Args:
        collectors: Whose plugins read.
        tasks: Where the work goes on.
        hurry: Set when the wait for the end of a window is to be cut short.
        services: What the work needs besides.
    """

    def __init__(
        self,
        *,
        collectors: Collectors,
        database: Database,
        tasks: Tasks,
        hurry: asyncio.Event,
        services: BackfillServices,
    ) -> None:
        self._collectors, self._tasks = collectors, tasks
        self._hurry, self._services = hurry, services
        self._clock, self._log = services.clock, services.log
        self._store = BackfillStore(database, clock=services.clock, log=services.log)
        self._unfinished: dict[int, Unfinished] = {}
        self._asking = asyncio.Lock()
        self._stopping = False

    async def remember(self) -> None:
        """Learn which backfills the last daemon did not finish; ``follow`` goes on with them.

        Raises:
            StateError: The database failed.
        """
        for record in await self._store.unfinished():
            self._unfinished[record.id] = Unfinished(record)

    def follow(self) -> None:
        """Go on with the collectors as they are now."""
        for each in self._unfinished.values():
            if self._go_on(each):
                record = each.record
                self._log.info(
                    "backfill goes on",
                    collector=record.collector,
                    backfill=record.id,
                    done=round(record.done, 3),
                )

    @property
    def unfinished(self) -> Sequence[BackfillRecord]:
        """The backfills that are neither done nor cancelled, in the order of their numbers."""
        return [each.record for each in self._unfinished.values()]

    @property
    def windows(self) -> dict[str, WindowRun]:
        """The runs over windows that are under way, by the names of their collectors.

        The thread that watches the event loop reads this, too, so nothing is read twice.
        """
        return {
            work.record.collector: run
            for each in list(self._unfinished.values())
            if (work := each.work) is not None and (run := work.running) is not None
        }

    def told(self, record: BackfillRecord) -> dict[str, Any]:
        """Return a backfill for a listing, with what its window under way has given so far."""
        shape, found = record.as_dict(), self._unfinished.get(record.id)
        if found and found.work and found.work.running:
            counts = found.work.running.counts
            shape["readings"] += counts.readings
            shape["points"] += counts.points
        return shape

    async def ask(
        self,
        collector: str,
        spans: Sequence[Span],
        *,
        chunk: float = DEFAULT_CHUNK,
        rate: float | None = None,
    ) -> BackfillRecord:
        """Begin to read spans of time anew, or go on with them if that was asked before.

        Args:
            collector: The name of one that runs.
            spans: Starts and ends in seconds since the Unix epoch, in order and apart.
            chunk: The longest window that the plugin is given, in seconds.
            rate: The most readings in a second, or None for no limit.

        Raises:
            NotPossible: The spans are none or in the future, the chunk is shorter than
                readings are apart, or the plugin takes no window.
            NotNow: The collector has an unfinished one already, or does not run.
            StateError: The database failed.
        """
        if problem := windows.fault(spans, chunk=chunk, rate=rate, now=self._clock.now()):
            raise NotPossible(problem)
        spans = tuple((float(start), float(end)) for start, end in spans)
        async with self._asking:
            if unfinished := self._of(collector):
                return await self._asked_again(unfinished, spans, chunk=chunk, rate=rate)
            await self._check(collector, spans, chunk)
            record = BackfillRecord(
                collector=collector,
                spans=spans,
                chunk=chunk,
                rate=rate,
                asked=self._clock.now(),
                position=spans[0][0],
            )
            return await self._begin(record)

    async def cancel(self, number: int) -> BackfillRecord | None:
        """Give a backfill up; what was read stays. Return it, or None if there is none.

        Raises:
            NotNow: It is done already.
        """
        if number in self._unfinished:
            await asyncio.wait({self._cancel(self._unfinished[number])})
        found = await self.find(number)
        if found is not None and found.status is Status.DONE:
            raise NotNow(f"backfill {number}: is done already")
        return found

    async def ended(self, number: int) -> BackfillRecord | None:
        """Wait until a backfill is done or cancelled; return it, or None if there is none.

        Raises:
            StateError: The database failed.
        """
        if number in self._unfinished:
            await self._unfinished[number].over.wait()
        return await self.find(number)

    async def find(self, number: int) -> BackfillRecord | None:
        """Return a backfill, or None if there is none of that number, or no longer.

        Raises:
            StateError: The database failed.
        """
        if number in self._unfinished:
            return self._unfinished[number].record
        return await self._store.find(number)

    async def listed(self, collector: str | None = None, *, limit: int) -> list[BackfillRecord]:
        """Return the newest backfills of a collector, or of all, newest first.

        Raises:
            StateError: The database failed.
        """
        found = await self._store.newest(collector, limit=limit)
        current = {number: each.record for number, each in self._unfinished.items()}
        return [current.get(each.id, each) for each in found]

    async def note_absent(self, collector: str, found: Sequence[Absence]) -> None:
        """Keep what the source of a collector has been asked for and does not have.

        Raises:
            StateError: The database failed.
        """
        await self._store.add_absences(collector, found)

    async def absent(self, collector: str) -> list[Absence]:
        """Return what the source of a collector is known not to have.

        Raises:
            StateError: The database failed.
        """
        return await self._store.absences(collector)

    async def stop(self) -> None:
        """Let windows under way come to their end within the grace period; begin no others."""
        self._stopping = True
        under_way = set()
        for each in self._unfinished.values():
            if each.work is not None and each.task is not None:
                each.work.stop()
                under_way.add(each.task)
        if under_way:
            grace = self._collectors.grace
            await first_of(asyncio.wait(under_way), self._hurry, within=grace)
        await self._cancel_tasks(under_way)

    # -- one of them

    def _of(self, collector: str) -> Unfinished | None:
        """Return the unfinished backfill of a collector, or None."""
        found = (each for each in self._unfinished.values() if each.record.collector == collector)
        return next(found, None)

    async def _begin(self, record: BackfillRecord) -> BackfillRecord:
        """Write a new backfill, and begin to work on it.

        Raises:
            StateError: The database failed.
        """
        await self._store.add(record)
        self._unfinished[record.id] = asked = Unfinished(record)
        self._log.info(
            "backfill begins",
            collector=record.collector,
            backfill=record.id,
            span=windows.format_window((record.spans[0][0], record.spans[-1][1])),
        )
        self._go_on(asked)
        return record

    async def _asked_again(
        self, unfinished: Unfinished, spans: Sequence[Span], *, chunk: float, rate: float | None
    ) -> BackfillRecord:
        record = unfinished.record
        if unfinished.cancelling is not None:
            raise NotNow(f"{record.collector}: its backfill {record.id} is being cancelled")
        if (record.spans, record.chunk) != (spans, chunk):
            raise NotNow(
                f"{record.collector}: its backfill {record.id} is not finished yet; wait for "
                "its end, or cancel it"
            )
        record.rate = rate
        await self._store.save(record)
        if unfinished.work is not None:
            unfinished.work.hurry()
        return record

    async def _check(self, name: str, spans: Sequence[Span], chunk: float) -> None:
        """Refuse a collector that cannot read windows, or not such short ones."""
        collector = self._collectors.by_name.get(name)
        if collector is None or self._stopping:
            raise NotNow(f"{name}: is disabled, has not been started yet, or is being stopped")
        try:
            plugin = await collector.setup.plugin()
        except PluginLoadError as error:
            raise NotPossible(str(error)) from error
        if not plugin.wants_window:
            raise NotPossible(
                f"{name}: expected a plugin whose run declares start and end, so that it can be "
                f"given a window; {plugin.name} does not"
            )
        if problems := await self._problems(collector, plugin, spans):
            raise NotPossible(f"{name}: cannot be backfilled: {'; '.join(problems)}")
        cadence = collector.setup.config.cadence
        if windows.too_short(chunk, cadence):
            raise NotPossible(
                f"chunk: expected at least {cadence:g} s, for so far are the readings of {name} "
                f"apart (cadence), got {chunk:g}"
            )

    async def _problems(
        self, collector: Collector, plugin: Plugin, spans: Sequence[Span]
    ) -> list[str]:
        """Return what a plugin says is wrong with its params if it is given a window."""
        start, end = (datetime.fromtimestamp(time, UTC) for time in (spans[0][0], spans[-1][1]))
        setup = collector.setup
        given, services = setup.config.params, setup.services
        asked = [given, {**given, "start": start, "end": end}]
        try:
            known, found = await services.blocking(services.loader.problems, plugin, asked)
        except PluginLoadError as error:
            raise NotPossible(str(error)) from error
        return [
            services.redactor.text(each, owner=collector.name)
            for each in found
            if each not in known
        ]

    def _go_on(self, unfinished: Unfinished) -> bool:
        """Work on a backfill with its collector as it is now; return whether that begins anew."""
        record, work = unfinished.record, unfinished.work
        if unfinished.cancelling is not None:
            return False
        collector = self._collectors.by_name.get(record.collector)
        if work is not None and work.collector is collector:
            return False
        stopping = self._stop(unfinished)
        if collector is None:
            record.status, record.why = Status.PAUSED, NO_COLLECTOR
            return False
        if self._stopping:
            return False
        work = Backfill(record, collector, save=self._store.save, services=self._services)

        async def go_on() -> None:
            if stopping is not None:
                await asyncio.wait({stopping})
            if await work.run():
                await self._mark_over(record, Status.DONE)

        unfinished.work = work
        unfinished.task = self._tasks.start(f"{record.collector}.backfill", go_on)
        return True

    def _stop(self, unfinished: Unfinished) -> Task | None:
        """Begin to stop the work on a backfill; return the end of that and of all before it."""
        work, task, earlier = unfinished.work, unfinished.task, unfinished.stopping
        if work is None or task is None:
            return earlier
        unfinished.work = unfinished.task = None
        work.stop()

        async def stop() -> None:
            await self._cancel_tasks({task})
            if earlier is not None:
                await asyncio.wait({earlier})

        name = f"{unfinished.record.collector}.backfill-stop"
        unfinished.stopping = self._tasks.start(name, stop)
        return unfinished.stopping

    def _cancel(self, unfinished: Unfinished) -> Task:
        """Begin to cancel a backfill, unless that has begun; return the end of its cancellation.

        From now on no work on it begins any more. A task of its own waits for the
        window under way, which may outlast the patience of the one who asked.
        """
        if unfinished.cancelling is not None:
            return unfinished.cancelling
        record, stopping = unfinished.record, self._stop(unfinished)

        async def cancel() -> None:
            if stopping is not None:
                await asyncio.wait({stopping})
            # It may just have been done, or nearly.
            await self._mark_over(record, record.status if record.over else Status.CANCELLED)

        unfinished.cancelling = self._tasks.start(f"{record.collector}.backfill-cancel", cancel)
        return unfinished.cancelling

    async def _cancel_tasks(self, tasks: set[Task]) -> None:
        if tasks:
            for name in await self._tasks.cancel(tasks):
                self._log.error("a plugin does not end when it is cancelled", task=name)

    async def _mark_over(self, record: BackfillRecord, status: Status) -> None:
        """Write that a backfill is done or cancelled, and forget what went on for it."""
        if record.id not in self._unfinished:
            return  # a plugin that ignored its cancellation has come to the end of all windows
        record.status, record.why, record.ended = status, "", self._clock.now()
        record.failures, record.error = 0, ""
        await self._store.save(record)
        self._unfinished.pop(record.id).over.set()
        self._log.info(
            f"backfill {status}",
            collector=record.collector,
            backfill=record.id,
            readings=record.readings,
            seconds=round(record.ended - record.asked, 1),
        )
