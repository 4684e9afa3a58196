"""Points in memory, between the collectors and the stores.

Theory of operation. ``Buffer.put`` gives a result's points to one ``Lane`` for
each store and returns their receipt. A lane gathers points until a batch is
due: because it is large enough, because its oldest point has waited for
``linger``, or because somebody waits for a receipt while nothing else is on
its way.

The bound is on points whose receipt is not settled, whichever store they wait
for. When it is reached, ``put`` waits, and so do the collectors behind it, in
the order in which they came: a large result would otherwise wait for ever while
small ones slip in. A result that alone exceeds the bound is let in once the
buffer is empty.

Points of collectors that keep a position in their source are held apart from
those of collectors that do not: when the spool is full, the former wait in
their source and only the latter may be dropped.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ingestd.clock import Clock, wait_at_most
from ingestd.model import Batch, Point, Receipt


@dataclass(slots=True)
class Waiting:
    """Points of one kind that wait for their batch, oldest first."""

    parts: deque[tuple[Sequence[Point], Receipt]] = field(default_factory=deque)
    added: deque[float] = field(default_factory=deque)  # monotonic seconds, of each part
    taken: int = 0  # of the first part
    points: int = 0

    @property
    def since(self) -> float:
        """When the oldest part was added, in monotonic seconds."""
        return self.added[0]

    def add(self, points: Sequence[Point], receipt: Receipt, *, now: float) -> None:
        """Append the points of one result."""
        self.parts.append((points, receipt))
        self.added.append(now)
        self.points += len(points)

    def take(self, most: int) -> list[tuple[Sequence[Point], Receipt]]:
        """Remove and return parts of at most so many points together."""
        taken = []
        while self.parts and most > 0:
            points, receipt = self.parts[0]
            piece = points[self.taken : self.taken + most]
            taken.append((piece, receipt))
            most -= len(piece)
            self.points -= len(piece)
            self.taken += len(piece)
            if self.taken == len(points):
                self.parts.popleft()
                self.added.popleft()
                self.taken = 0
        return taken


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """A result that waits for room."""

    points: int
    droppable: bool
    come: asyncio.Future[None]


class Lane:
    """The way to one store, where points become batches.

    Args:
        points: Most points in a batch.
        size_bytes: Largest body, before compression, that a batch should make.
        linger: Longest time a point waits for its batch to fill, in seconds.
        clock: Where the time comes from.
    """

    def __init__(self, *, points: int, size_bytes: int, linger: float, clock: Clock) -> None:
        self._limit, self._size_bytes, self._linger = points, size_bytes, linger
        self._clock = clock
        self._kept, self._droppable = Waiting(), Waiting()
        self._some, self._due = asyncio.Event(), asyncio.Event()
        self.accepted = 0
        self._in_flight = 0
        self._point_bytes = 64.0
        self._hurried = False
        self._closed = False

    @property
    def points(self) -> int:
        """How many points wait here."""
        return self._kept.points + self._droppable.points

    @property
    def oldest_age(self) -> float:
        """How long the oldest point has waited here, in seconds; 0 if there is none."""
        since = [each.since for each in (self._kept, self._droppable) if each.points]
        return self._clock.monotonic() - min(since) if since else 0.0

    def add(self, points: Sequence[Point], receipt: Receipt, *, droppable: bool) -> None:
        """Take the points of one result."""
        waiting = self._droppable if droppable else self._kept
        waiting.add(points, receipt, now=self._clock.monotonic())
        self.accepted += len(points)
        self._some.set()
        if waiting.points >= self._most:
            self._due.set()

    def hurry(self) -> None:
        """Make the next batch due as soon as nothing else is on its way."""
        self._hurried = True
        self._consider()

    def close(self) -> None:
        """Make everything due; there will be no more."""
        self._closed = True
        self._some.set()
        self._due.set()

    async def next_batch(self) -> Batch | None:
        """Return the next batch when it is due, or None when the lane is closed and empty."""
        await self._some.wait()
        if not self._due.is_set():
            oldest = min(w.since for w in (self._kept, self._droppable) if w.points)
            waited = self._clock.monotonic() - oldest
            await wait_at_most(self._due, self._linger - waited, clock=self._clock)
        return self._cut()

    def done(self, *, points: int, raw_bytes: int) -> None:
        """Learn that a batch has arrived somewhere, and how large its body was."""
        self._in_flight -= 1
        if points and raw_bytes:
            self._point_bytes += (raw_bytes / points - self._point_bytes) / 4
        self._consider()

    @property
    def _most(self) -> int:
        return max(1, min(self._limit, int(self._size_bytes / self._point_bytes)))

    def _consider(self) -> None:
        if self._hurried and self.points and not self._in_flight:
            self._due.set()

    def _cut(self) -> Batch | None:
        if not self.points:
            return None  # closed
        waiting = self._kept
        if not self._kept.points or (
            self._droppable.points and self._droppable.since < self._kept.since
        ):
            waiting = self._droppable
        parts = waiting.take(self._most)
        self._in_flight += 1
        if not self.points:
            self._hurried = False
            if not self._closed:
                self._some.clear()
        if not self._closed and max(self._kept.points, self._droppable.points) < self._most:
            self._due.clear()
        return Batch(parts, droppable=waiting is self._droppable)


class Buffer:
    """All the points in memory.

    Args:
        capacity: Most points whose receipt is not settled.
    """

    def __init__(self, *, capacity: int) -> None:
        self.capacity = capacity
        self.lanes: Mapping[str, Lane] = {}
        self.held = 0
        self._paused: set[str] = set()
        self._queue: deque[Turn] = deque()

    async def put(self, points: Sequence[Point], *, droppable: bool) -> Receipt:
        """Take the points of one result, waiting for room; return their receipt."""
        await self._make_room(len(points), droppable=droppable)
        receipt = Receipt(len(points), stores=len(self.lanes), hurry=self._hurry)
        receipt.when_settled(lambda: self._release(len(points)))
        if points:
            for lane in self.lanes.values():
                lane.add(points, receipt, droppable=droppable)
        return receipt

    def pause(self, store: str) -> None:
        """Keep out points whose source keeps them too: this store's spool is full."""
        self._paused.add(store)

    def resume(self, store: str) -> None:
        """Let them in again."""
        self._paused.discard(store)
        self._admit()

    @property
    def paused(self) -> frozenset[str]:
        """The stores whose spool is full."""
        return frozenset(self._paused)

    async def _make_room(self, points: int, *, droppable: bool) -> None:
        """Return once so many points more are held."""
        if not self._queue and self._has_room(points, droppable=droppable):
            self.held += points
            return
        turn = Turn(points, droppable, asyncio.get_running_loop().create_future())
        self._queue.append(turn)
        self._admit()
        try:
            await turn.come
        except asyncio.CancelledError:
            if turn.come.cancelled():
                self._queue.remove(turn)
                self._admit()  # it may have stood in the way of a smaller one
            else:
                self._release(points)
            raise

    def _admit(self) -> None:
        """Let in as many as have room, in the order in which they came."""
        kept_out = deque[Turn]()
        while self._queue:
            turn = self._queue.popleft()
            if turn.come.cancelled() or (self._paused and not turn.droppable):
                kept_out.append(turn)  # one that was cancelled takes itself out
            elif self._has_room(turn.points, droppable=turn.droppable):
                self.held += turn.points
                turn.come.set_result(None)
            else:
                self._queue.appendleft(turn)
                break
        self._queue.extendleft(reversed(kept_out))

    def _has_room(self, points: int, *, droppable: bool) -> bool:
        if not points:
            return True
        if self._paused and not droppable:
            return False
        return not self.held or self.held + points <= self.capacity

    def _release(self, points: int) -> None:
        self.held -= points
        self._admit()

    def _hurry(self) -> None:
        for lane in self.lanes.values():
            lane.hurry()
