"""All backfills: asked for, gone on with after a start or a reload, cancelled, ended.

One of each collector is unfinished at most. It belongs to the collector's name:
when that is configured anew, the window under way is begun again with the new
configuration; while there is no such collector, the backfill pauses.
"""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from ingestd.backfilling import records as backfillrecords
from ingestd.backfilling import windows
from ingestd.backfilling.backfill import Backfill, BackfillServices
from ingestd.backfilling.records import BackfillRecord, Status
from ingestd.backfilling.windows import CHUNK, Span
from ingestd.collecting import Collectors
from ingestd.disk import Database
from ingestd.errors import NotNow, NotPossible, PluginLoadError, StateError
from ingestd.tasks import Task, Tasks

RETRY: Final = 5.0  # seconds
NO_COLLECTOR: Final = "its collector is disabled, or no longer configured"


class Backfills:
    """The backfills of a daemon.

    Args:
        collectors: Whose plugins read.
        tasks: Where the work goes on.
        hurry: Set when nobody wants to wait for the end of a window any longer.
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
        self._collectors, self._database, self._tasks = collectors, database, tasks
        self._hurry, self._services = hurry, services
        self._clock, self._log = services.clock, services.log
        self._unfinished: dict[int, BackfillRecord] = {}
        self._work: dict[int, tuple[Backfill, Task]] = {}
        self._ending: dict[int, Task] = {}
        self._giving_up: dict[int, Task] = {}
        self._over: dict[int, asyncio.Event] = {}
        self._asking = asyncio.Lock()
        self._finishing = False

    async def remember(self) -> None:
        """Learn which were not finished when the daemon ended; ``follow`` goes on with them.

        Raises:
            StateError: The database failed.
        """
        found, damage = await self._database.write(
            backfillrecords.unfinished, on_full="use_ballast"
        )
        for problem in damage:
            self._log.error("a backfill was damaged, and is given up", problem=problem)
        for record in found:
            self._add(record)

    def follow(self) -> None:
        """Go on with the collectors as they are now."""
        for record in self._unfinished.values():
            if self._go_on(record):
                self._log.info(
                    "backfill goes on",
                    collector=record.collector,
                    backfill=record.id,
                    done=round(record.done, 3),
                )

    @property
    def unfinished(self) -> Sequence[BackfillRecord]:
        """Those that are neither done nor cancelled, in the order in which they were asked for."""
        return list(self._unfinished.values())

    def running(self, number: int) -> Backfill | None:
        """Return the work on one, or None if it rests."""
        work = self._work.get(number)
        return work[0] if work else None

    def told(self, record: BackfillRecord) -> dict[str, Any]:
        """Return one for a listing, with what its window under way has given so far."""
        shape = record.as_dict()
        work = self.running(record.id)
        if work is not None and work.running is not None:
            counts = work.running.counts
            shape["readings"] += counts.readings
            shape["points"] += counts.points
        return shape

    async def ask(
        self,
        collector: str,
        spans: Sequence[Span],
        *,
        chunk: float = CHUNK,
        rate: float | None = None,
    ) -> BackfillRecord:
        """Begin to read spans of time anew, or go on with them if that was asked before.

        Args:
            collector: The name of one that runs.
            spans: Starts and ends in seconds since the Unix epoch, in order and apart.
            chunk: The longest window that the plugin is given, in seconds.
            rate: The most readings in a second, or None for no limit.

        Raises:
            NotPossible: The spans are none, or the plugin takes no window.
            NotNow: The collector has an unfinished one already, or does not run.
            StateError: The database failed.
        """
        if problem := windows.fault(spans, chunk=chunk, rate=rate):
            raise NotPossible(problem)
        spans = tuple((float(start), float(end)) for start, end in spans)
        async with self._asking:
            for record in self._unfinished.values():
                if record.collector == collector:
                    return await self._asked_again(record, spans, chunk=chunk, rate=rate)
            await self._check(collector)
            record = BackfillRecord(
                collector=collector,
                spans=spans,
                chunk=chunk,
                rate=rate,
                asked=self._clock.now(),
                position=spans[0][0],
            )
            row = backfillrecords.encode(record)
            record.id = await self._database.write(partial(backfillrecords.insert, row=row))
            self._add(record)
        self._log.info(
            "backfill begins",
            collector=collector,
            backfill=record.id,
            span=windows.format_window((spans[0][0], spans[-1][1])),
        )
        self._go_on(record)
        return record

    async def cancel(self, number: int) -> BackfillRecord | None:
        """Give one up; what was read stays. Return it, or None if there is none.

        Raises:
            NotNow: It is done already.
        """
        if number in self._unfinished:
            await asyncio.wait({self._give_up(self._unfinished[number])})
        found = await self.find(number)
        if found is not None and found.status is Status.DONE:
            raise NotNow(f"backfill {number}: is done already")
        return found

    async def ended(self, number: int) -> BackfillRecord | None:
        """Wait until one is done or cancelled, and return it, or None if there is none.

        Raises:
            StateError: The database failed.
        """
        if number in self._over:
            await self._over[number].wait()
        return await self.find(number)

    async def find(self, number: int) -> BackfillRecord | None:
        """Return one, or None if there is none of that number, or no longer.

        Raises:
            StateError: The database failed.
        """
        if number in self._unfinished:
            return self._unfinished[number]
        return await self._database.read(partial(backfillrecords.find, number=number))

    async def listed(self, collector: str | None = None, *, limit: int) -> list[BackfillRecord]:
        """Return the newest of one collector, or of all, newest first.

        Raises:
            StateError: The database failed.
        """
        found = await self._database.read(
            partial(backfillrecords.listed, collector=collector, limit=limit)
        )
        return [self._unfinished.get(each.id, each) for each in found]

    async def finish(self) -> None:
        """Let windows under way come to their end within the grace period; begin no others."""
        self._finishing = True
        for work, _ in self._work.values():
            work.finish()
        under_way = {task for _, task in self._work.values()}
        if under_way:
            over = asyncio.ensure_future(asyncio.wait(under_way))
            hurried = asyncio.ensure_future(self._hurry.wait())
            await asyncio.wait(
                {over, hurried},
                timeout=self._collectors.grace,
                return_when=asyncio.FIRST_COMPLETED,
            )
            over.cancel()
            hurried.cancel()
        await self._cancelled(under_way)

    # -- one of them

    def _add(self, record: BackfillRecord) -> None:
        self._unfinished[record.id] = record
        self._over[record.id] = asyncio.Event()

    async def _asked_again(
        self, record: BackfillRecord, spans: Sequence[Span], *, chunk: float, rate: float | None
    ) -> BackfillRecord:
        if record.id in self._giving_up:
            raise NotNow(f"{record.collector}: its backfill {record.id} is being cancelled")
        if (record.spans, record.chunk) != (spans, chunk):
            raise NotNow(
                f"{record.collector}: its backfill {record.id} is not finished yet; wait for "
                "its end, or cancel it"
            )
        record.rate = rate
        await self._save(record)
        if work := self.running(record.id):
            work.hurry()
        return record

    async def _check(self, name: str) -> None:
        """Refuse a collector that cannot read windows."""
        collector = self._collectors.by_name.get(name)
        if collector is None or self._finishing:
            raise NotNow(f"{name}: is disabled, has not been started yet, or is being stopped")
        try:
            plugin = await collector.plugin()
        except PluginLoadError as error:
            raise NotPossible(str(error)) from error
        if not plugin.wants_window:
            raise NotPossible(
                f"{name}: expected a plugin whose run declares start and end, so that it can be "
                f"given a window; {plugin.name} does not"
            )

    def _go_on(self, record: BackfillRecord) -> bool:
        """Work on one with its collector as it is now; return whether that begins anew."""
        if record.id in self._giving_up:
            return False
        collector = self._collectors.by_name.get(record.collector)
        if (work := self.running(record.id)) and work.collector is collector:
            return False
        ended = self._end(record.id)
        if collector is None:
            record.status, record.why = Status.PAUSED, NO_COLLECTOR
            return False
        if self._finishing:
            return False
        work = Backfill(record, collector, save=self._save, services=self._services)

        async def go_on() -> None:
            if ended is not None:
                await asyncio.wait({ended})
            if await work.run():
                await self._close(record, Status.DONE)

        task = self._tasks.start(f"{record.collector}.backfill", go_on)
        self._work[record.id] = work, task
        return True

    def _end(self, number: int) -> Task | None:
        """Begin to end the work on one; return the end of it and of all before it."""
        work, earlier = self._work.pop(number, None), self._ending.get(number)
        if work is None:
            return earlier
        work[0].finish()

        async def end() -> None:
            await self._cancelled({work[1]})
            if earlier is not None:
                await asyncio.wait({earlier})

        name = f"{work[0].record.collector}.backfill-end"
        ending = self._ending[number] = self._tasks.start(name, end)
        return ending

    def _give_up(self, record: BackfillRecord) -> Task:
        """Begin to cancel one, unless that has begun; return the end of that.

        From now on nothing begins to work on it any more. A task of its own waits
        for the window under way, which may outlast the patience of whoever asked.
        """
        number = record.id
        if number in self._giving_up:
            return self._giving_up[number]
        ending = self._end(number)

        async def give_up() -> None:
            if ending is not None:
                await asyncio.wait({ending})
            # It may just have been done, or nearly.
            await self._close(record, record.status if record.over else Status.CANCELLED)

        name = f"{record.collector}.backfill-cancel"
        giving_up = self._giving_up[number] = self._tasks.start(name, give_up)
        return giving_up

    async def _cancelled(self, tasks: set[Task]) -> None:
        if tasks:
            for name in await self._tasks.cancel(tasks):
                self._log.error("a plugin does not end when it is cancelled", task=name)

    async def _close(self, record: BackfillRecord, status: Status) -> None:
        """Bring one to its end."""
        if record.id not in self._unfinished:
            return  # a plugin that ignored its cancellation has come to the end of all windows
        record.status, record.why, record.ended = status, "", self._clock.now()
        record.failures, record.error = 0, ""
        await self._save(record)
        del self._unfinished[record.id]
        self._work.pop(record.id, None)
        self._ending.pop(record.id, None)
        self._giving_up.pop(record.id, None)
        self._over.pop(record.id).set()
        self._log.info(
            f"backfill {status}",
            collector=record.collector,
            backfill=record.id,
            readings=record.readings,
            seconds=round(record.ended - record.asked, 1),
        )

    async def _save(self, record: BackfillRecord) -> None:
        """Bring a record to the disk, however long that takes."""
        failed = False
        while True:
            row = backfillrecords.encode(record)
            try:
                await self._database.write(
                    partial(backfillrecords.update, row=row), on_full="use_ballast"
                )
            except StateError as error:
                if not failed:
                    self._log.error("a backfill cannot be written", error=str(error))
                failed = True
                await self._clock.sleep(RETRY)
            else:
                return
