"""All requested runs: asked for, looked at, cancelled, gone on with after a start or a reload.

Those of one collector are made in the order in which they were asked for, each between two
runs of its schedule; see ``queue``.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from ingestd.collecting import Collectors
from ingestd.disk import Database
from ingestd.errors import NotNow, QueueFull
from ingestd.redaction import find_secrets
from ingestd.requesting import asking
from ingestd.requesting.asking import RunRequest
from ingestd.requesting.queue import RequestServices, RunQueue, UnfinishedRun
from ingestd.requesting.records import RequestedRun, RequestStatus, Selection
from ingestd.requesting.runonrequest import RunOnRequest
from ingestd.requesting.store import RequestedRunStore
from ingestd.tasks import Tasks

MOST_WAITING: Final = 5_000  # runs, of all collectors
MOST_INPUT: Final = 64 * 2**20  # bytes that these are given


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking.

    Attributes:
        runs: In the order in which they were asked for.
        new: Whether they were asked for now, and not under the same key before.
    """

    runs: Sequence[RequestedRun]
    new: bool


class Requests:
    """The requested runs of a daemon.

    Args:
        collectors: Whose plugins are called.
        tasks: Where the work goes on.
        hurry: Set when the wait for the end of a run is to be cut short.
        services: What the work needs besides.
    """

    def __init__(
        self,
        *,
        collectors: Collectors,
        database: Database,
        tasks: Tasks,
        hurry: asyncio.Event,
        services: RequestServices,
    ) -> None:
        self._collectors, self._tasks = collectors, tasks
        self._hurry, self._services = hurry, services
        self._clock, self._log = services.clock, services.log
        self._store = RequestedRunStore(database, clock=services.clock, log=services.log)
        self._unfinished: dict[int, UnfinishedRun] = {}
        self._queues: dict[str, RunQueue] = {}
        self._asking = asyncio.Lock()
        self._stopping = False

    # -- a start, a reload, a stop

    async def remember(self) -> None:
        """Learn which runs the last daemon did not finish; ``follow`` goes on with them.

        Raises:
            StateError: The database failed.
        """
        for record in await self._store.unfinished():
            waits = replace(record, status=RequestStatus.PENDING)
            if waits != record:
                await self._store.save(waits)
            self._take_in(waits)

    def follow(self) -> None:
        """Go on with the collectors as they are now."""
        for queue in self._queues.values():
            queue.follow()

    async def stop(self) -> None:
        """Let runs under way come to their end within the grace period; begin no others."""
        self._stopping = True
        await asyncio.gather(*(each.stop() for each in self._queues.values()))

    # -- asking

    async def ask(
        self, wanted: Sequence[RunRequest], *, key: str | None = None, digest: str = ""
    ) -> Asked:
        """Take runs in, all of them or none, unless the same was asked for before.

        Args:
            wanted: What is to be run, by collectors that run.
            key: What the one who asks calls all of it, so that it can be asked for again.
            digest: A mark of what is asked for, to be compared with what had that key.

        Raises:
            NotPossible: A plugin could not make them; says everything that is wrong.
            NotNow: A collector does not run, or the key stands for something else.
            QueueFull: Too many wait already.
            StateError: The database failed.
        """
        async with self._asking:
            if key is not None and (found := await self._store.with_key(key)):
                if found[0].digest != digest:
                    raise NotNow(f"key: {key!r} was given to another request before")
                return Asked([self._current(each) for each in found], new=False)
            await self._check(wanted)
            await self._check_room(wanted)
            return Asked(await self._add(wanted, key, digest), new=True)

    async def _check(self, wanted: Sequence[RunRequest]) -> None:
        for name in dict.fromkeys(each.collector for each in wanted):
            collector = self._collectors.by_name.get(name)
            if collector is None or self._stopping:
                text = "is disabled, has not been started yet, or is being stopped"
                raise NotNow(f"{name}: {text}")
            of_this = [each for each in wanted if each.collector == name]
            await asking.check(collector, of_this, exposed=self._services.exposed)

    async def _check_room(self, wanted: Sequence[RunRequest]) -> None:
        waiting = len(self._unfinished)
        if waiting + len(wanted) > MOST_WAITING:
            text = f"expected at most {MOST_WAITING} runs that wait, got {len(wanted)} more"
            raise QueueFull(f"{text} than the {waiting} that do")
        size = sum(len(each.input) for each in wanted if each.input is not None)
        if size and size + await self._store.input_bytes() > MOST_INPUT:
            raise QueueFull(f"expected at most {MOST_INPUT} bytes of input that wait, got more")

    async def _add(
        self, wanted: Sequence[RunRequest], key: str | None, digest: str
    ) -> list[RequestedRun]:
        now = self._clock.now()
        new = [
            RequestedRun(
                collector=each.collector,
                project=each.target.project,
                trace=each.target.trace,
                key=key,
                added=now,
                updated=now,
                params=dict(each.params),
                commit=each.commit,
                digest=digest,
                group=each.group,
                has_input=each.input is not None,
            )
            for each in wanted
        ]
        added = await self._store.add(new, [each.input for each in wanted])
        for each in added:
            self._take_in(each)
        for name in {each.collector for each in added}:
            self._queues[name].follow()
        return added

    def _take_in(self, record: RequestedRun) -> None:
        """Put a run into its queue, and learn its secrets."""
        secrets = find_secrets(record.params)
        self._services.redactor.add(secrets, owner=record.collector)
        unfinished = self._unfinished[record.id] = UnfinishedRun(record)
        self._queue(record.collector).add(unfinished)

    def _queue(self, collector: str) -> RunQueue:
        """Return the queue of a collector, made when it is first wanted."""
        if collector not in self._queues:
            self._queues[collector] = RunQueue(
                collector,
                collectors=self._collectors,
                store=self._store,
                tasks=self._tasks,
                hurry=self._hurry,
                services=self._services,
                ended=lambda each: self._unfinished.pop(each.record.id, None),
            )
        return self._queues[collector]

    # -- looking

    @property
    def running(self) -> Mapping[str, RunOnRequest]:
        """The runs under way, by the names of their collectors.

        The thread that watches the event loop reads this, too, so nothing is read twice.
        """
        queues = list(self._queues.items())
        return {name: run for name, each in queues if (run := each.running) is not None}

    async def find(self, number: int) -> RequestedRun | None:
        """Return a run, or None if there is none of that number, or no longer.

        Raises:
            StateError: The database failed.
        """
        if number in self._unfinished:
            return self._unfinished[number].record
        return await self._store.find(number)

    async def listed(self, wanted: Selection) -> list[RequestedRun]:
        """Return the runs of a selection.

        Raises:
            StateError: The database failed.
        """
        return await self._store.listed(wanted)

    async def document(self, number: int, which: Literal["input", "result"]) -> Any:
        """Return the input or the result of a run, or None if there is none.

        Raises:
            NotFound: It is damaged.
            StateError: The database failed.
        """
        return await self._store.document(number, which)

    async def ended(self, number: int) -> RequestedRun | None:
        """Wait until a run has ended; return it, or None if there is none.

        Raises:
            StateError: The database failed.
        """
        if number in self._unfinished:
            await self._unfinished[number].over.wait()
        return await self.find(number)

    def _current(self, record: RequestedRun) -> RequestedRun:
        return self._unfinished[record.id].record if record.id in self._unfinished else record

    # -- cancelling

    async def cancel(self, number: int) -> RequestedRun | None:
        """End a run now, or take it out of its queue; what it has given stays.

        Returns:
            The run, or None if there is none.

        Raises:
            NotNow: It has ended otherwise.
        """
        if number in self._unfinished:
            each = self._unfinished[number]
            self._queues[each.record.collector].cancel(each)
        found = await self.ended(number)
        if found is not None and found.status is not RequestStatus.CANCELLED:
            raise NotNow(f"{found.name}: has ended already: {found.status}")
        return found
