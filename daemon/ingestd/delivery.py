"""The stage between a lane and its store: every point ends up somewhere durable.

Theory of operation. There is one ``Delivery`` for each store. Its live side
takes batches from the lane, at most two at a time, and gives each to the sink;
its drain side takes bodies from the spool, one at a time, and the next leave
while those before are being deleted. Both end in ``_send``:

* the store takes the body: its points are *stored*;
* the store is unavailable: the points are *spooled*, and from then on batches go
  straight to the spool until the drain side's probe gets through;
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
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from typing import Any, Final

from ingestd.buffer import Buffer, Lane
from ingestd.clock import Clock, wait_at_most
from ingestd.deadletters import DeadLetters, delete
from ingestd.errors import BodyRejected, BodyTooLarge, DiskFull, StoreUnavailable
from ingestd.model import Batch, Body, Point
from ingestd.outage import Outage
from ingestd.sinks.protocol import Sink
from ingestd.spool import Spool, Spooled

IN_FLIGHT: Final = 2
# A body that is all bad costs two requests a point; past this the rest is refused unseen.
MOST_REQUESTS: Final = 256
FULL_RETRY: Final = 5.0
# The backoff may be cut short, by a change of the store's config for example.
LOOK_AGAIN: Final = 1.0
RESUME_BELOW: Final = 0.9
DRAIN_AHEAD: Final = 8
TIME_OF: Final = itemgetter(1)


@dataclass(slots=True)
class Tally:
    """Where the points of one store went; the rest of the sum is counted by their owners.

    Attributes:
        inherited: Found spooled or dead when the daemon started.
        stored: The store took them.
        dropped: Given up: a full spool, too old, damaged on disk, or purged by the operator.
        in_flight: Out of the lane, and not yet anywhere else.
        drained: Taken by the store, and about to leave the spool.
    """

    inherited: int = 0
    stored: int = 0
    dropped: int = 0
    in_flight: int = 0
    drained: int = 0


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch, encoded."""

    fresh: Sequence[Body]
    behind: Sequence[Body]
    refused: Sequence[tuple[bytes, str]]
    raw_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a delivery keeps to.

    Attributes:
        points: Most points in a body made of several spooled ones.
        size_bytes: Largest body before compression.
        write_ahead: Whether every batch goes to the spool before it is sent.
        spool_age: How long a body may wait in the spool, in seconds, or None for ever.
        stalled: How long a delivery may be busy without any progress, in seconds.
    """

    points: int
    size_bytes: int
    write_ahead: bool = False
    spool_age: float | None = None
    stalled: float = 120.0


@dataclass(kw_only=True)
class Delivery:
    """Carries the points of one store to safety.

    Attributes:
        name: The store's name.
        pool: Where bodies are encoded and compressed.
        tally: Where the points went.
        moved_at: When something last moved, in monotonic seconds.
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
    moved_at: float = 0.0

    def __post_init__(self) -> None:
        self.recovered = asyncio.Event()
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._backlog = asyncio.Event()
        self._giving_up = asyncio.Event()
        self._patience: set[asyncio.Timeout] = set()  # with answers of the store
        self._full = self._opened = False

    async def run(self) -> None:
        """Deliver until the lane is closed and empty."""
        await self.spool.open()
        await self.dead.open()
        self.tally.inherited = self.spool.holds.points + self.dead.count
        self.recovered.set()
        self._note_backlog()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._drain(), name=f"ingestd[{self.name}].drain")
            await self._live()
            self.give_up()
        await self.sink.close()

    def give_up(self) -> None:
        """Stop sending: what is in memory goes to the spool, and what is there stays."""
        self._giving_up.set()
        for patience in self._patience:
            patience.reschedule(0)
        self._patience.clear()
        self._backlog.set()

    @property
    def stuck(self) -> bool:
        """Whether it has something under way that does not move."""
        idle = self.clock.monotonic() - self.moved_at
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

    async def retry(self, ids: Sequence[int], payloads: Sequence[bytes]) -> None:
        """Put dead letters back into the queue."""
        body = Body(self.sink.join(payloads), len(payloads), 0, 0)
        await self.spool.append(body, droppable=False, also=lambda db: delete(db, ids))
        self.dead.count -= len(payloads)
        self._note_backlog()

    async def purge(self, ids: Sequence[int]) -> int:
        """Forget dead letters; return how many there were."""
        removed = await self.dead.remove(ids)
        self.tally.dropped += removed
        return removed

    # -- the live side

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
                    self.moved_at = self.clock.monotonic()
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
        await self._bury(prepared.refused, self._landed)
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

    def _encode(self, points: Sequence[Point]) -> Iterator[Any]:
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
        if not self.outage.up or self.limits.write_ahead or self._giving_up.is_set():
            return body
        return await self._send(body, self._landed)

    def _behind_an_earlier_one(self, body: Body) -> Body | None:
        """Return a stored body if one that was spooled meanwhile could overwrite it."""
        if self.spool.overtakes(body.first_us):
            return None
        self.tally.stored -= body.points
        self.tally.in_flight += body.points
        return body

    async def _set_down(self, body: Body, *, droppable: bool) -> None:
        """Spool a body; where there is no room, drop what may be dropped, or wait."""
        left: Body | None = body
        while left is not None:
            self.moved_at = self.clock.monotonic()
            if await self._spool(left, droppable=droppable):
                self._landed(left.points)
                return
            if self._giving_up.is_set():  # nothing is sent any more: only room can help
                await self.clock.sleep(FULL_RETRY)
            elif self.outage.probe():
                left = await self._send(left, self._landed)
            else:
                await wait_at_most(self.outage.is_up, FULL_RETRY, clock=self.clock)

    async def _spool(self, body: Body, *, droppable: bool) -> bool:
        """Spool a body, or drop it if it may be; return whether either is done."""
        size = len(body.data)
        if droppable and not self.spool.has_room(size):
            await self._drop_oldest(size)
            if not self.spool.has_room(size):
                return self._drop(body.points)
        try:
            await self.spool.append(body, droppable=droppable)
        except DiskFull as error:
            self._pause(str(error))
            return droppable and not await self._drop_oldest(size) and self._drop(body.points)
        if not self.spool.has_room(1):
            self._pause(f"the spool has reached {self.spool.limit_bytes} bytes")
        self._resume()  # the disk may have been full, and is not any more
        self._note_backlog()
        return True

    async def _drop_oldest(self, size_bytes: int) -> int:
        points = await self.spool.drop_oldest(size_bytes)
        self.tally.dropped += points
        return points

    def _drop(self, points: int) -> bool:
        self.tally.dropped += points
        return True

    def _pause(self, why: str) -> None:
        if not self._full:
            self._full = True
            self.buffer.pause(self.name)
            self.log.error(
                "spool full: collectors with a cursor wait, the others lose their oldest readings",
                reason=why,
                points=self.spool.holds.points,
            )

    def _resume(self) -> None:
        if self._full and self.spool.holds.size_bytes <= RESUME_BELOW * self.spool.limit_bytes:
            self._full = False
            self.buffer.resume(self.name)
            self.log.info("spool has room again", dropped=self.tally.dropped)

    def _landed(self, points: int) -> None:
        self.tally.in_flight -= points

    # -- the drain side

    async def _drain(self) -> None:
        while True:
            await self._backlog.wait()
            if self._giving_up.is_set():
                return
            await self._expire()
            if not self.outage.probe():
                await self._wait_for_probe()
                continue
            try:
                await self._drain_some()
            finally:
                self.spool.let_go()
                self.outage.give_back()
            self._note_backlog()

    async def _wait_for_probe(self) -> None:
        wait = min(max(self.outage.retry_in, 0.01), LOOK_AGAIN)
        await wait_at_most(self._giving_up, wait, clock=self.clock)

    async def _drain_some(self) -> None:
        spooled, lost = await self.spool.oldest(self.limits.points * DRAIN_AHEAD)
        self.tally.dropped += lost
        if lost:
            self.log.error("spooled points were damaged on disk and set aside", points=lost)
        sent: list[Spooled] = []
        async with asyncio.TaskGroup() as group:
            removing: asyncio.Task[None] | None = None
            for together in grouped(spooled, self.limits.points):
                body = self._joined([each.body for each in together])
                left = await self._send(body, self._drained)
                if left is body:
                    return
                if left is not None:
                    if removing is not None:
                        await removing
                    await self._take_out(together, body.points, left)
                    return
                sent += together
                if removing is None or removing.done():
                    removing = group.create_task(
                        self._take_out_all(sent), name=f"ingestd[{self.name}].take-out"
                    )
                if self._giving_up.is_set():
                    return

    async def _take_out_all(self, sent: list[Spooled]) -> None:
        """Take what was sent out of the spool, and what is sent meanwhile at one go."""
        while sent:
            some = sent[:]
            sent.clear()
            await self._take_out(some, sum(each.body.points for each in some), None)

    async def _take_out(self, spooled: Sequence[Spooled], points: int, left: Body | None) -> None:
        await self._persist(lambda: self.spool.replace(spooled, left))
        self.tally.drained -= points - (left.points if left else 0)
        self._resume()

    async def _expire(self) -> None:
        if self.limits.spool_age is None:
            return
        points = await self.spool.expire(self.clock.now() - self.limits.spool_age)
        if points:
            self.tally.dropped += points
            self.log.error("spooled points grew too old and were dropped", points=points)

    def _drained(self, points: int) -> None:
        self.tally.drained += points

    def _note_backlog(self) -> None:
        if self.spool.holds.bodies or self._giving_up.is_set():
            self._backlog.set()
        else:
            self._backlog.clear()

    # -- both

    async def _send(self, body: Body, moved: Callable[[int], None]) -> Body | None:
        """Give a body to the store; return what it may take later.

        Args:
            body: What to send.
            moved: Called with the number of points that were stored or buried.
        """
        waiting, requests = [body], 0
        while waiting:
            piece = waiting.pop()
            requests += 1
            try:
                await self._write(piece.data)
            except StoreUnavailable as error:
                if not self._giving_up.is_set():
                    self.outage.failed(str(error), retry_after=error.retry_after)
                return self._joined([piece, *reversed(waiting)])
            except (BodyRejected, BodyTooLarge) as error:
                self.outage.succeeded()  # it refuses this body, but it is there
                enough = requests >= MOST_REQUESTS
                waiting += reversed(await self._sift(piece, error, moved, give_up=enough))
            else:
                self.outage.succeeded()
                self.tally.stored += piece.points
                moved(piece.points)
        return None

    async def _write(self, data: bytes) -> None:
        """Write to the sink, unless we give up first."""
        self.moved_at = self.clock.monotonic()
        try:
            async with asyncio.timeout(0 if self._giving_up.is_set() else None) as patience:
                self._patience.add(patience)
                try:
                    await self._open_and_write(data)
                finally:
                    self._patience.discard(patience)
        except TimeoutError:
            if not patience.expired():
                raise
            problem = "gave up waiting for an answer, because we stop"
            raise StoreUnavailable(problem) from None

    async def _open_and_write(self, data: bytes) -> None:
        if not self._opened:
            await self.sink.open()
            self._opened = True
        await self.sink.write(data)

    async def _sift(
        self,
        body: Body,
        error: BodyRejected | BodyTooLarge,
        moved: Callable[[int], None],
        *,
        give_up: bool,
    ) -> list[Body]:
        """Bury what a store refused for certain; return what is to be tried again."""
        payloads = self.sink.split(body.data)
        if len(payloads) == 1 or give_up:
            await self._bury([(payload, str(error)) for payload in payloads], moved)
            return []
        bad = error.bad if isinstance(error, BodyRejected) else {}
        if bad:
            await self._bury([(payloads[at], why) for at, why in bad.items()], moved)
            rest = [payload for at, payload in enumerate(payloads) if at not in bad]
            if isinstance(error, BodyRejected) and error.rest_stored:
                self.tally.stored += len(rest)
                moved(len(rest))
                return []
            return [self._part(body, rest)] if rest else []
        middle = len(payloads) // 2
        return [self._part(body, payloads[:middle]), self._part(body, payloads[middle:])]

    async def _bury(
        self, refused: Sequence[tuple[bytes, str]], moved: Callable[[int], None]
    ) -> None:
        if not refused:
            return
        await self._persist(lambda: self.dead.add(refused))
        moved(len(refused))
        self.log.error("points refused for good", points=len(refused), reason=refused[0][1])

    async def _persist(self, action: Callable[[], Awaitable[None]]) -> None:
        """Do what needs a little room on disk, however long it takes to have some."""
        while True:
            try:
                return await action()
            except DiskFull as error:
                self._pause(str(error))
                self.moved_at = self.clock.monotonic()
                await self.clock.sleep(FULL_RETRY)

    def _part(self, body: Body, payloads: Sequence[bytes]) -> Body:
        return Body(self.sink.join(payloads), len(payloads), body.first_us, body.last_us)

    def _joined(self, bodies: Sequence[Body]) -> Body:
        if len(bodies) == 1:
            return bodies[0]
        payloads = [payload for body in bodies for payload in self.sink.split(body.data)]
        return Body(
            self.sink.join(payloads),
            len(payloads),
            min(body.first_us for body in bodies),
            max(body.last_us for body in bodies),
        )


def grouped(spooled: Sequence[Spooled], points: int) -> Iterator[list[Spooled]]:
    """Put small bodies together until they hold about so many points."""
    group: list[Spooled] = []
    held = 0
    for each in spooled:
        if group and held + each.body.points > points:
            yield group
            group, held = [], 0
        group.append(each)
        held += each.body.points
    if group:
        yield group
