"""The way to one store, where points become batches.

Theory of operation. A batch is due because it is large enough, because its oldest
point has waited for ``linger``, or because a collector waits for a receipt while
no other batch is on its way. It is made of points of one priority.

Points of a backfill, which are of the past, must not delay those of the present: a
batch is made of them only while no other is due, and one is sent at a time, so that the
next one finds a way that is free. Their part of the buffer may be less than a batch,
so they are due as well for as long as more of them wait for room. Only points that may
correct some of those that wait, having a time among theirs, go behind them: an old value
must not overwrite a new one. Then what waits of the backfill goes ahead of everything.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final

from ingestd.clock import Clock, wait_at_most
from ingestd.model import Batch, Point, Priority, Receipt

TICK: Final = 0.001  # seconds that a clock may be off when a lingering point is due
TIME_OF: Final = itemgetter(1)


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
        self._waiting = {priority: Waiting() for priority in Priority}
        self._live = self._waiting[Priority.SOURCE_KEEPS], self._waiting[Priority.DROPPABLE]
        self._backfill = self._waiting[Priority.BACKFILL]
        self._backfill_us = (0, 0)  # its first and its last time
        self._backfill_in_flight = self._backfill_ahead = 0
        self._pressed = False
        self._some, self._due = asyncio.Event(), asyncio.Event()
        self.accepted = 0
        self._in_flight = 0
        self._point_bytes = 64.0
        self._hurried = False
        self._closed = False

    @property
    def largest(self) -> int:
        """How many points a batch has at most."""
        return self._limit

    @property
    def points(self) -> int:
        """How many points wait here."""
        return sum(each.points for each in self._waiting.values())

    @property
    def oldest_age(self) -> float:
        """How long the oldest point has waited here, in seconds; 0 if there is none."""
        since = [each.since for each in self._waiting.values() if each.points]
        return self._clock.monotonic() - min(since) if since else 0.0

    def add(self, points: Sequence[Point], receipt: Receipt, *, priority: Priority) -> None:
        """Take the points of one result."""
        waiting = self._waiting[priority]
        if waiting is self._backfill:
            self._reach(points)
        elif self._backfill.points:
            self._let_go_ahead_what_is_corrected_by(points)
        waiting.add(points, receipt, now=self._clock.monotonic())
        self.accepted += len(points)
        if waiting is not self._backfill or not self._backfill_in_flight:
            self._notice(waiting)

    def hurry(self) -> None:
        """Make the next batch due as soon as nothing else is on its way."""
        self._hurried = True
        self._consider()

    def press(self, *, pressed: bool) -> None:
        """Make due what is here of a backfill, for as long as more of it waits for the room."""
        self._pressed = pressed
        if pressed and self._backfill in self._ready and self._backfill.points:
            self._notice(self._backfill)

    def close(self) -> None:
        """Make everything due; there will be no more."""
        self._closed = True
        self._some.set()
        self._due.set()

    async def next_batch(self) -> Batch | None:
        """Return the next batch when it is due, or None when the lane is closed and empty."""
        await self._some.wait()
        if not self._due.is_set():
            oldest = min(each.since for each in self._ready if each.points)
            waited = self._clock.monotonic() - oldest
            await wait_at_most(self._due, self._linger - waited, clock=self._clock)
        return self._cut()

    def done(self, batch: Batch, *, raw_bytes: int) -> None:
        """Learn that a batch has arrived somewhere, and how large its body was."""
        self._in_flight -= 1
        if batch.priority is Priority.BACKFILL:
            self._backfill_in_flight -= 1
            if self._backfill.points and not self._backfill_in_flight:
                self._notice(self._backfill)
        if raw_bytes:
            self._point_bytes += (raw_bytes / len(batch) - self._point_bytes) / 4
        self._consider()

    @property
    def _most(self) -> int:
        return max(1, min(self._limit, int(self._size_bytes / self._point_bytes)))

    @property
    def _ready(self) -> Sequence[Waiting]:
        """What a batch may be made of."""
        held_back = self._backfill_in_flight and not self._closed
        return self._live if held_back else (*self._live, self._backfill)

    def _notice(self, waiting: Waiting) -> None:
        """See whether what waits is enough for a batch."""
        self._some.set()
        if waiting.points >= self._most or (self._pressed and waiting is self._backfill):
            self._due.set()

    def _consider(self) -> None:
        if self._hurried and not self._in_flight and any(each.points for each in self._ready):
            self._due.set()

    def _cut(self) -> Batch | None:
        if not self.points:
            return None  # closed
        priority = self._next_priority()
        parts = self._waiting[priority].take(self._most)
        self._in_flight += 1
        if priority is Priority.BACKFILL:
            self._backfill_in_flight += 1
            self._backfill_ahead = max(0, self._backfill_ahead - sum(len(it) for it, _ in parts))
        if not self.points:
            self._hurried = False
        if not self._closed:
            self._some.clear()
            self._due.clear()
            for waiting in self._ready:
                if waiting.points:
                    self._notice(waiting)
        return Batch(parts, priority)

    def _next_priority(self) -> Priority:
        """Choose what the next batch is made of: the older of the two, a backfill behind them."""
        kept, droppable = self._live
        if self._backfill_ahead or not (kept.points or droppable.points):
            return Priority.BACKFILL
        if self._backfill in self._ready and self._backfill.points and not self._live_is_due():
            return Priority.BACKFILL
        if not kept.points or (droppable.points and droppable.since < kept.since):
            return Priority.DROPPABLE
        return Priority.SOURCE_KEEPS

    def _live_is_due(self) -> bool:
        if self._hurried or self._closed or max(each.points for each in self._live) >= self._most:
            return True
        since = min(each.since for each in self._live if each.points)
        return self._clock.monotonic() - since >= self._linger - TICK

    def _reach(self, points: Sequence[Point]) -> None:
        """Note which times the backfill that waits has."""
        times_us = [*map(TIME_OF, points), *(self._backfill_us if self._backfill.points else ())]
        self._backfill_us = min(times_us), max(times_us)

    def _let_go_ahead_what_is_corrected_by(self, points: Sequence[Point]) -> None:
        first_us, last_us = self._backfill_us
        times_us = list(map(TIME_OF, points))
        if min(times_us) <= last_us and max(times_us) >= first_us:
            self._backfill_ahead = self._backfill.points
