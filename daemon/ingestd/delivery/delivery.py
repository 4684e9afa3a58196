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
queues behind it. For the same reason a batch that repeats a point of the one ahead
waits for it, batches come to their end in the order in which they left the lane,
and one that was stored while an earlier one was being spooled is spooled as well,
behind it.

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

from ingestd.clock import Clock, wait_at_most
from ingestd.delivery.account import Account
from ingestd.delivery.buffer import Buffer
from ingestd.delivery.deadletters import DeadLetter, DeadLetters, delete
from ingestd.delivery.drain import Drain
from ingestd.delivery.lane import Lane
from ingestd.delivery.limits import Limits
from ingestd.delivery.outage import Outage
from ingestd.delivery.sender import Sender
from ingestd.delivery.spool import Spool
from ingestd.delivery.spoolspace import RETRY, SpoolSpace
from ingestd.errors import UnsendablePayload
from ingestd.model import MICROSECONDS, Batch, Body, Point
from ingestd.sinks import Encoded, Sink

IN_FLIGHT: Final = 2
PASSING: Final = 5.0  # seconds
TIME_OF: Final = itemgetter(1)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch, encoded.

    Attributes:
        fresh: Bodies that may be sent before what is in the spool.
        behind: Bodies that may correct what is in the spool.
        refused: Payloads that this kind of store would not keep, with the reason.
        raw_bytes: The size of all bodies before compression.
        corrects: Whether a point may correct one of the batch ahead.
    """

    fresh: Sequence[Body]
    behind: Sequence[Body]
    refused: Sequence[tuple[bytes, str]]
    raw_bytes: int
    corrects: bool


class InFlight:
    """A batch on its way; it comes to its end after the one ahead of it.

    Args:
        batch: The points.
        ahead: The one ahead, or None.
    """

    def __init__(self, batch: Batch, ahead: "InFlight | None") -> None:
        self.batch = batch
        self._ahead = ahead
        self._over = asyncio.Event()

    @property
    def points_ahead(self) -> Sequence[Point]:
        """The points that are still under way ahead of these."""
        return self._ahead.batch.points if self._ahead is not None else ()

    async def its_turn(self) -> None:
        """Return when the one ahead has come to its end."""
        if self._ahead is not None:
            await self._ahead._over.wait()  # noqa: SLF001 -- of the same class

    def end(self) -> None:
        """Let the one behind come to its end, and let go of the one ahead."""
        self._over.set()
        self._ahead = None


@dataclass(kw_only=True)
class Delivery:
    """Carries the points of one store to safety.

    Attributes:
        name: The store's name.
        pool: Where bodies are encoded and compressed.
        account: Where the points went.
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
    account: Account = field(default_factory=Account)

    def __post_init__(self) -> None:
        self.recovered = asyncio.Event()
        shared = {"account": self.account, "clock": self.clock, "log": self.log}
        self.space = SpoolSpace(buffer=self.buffer, spool=self.spool, **shared)
        self.sender = Sender(
            sink=self.sink,
            outage=self.outage,
            dead=self.dead,
            space=self.space,
            pool=self.pool,
            **shared,
        )
        self.drain = Drain(
            sender=self.sender,
            spool=self.spool,
            outage=self.outage,
            space=self.space,
            limits=self.limits,
            **shared,
        )

    async def run(self) -> None:
        """Deliver until the lane is closed and empty."""
        await self.spool.open()
        await self.dead.open()
        if not self.recovered.is_set():
            self.account.inherited = self.spool.holds.points + self.dead.count
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
        patience = self.limits.stalled
        if not self.account.in_flight and self.lane.oldest_age <= patience:
            return False
        return self.clock.monotonic() - self.account.moved_at > patience

    @property
    def behind(self) -> str:
        """Why it has enough to do without points of the past, or an empty string."""
        if not self.outage.up:
            return f"store {self.name} is {self.outage.health.value}"
        oldest_at = self.spool.holds.oldest_at
        if not self.spooled or oldest_at is None:
            return ""
        # With write_ahead everything passes through the spool, so only what stays there counts.
        if self.limits.write_ahead and self.clock.now() - oldest_at < PASSING:
            return ""
        return f"store {self.name} has a backlog in its spool"

    @property
    def in_memory(self) -> int:
        """How many points are in memory on their way to this store."""
        return self.lane.points + self.account.in_flight

    @property
    def spooled(self) -> int:
        """How many points wait on disk."""
        return self.spool.holds.points - self.account.drained

    @property
    def balance(self) -> int:
        """What the accounting identity is off by; always 0."""
        account = self.account
        ends = account.stored + self.spooled + self.dead.count + account.dropped + self.in_memory
        return self.lane.accepted + account.inherited - ends

    async def retry(self, letters: Sequence[DeadLetter]) -> int:
        """Put dead letters back into the queue; return how many could be."""
        work = partial(self._rejoined, letters)
        sendable, data = await asyncio.get_running_loop().run_in_executor(self.pool, work)
        if not sendable:
            return 0
        ids = [each.id for each in sendable]
        # Whatever comes from now on may correct them, so it has to queue behind them.
        now_us = int(self.clock.now() * MICROSECONDS)
        body = Body(data, len(sendable), 0, now_us)
        await self.spool.append(body, droppable=False, also=lambda db: delete(db, ids))
        self.dead.count -= len(sendable)
        self.drain.look()
        return len(sendable)

    async def purge(self, ids: Sequence[int]) -> int:
        """Forget dead letters; return how many there were."""
        removed = await self.dead.remove(ids)
        self.account.dropped += removed
        return removed

    def _rejoined(self, letters: Sequence[DeadLetter]) -> tuple[list[DeadLetter], bytes]:
        sendable = [each for each in letters if self._is_sendable(each.payload)]
        payloads = [each.payload for each in sendable]
        return sendable, self.sink.join(payloads) if payloads else b""

    def _is_sendable(self, payload: bytes) -> bool:
        """Say whether a dead letter can be sent at all; some were refused because they cannot."""
        try:
            return bool(self.sink.join([payload]))
        except UnsendablePayload:
            return False

    async def _live(self) -> None:
        slots = asyncio.Semaphore(IN_FLIGHT)
        ahead: InFlight | None = None
        async with asyncio.TaskGroup() as group:
            while True:
                await slots.acquire()
                batch = await self.lane.next_batch()
                if batch is None:
                    return
                if not self.account.in_flight:
                    self.account.moved(self.clock)
                self.account.in_flight += len(batch)
                in_flight = InFlight(batch, ahead)
                task = group.create_task(
                    self._deliver(in_flight), name=f"ingestd[{self.name}].deliver"
                )
                task.add_done_callback(lambda _: slots.release())
                ahead = in_flight

    async def _deliver(self, in_flight: InFlight) -> None:
        raw_bytes = 0
        try:
            raw_bytes = await self._make_safe(in_flight)
        except Exception:  # border: a bug of ours; no cursor passes these points
            self.log.exception("a batch could not be delivered", points=len(in_flight.batch))
        else:
            in_flight.batch.settle()
        finally:
            in_flight.end()
            self.lane.done(in_flight.batch, raw_bytes=raw_bytes)

    async def _make_safe(self, in_flight: InFlight) -> int:
        """Bring every point somewhere durable; return the size before compression."""
        droppable, spooled_before = in_flight.batch.droppable, self.spool.appended
        # With write_ahead nothing overtakes, and everything goes to the spool in its turn.
        in_turn = self.limits.write_ahead
        horizon_us = None if in_turn else self.spool.holds.horizon_us
        before = () if in_turn else in_flight.points_ahead
        work = partial(self._prepare, in_flight.batch.points, before, horizon_us=horizon_us)
        prepared = await asyncio.get_running_loop().run_in_executor(self.pool, work)
        if prepared.corrects:
            await in_flight.its_turn()
        await self.sender.bury(prepared.refused, self.account.landed)
        for body in prepared.fresh:
            left = await self._store(body)
            await in_flight.its_turn()
            if left is None and self.spool.appended > spooled_before:
                left = self._behind_an_earlier_one(body)
            if left is not None:
                await self._set_down(left, droppable=droppable)
        await in_flight.its_turn()
        for body in prepared.behind:
            await self._set_down(body, droppable=droppable)
        return prepared.raw_bytes

    def _prepare(
        self, points: Sequence[Point], before: Sequence[Point], *, horizon_us: int | None
    ) -> Prepared:
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
        return Prepared(bodies[0], bodies[1], refused, raw_bytes, repeats(points, before))

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
        return await self.sender.send(body, self.account.landed)

    def _behind_an_earlier_one(self, body: Body) -> Body | None:
        """Return a stored body if one that was spooled meanwhile could overwrite it."""
        if self.spool.is_beyond_horizon(body.first_us):
            return None
        self.account.stored -= body.points
        self.account.in_flight += body.points
        return body

    async def _set_down(self, body: Body, *, droppable: bool) -> None:
        """Spool a body; while there is no room for it, keep trying both ways."""
        left: Body | None = body
        while left is not None:
            self.account.moved(self.clock)
            if await self.space.spool(left, droppable=droppable):
                self.account.landed(left.points)
                self.drain.look()
                return
            # What may correct a point in the spool must not get ahead of it, even now.
            if self.spool.is_beyond_horizon(left.first_us) and self.outage.probe():
                left = await self.sender.send(left, self.account.landed)
            elif droppable:
                self.space.drop(left)
                self.account.landed(left.points)
                return
            else:
                await wait_at_most(self.outage.is_up, RETRY, clock=self.clock)


def repeats(points: Sequence[Point], before: Sequence[Point]) -> bool:
    """Say whether any point has the series and the time of one that goes before it."""
    if not before or min(map(TIME_OF, points)) > max(map(TIME_OF, before)):
        return False
    known = {(series.name, time_us) for series, time_us, _ in before}
    return any((series.name, time_us) in known for series, time_us, _ in points)
