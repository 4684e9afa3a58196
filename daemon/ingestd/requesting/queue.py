"""The requested runs of one collector: made one after the other, in the order of asking.

What is told of a run is always on disk already, so that no kill makes it untrue: one that
was under way waits again, and one that had ended stays so.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ingestd.calling import Isolation
from ingestd.clock import Clock
from ingestd.collecting import Collector, Collectors
from ingestd.contract import safe_repr
from ingestd.errors import NotFound, NotNow
from ingestd.redaction import Redactor
from ingestd.requesting.asking import INPUT
from ingestd.requesting.attempt import Attempt, AttemptResult
from ingestd.requesting.records import RequestedRun, RequestStatus
from ingestd.requesting.runonrequest import RunOnRequest
from ingestd.requesting.store import RequestedRunStore
from ingestd.tasks import Task, Tasks, first_of

Making = asyncio.Task[AttemptResult | None]


@dataclass(slots=True)
class UnfinishedRun:
    """A run that waits or is under way.

    Attributes:
        record: How it stands, as it is on disk.
        cancelled: Whether it is to end now.
        over: Set when it has ended.
    """

    record: RequestedRun
    cancelled: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestServices:
    """What all requested runs share.

    Attributes:
        processes: Where ordinary functions run, apart from those of scheduled runs.
        exposed: Whether anybody on this machine can ask for one.
    """

    processes: Isolation
    clock: Clock
    redactor: Redactor
    log: Any
    exposed: bool


class RunQueue:
    """The requested runs of one collector.

    Args:
        name: That of the collector, which need not be there.
        collectors: Those that run.
        store: Where the runs are kept.
        tasks: Where the work goes on.
        hurry: Set when the wait for the end of a run is to be cut short.
        services: What the work needs besides.
        ended: Called with a run that has ended.
    """

    def __init__(
        self,
        name: str,
        *,
        collectors: Collectors,
        store: RequestedRunStore,
        tasks: Tasks,
        hurry: asyncio.Event,
        services: RequestServices,
        ended: Callable[[UnfinishedRun], object],
    ) -> None:
        self._name, self._collectors, self._store = name, collectors, store
        self._tasks, self._hurry, self._services = tasks, hurry, services
        self._ended = ended
        self._waiting: dict[int, UnfinishedRun] = {}
        self._current: UnfinishedRun | None = None
        self._attempt: Attempt | None = None
        self._making: Making | None = None
        self._task: Task | None = None
        self._stopping = False

    @property
    def running(self) -> RunOnRequest | None:
        """The run under way, or None; other threads read this, too."""
        attempt = self._attempt
        return None if attempt is None else attempt.running

    def add(self, each: UnfinishedRun) -> None:
        """Let a run wait for its turn."""
        self._waiting[each.record.id] = each

    def follow(self) -> None:
        """Go on with the collector as it is now; an attempt with a former one comes to its end."""
        collector = self._collectors.by_name.get(self._name)
        if self._attempt is not None and self._attempt.collector is not collector:
            self._tasks.start(f"{self._name}.requested-stop", self._end_attempt)
        if self._task is None and self._waiting and not self._stopping:
            self._task = self._tasks.start(f"{self._name}.requested", self._work)

    async def stop(self) -> None:
        """Let the run under way come to its end within the grace period; begin no other."""
        self._stopping = True
        await self._end_attempt()
        if self._task is not None:  # it writes how the run stands
            within = self._collectors.grace
            await first_of(asyncio.wait({self._task}), self._hurry, within=within)

    def cancel(self, each: UnfinishedRun) -> None:
        """Begin to end a run now, or to take it out of the queue."""
        if each.cancelled:
            return
        each.cancelled = True
        if self._current is each and self._making is not None:
            self._making.cancel()
        elif self._waiting.pop(each.record.id, None) is not None:
            # In a task of its own: the one who asked may lose patience.
            finish = partial(self._finish, each, RequestStatus.CANCELLED)
            self._tasks.start(f"{self._name}.requested-cancel", finish)

    async def _end_attempt(self) -> None:
        """Let the attempt under way come to its end within the grace period, and cancel it then."""
        if (making := self._making) is not None:
            await first_of(asyncio.wait({making}), self._hurry, within=self._collectors.grace)
            making.cancel()

    async def _work(self) -> None:
        """Make the runs that wait, for as long as there is a collector."""
        while not self._stopping and self._waiting:
            collector = self._collectors.by_name.get(self._name)
            if collector is None or not await self._make_first(collector):
                break
        self._task = None

    async def _make_first(self, collector: Collector) -> bool:
        """Make the first run that waits; return whether others may follow."""
        each = next(iter(self._waiting.values()))
        try:
            given = await self._given(each.record)
        except NotFound as error:
            if self._waiting.pop(each.record.id, None):
                await self._finish(each, RequestStatus.FAILED, failure_message=str(error))
            return True
        if self._waiting.pop(each.record.id, None) is None:
            return True  # it was cancelled meanwhile
        self._current = each
        self._attempt = Attempt(
            request=each.record,
            given=given,
            collector=collector,
            processes=self._services.processes,
            begin=partial(self._begin, each),
        )
        name = f"ingestd[{self._name}.{each.record.name}]"
        making = self._making = asyncio.create_task(self._attempt.make(), name=name)
        try:
            await asyncio.wait({making})
            return await self._judge(each, making, collector)
        finally:
            making.cancel()
            self._current = self._attempt = self._making = None

    async def _given(self, record: RequestedRun) -> dict[str, Any]:
        """Return what is laid over the params of the collector."""
        given = {**record.params, **record.target}
        if record.has_input:
            given[INPUT] = await self._store.document(record.id, "input")
        return given

    async def _begin(self, each: UnfinishedRun) -> None:
        attempt = each.record.attempt + 1
        await self._save(each, status=RequestStatus.RUNNING, attempt=attempt)

    async def _judge(self, each: UnfinishedRun, making: Making, collector: Collector) -> bool:
        """Write what has come of an attempt; return whether others may follow."""
        error = None if making.cancelled() else making.exception()
        stopped = making.cancelled() or isinstance(error, NotNow)
        if error is not None and not stopped:
            self._services.log.error("a requested run met a bug of the daemon", exc_info=error)
            text = f"bug in the daemon: {safe_repr(error)}"
            await self._finish(each, RequestStatus.FAILED, failure_message=text)
            return True
        if not stopped and (result := making.result()) is not None:
            await self._finish_with(each, result)
            return True
        if each.cancelled:
            await self._finish(each, RequestStatus.CANCELLED)
            return True
        self._waiting = {each.record.id: each, **self._waiting}
        await self._save(each, status=RequestStatus.PENDING)
        # The same collector is being stopped, and no other has come in its place.
        return not stopped or self._collectors.by_name.get(self._name) is not collector

    async def _finish_with(self, each: UnfinishedRun, result: AttemptResult) -> None:
        record = result.record
        told: dict[str, Any] = {"run": record.id, "readings": record.readings}
        if record.failed:
            why = {"failure_message": record.error, "traceback": record.details or None}
            await self._finish(each, RequestStatus.FAILED, **told, **why)
        else:
            has = result.document is not None
            await self._finish(
                each, RequestStatus.SUCCESS, document=result.document, has_result=has, **told
            )

    async def _finish(
        self,
        each: UnfinishedRun,
        status: RequestStatus,
        *,
        document: str | None = None,
        **values: Any,
    ) -> None:
        """Write how a run has ended, and tell those who wait for it."""
        await self._save(each, document, status=status, **values)
        self._ended(each)
        each.over.set()

    async def _save(self, each: UnfinishedRun, document: str | None = None, **values: Any) -> None:
        """Write how a run stands; only then is it told."""
        record = replace(each.record, updated=self._services.clock.now(), **values)
        await self._store.save(record, document)
        each.record = record
