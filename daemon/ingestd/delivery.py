"""The stage between a lane and its store: every point ends up somewhere durable.

Theory of operation. There is one ``Delivery`` for each store. It takes batches
from the lane, at most two at a time; beside it a ``Drain`` takes bodies from the
spool, one at a time. Both give them to the same ``Sender``:

* the store takes the body: its points are *stored*;
* the store is unavailable: the points are *spooled*, and from then on batches go
  straight to the spool until a probe of the drain gets through;
* the store refuses the body: it is halved until the culprits stand alone, and
  those are *dead letters*; a store that names them is believed.

A receipt hears of a batch when all of its points are in one of these three.

Order. Fresh batches overtake the backlog, but only with points that lie beyond
the spool's horizon: an older point may correct one that waits there, so it
queues behind it. For the same reason batches come to their end in the order in
which they left the lane, and one that was stored while an earlier one was being
spooled is spooled as well, behind it.

Accounting. ``accepted + inherited = stored + spooled + dead + dropped + in
memory`` holds whenever the event loop is between two callbacks: each move adds
to one side and takes from the other without an await in between.
"""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from typing import Any, Final

from ingestd.buffer import Buffer, Lane
from ingestd.clock import Clock, wait_at_most
from ingestd.deadletters import DeadLetter, DeadLetters, delete
from ingestd.draining import Drain
from ingestd.errors import ReadingError
from ingestd.headroom import FULL_RETRY, Headroom
from ingestd.limits import Limits
from ingestd.model import Batch, Body, Point
from ingestd.outage import Outage
from ingestd.sending import Sender
from ingestd.sinks.protocol import Encoded, Sink
from ingestd.spool import Spool
from ingestd.tally import Tally

IN_FLIGHT: Final = 2
TIME_OF: Final = itemgetter(1)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch, encoded.

    Attributes:
        fresh: Bodies that may be sent before what is in the spool.
        behind: Bodies that may correct what is in the spool.
        refused: Payloads that this kind of store would not keep, with the reason.
        raw_bytes: The size of all bodies before compression.
    """

    fresh: Sequence[Body]
    behind: Sequence[Body]
    refused: Sequence[tuple[bytes, str]]
    raw_bytes: int


@dataclass(kw_only=True)
class Delivery:
    """Carries the points of one store to safety.

    Attributes:
        name: The store's name.
        pool: Where bodies are encoded and compressed.
        tally: Where the points went.
        recovered: Set once it knows what a former one left on disk.
    """

    name: str
    sink: Sink
    buffer: Buffer
    lane: Lane
    spool: Spool
    dead: DeadLetters
    outage: Outage
    limits: Limits
    pool: Executor
    clock: Clock
    log: Any
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        self.recovered = asyncio.Event()
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        shared = {"tally": self.tally, "clock": self.clock, "log": self.log}
        self.headroom = Headroom(buffer=self.buffer, spool=self.spool, **shared)
        self.sender = Sender(
            sink=self.sink, outage=self.outage, dead=self.dead, headroom=self.headroom, **shared
        )
        self.drain = Drain(
            sender=self.sender,
            spool=self.spool,
            outage=self.outage,
            headroom=self.headroom,
            limits=self.limits,
            **shared,
        )

    async def run(self) -> None:
        """Deliver until the lane is closed and empty."""
        await self.spool.open()
        await self.dead.open()
        self.tally.inherited = self.spool.holds.points + self.dead.count
        self.recovered.set()
        self.drain.look()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.drain.run(), name=f"ingestd[{self.name}].drain")
            await self._live()
            self.give_up()
        await self.sink.close()

    def give_up(self) -> None:
        """Stop sending: what is in memory goes to the spool, and what is there stays."""
        self.sender.give_up()
        self.drain.look()

    @property
    def stuck(self) -> bool:
        """Whether it has something under way that does not move."""
        idle = self.clock.monotonic() - self.tally.moved_at
        return bool(self.tally.in_flight) and idle > self.limits.stalled

    @property
    def in_memory(self) -> int:
        """How many points are in memory on their way to this store."""
        return self.lane.points + self.tally.in_flight

    @property
    def spooled(self) -> int:
        """How many points wait on disk."""
        return self.spool.holds.points - self.tally.drained

    @property
    def balance(self) -> int:
        """What the accounting identity is off by; always 0."""
        tally = self.tally
        ends = tally.stored + self.spooled + self.dead.count + tally.dropped + self.in_memory
        return self.lane.accepted + tally.inherited - ends

    async def retry(self, letters: Sequence[DeadLetter]) -> int:
        """Put dead letters back into the queue; return how many could be."""
        sendable = [each for each in letters if self._is_sendable(each.payload)]
        if not sendable:
            return 0
        ids = [each.id for each in sendable]
        data = self.sink.join([each.payload for each in sendable])
        await self.spool.append(
            Body(data, len(sendable), 0, 0), droppable=False, also=lambda db: delete(db, ids)
        )
        self.dead.count -= len(sendable)
        self.drain.look()
        return len(sendable)

    async def purge(self, ids: Sequence[int]) -> int:
        """Forget dead letters; return how many there were."""
        removed = await self.dead.remove(ids)
        self.tally.dropped += removed
        return removed

    def _is_sendable(self, payload: bytes) -> bool:
        """Say whether a dead letter can be sent at all; some were refused because they cannot."""
        try:
            return bool(self.sink.join([payload]))
        except ReadingError:
            return False

    async def _live(self) -> None:
        after = asyncio.Event()
        after.set()
        async with asyncio.TaskGroup() as group:
            while True:
                await self._slots.acquire()
                batch = await self.lane.next_batch()
                if batch is None:
                    return
                if not self.tally.in_flight:
                    self.tally.moved(self.clock)
                self.tally.in_flight += len(batch)
                before, after = after, asyncio.Event()
                group.create_task(
                    self._deliver(batch, before, after), name=f"ingestd[{self.name}].deliver"
                )

    async def _deliver(self, batch: Batch, before: asyncio.Event, after: asyncio.Event) -> None:
        raw_bytes = 0
        try:
            raw_bytes = await self._make_safe(batch, before)
        except Exception:
            self.log.exception("a batch could not be delivered", points=len(batch))
        else:
            batch.settle()
        finally:
            after.set()
            self._slots.release()
            self.lane.done(points=len(batch), raw_bytes=raw_bytes)

    async def _make_safe(self, batch: Batch, before: asyncio.Event) -> int:
        """Bring every point somewhere durable; return the size before compression.

        Args:
            batch: The points.
            before: Set once the batch ahead of this one is safe.
        """
        spooled_before = self.spool.appended
        # With write_ahead nothing overtakes, and everything goes to the spool in its turn.
        horizon_us = None if self.limits.write_ahead else self.spool.holds.horizon_us
        work = partial(self._prepare, batch.points, horizon_us=horizon_us)
        prepared = await asyncio.get_running_loop().run_in_executor(self.pool, work)
        await self.sender.bury(prepared.refused, self.tally.landed)
        for body in prepared.fresh:
            left = await self._store(body)
            await before.wait()
            if left is None and self.spool.appended > spooled_before:
                left = self._behind_an_earlier_one(body)
            if left is not None:
                await self._set_down(left, droppable=batch.droppable)
        await before.wait()
        for body in prepared.behind:
            await self._set_down(body, droppable=batch.droppable)
        return prepared.raw_bytes

    def _prepare(self, points: Sequence[Point], *, horizon_us: int | None) -> Prepared:
        """Encode points, apart by whether they may overtake the spool; runs in a thread."""
        ahead: Sequence[Point]
        behind: Sequence[Point]
        if horizon_us is None or min(map(TIME_OF, points)) > horizon_us:
            ahead, behind = points, []
        else:
            ahead = [point for point in points if point[1] > horizon_us]
            behind = [point for point in points if point[1] <= horizon_us]
        bodies: tuple[list[Body], list[Body]] = [], []
        refused: list[tuple[bytes, str]] = []
        raw_bytes = 0
        for some, into in zip((ahead, behind), bodies, strict=True):
            for encoded in self._encode(some):
                refused += encoded.refused
                raw_bytes += encoded.raw_bytes
                if encoded.body is not None:
                    into.append(encoded.body)
        return Prepared(bodies[0], bodies[1], refused, raw_bytes)

    def _encode(self, points: Sequence[Point]) -> Iterator[Encoded]:
        """Encode points into as many bodies as the size limit asks for."""
        if not points:
            return
        encoded = self.sink.encode(points)
        if encoded.raw_bytes <= self.limits.size_bytes or len(points) == 1:
            yield encoded
            return
        middle = len(points) // 2
        yield from self._encode(points[:middle])
        yield from self._encode(points[middle:])

    async def _store(self, body: Body) -> Body | None:
        """Send a fresh body if its store is up; return what is left of it."""
        if not self.outage.up or self.limits.write_ahead or self.sender.giving_up.is_set():
            return body
        return await self.sender.send(body, self.tally.landed)

    def _behind_an_earlier_one(self, body: Body) -> Body | None:
        """Return a stored body if one that was spooled meanwhile could overwrite it."""
        if self.spool.overtakes(body.first_us):
            return None
        self.tally.stored -= body.points
        self.tally.in_flight += body.points
        return body

    async def _set_down(self, body: Body, *, droppable: bool) -> None:
        """Spool a body; while there is no room for it, keep trying both ways."""
        left: Body | None = body
        while left is not None:
            self.tally.moved(self.clock)
            if await self.headroom.spool(left, droppable=droppable):
                self.tally.landed(left.points)
                self.drain.look()
                return
            if self.outage.probe():
                left = await self.sender.send(left, self.tally.landed)
            else:
                await wait_at_most(self.outage.is_up, FULL_RETRY, clock=self.clock)
