"""Points in memory, between the collectors and the stores.

Theory of operation. ``Buffer.put`` gives a result's points to one lane for
each store (``lane``), where they become batches, and returns their receipt.

The bound is on points whose receipt is not settled, whichever store they wait
for. When it is reached, ``put`` waits, and so do the collectors behind it, in
the order in which they came: a large result would otherwise wait for ever while
small ones slip in. A result that alone exceeds the bound is let in once the
buffer is empty.

A run names the stores that were configured when it began, and its points go to these and
to no other. A reload may replace a store, which changes nothing, rename it, and then its
successor takes the points, or remove it. The receipt names those that are missing.

Points of collectors that keep a position in their source are held apart from
those of collectors that do not: when the spool is full, the former wait in
their source and only the latter may be dropped. Points of a backfill hold a part of the
buffer at most, and come into it when no collector waits.
"""

import asyncio
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from ingestd.delivery.lane import Lane
from ingestd.model import Point, Priority, Receipt

BACKFILL_PART: Final = 4  # of which backfills may hold one
RUN_PART: Final = 8  # of which one run may hold one,
BATCHES_OF_RUN: Final = 3  # or so many batches, so that sending need not wait for reading


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """A result that waits for room."""

    points: int
    priority: Priority
    come: asyncio.Future[None]


class Buffer:
    """All the points in memory.

    Args:
        capacity: Most points whose receipt is not settled.

    Attributes:
        lanes: The way to each store, by the store's name.
        successors: The former name of a store, with the one that it has now.
        held: How many such points there are.
        backfill: How many of them are of backfills.
    """

    def __init__(self, *, capacity: int) -> None:
        self.capacity = capacity
        self.lanes: Mapping[str, Lane] = {}
        self.successors: Mapping[str, str] = {}
        self.held = self.backfill = 0
        self._paused: dict[str, str] = {}  # why
        self._queue = deque[Turn]()
        self._behind = deque[Turn]()  # backfills, which wait until no collector does

    async def put(
        self,
        points: Sequence[Point],
        *,
        priority: Priority,
        stores: Collection[str] | None = None,
    ) -> Receipt:
        """Take the points of one result, waiting for room; return their receipt.

        Args:
            points: Of one collector.
            priority: Which of them wait, and which are dropped.
            stores: The names of those that are to take them, or None for all there are.
        """
        await self._make_room(len(points), priority)
        # Only now: a reload may have come while they waited for room.
        missing = [] if stores is None else self.missing(stores)
        lanes = self._lanes_of(self.lanes if stores is None else stores)
        receipt = Receipt(len(points), stores=len(lanes), hurry=self._hurry, missing=missing)
        receipt.when_settled(partial(self._release, len(points), priority))
        if points:
            for lane in lanes:
                lane.add(points, receipt, priority=priority)
        return receipt

    @property
    def stores(self) -> frozenset[str]:
        """The names of all stores there are."""
        return frozenset(self.lanes)

    def missing(self, stores: Collection[str]) -> list[str]:
        """Name those of some stores that are there no longer, under any name."""
        return sorted(name for name in stores if self._current(name) not in self.lanes)

    def pause(self, store: str, why: str = "is full") -> None:
        """Keep out points whose source keeps them too; ``why`` says how this store's spool is."""
        self._paused[store] = why

    def resume(self, store: str) -> None:
        """Let in again what waits for this store's spool alone."""
        self._paused.pop(store, None)
        self._admit()

    @property
    def paused(self) -> frozenset[str]:
        """The stores whose spool takes no more."""
        return frozenset(self._paused)

    @property
    def full(self) -> str:
        """What points wait for while they are not taken."""
        spools = [f"the spool of {name} {why}" for name, why in sorted(self._paused.items())]
        return ", ".join(spools) or "the buffer is full"

    @property
    def most_backfill(self) -> int:
        """How many points backfills may hold."""
        return max(1, self.capacity // BACKFILL_PART)

    @property
    def most_of_run(self) -> int:
        """How many points one run may hold."""
        batch = max((lane.largest for lane in self.lanes.values()), default=0)
        return min(max(self.capacity // RUN_PART, BATCHES_OF_RUN * batch), self.capacity)

    def _current(self, store: str) -> str:
        """Return the name that a store has now."""
        return store if store in self.lanes else self.successors.get(store, store)

    def _lanes_of(self, stores: Collection[str]) -> Sequence[Lane]:
        """Return the lanes of those of some stores that are there."""
        names = {self._current(each) for each in stores}
        return [lane for name, lane in self.lanes.items() if name in names]

    async def _make_room(self, points: int, priority: Priority) -> None:
        """Return once so many points more are held."""
        queue = self._behind if priority is Priority.BACKFILL else self._queue
        if not queue and not self._queue and self._has_room(points, priority):
            self._hold(points, priority)
            return
        turn = Turn(points, priority, asyncio.get_running_loop().create_future())
        queue.append(turn)
        self._admit()
        try:
            await turn.come
        except asyncio.CancelledError:
            if turn.come.cancelled():
                queue.remove(turn)
                self._admit()  # it may have stood in the way of a smaller one
            else:
                self._release(points, priority)
            raise

    def _admit(self) -> None:
        """Let in as many as have room, in the order in which they came."""
        self._let_in(self._queue)
        if not self._queue:
            self._let_in(self._behind)
        self._press(pressed=bool(self._behind))

    def _let_in(self, queue: deque[Turn]) -> None:
        kept_out = deque[Turn]()
        while queue:
            turn = queue.popleft()
            if turn.come.cancelled() or (self._paused and turn.priority is not Priority.DROPPABLE):
                kept_out.append(turn)  # one that was cancelled takes itself out
            elif self._has_room(turn.points, turn.priority):
                self._hold(turn.points, turn.priority)
                turn.come.set_result(None)
            else:
                queue.appendleft(turn)
                break
        queue.extendleft(reversed(kept_out))

    def _has_room(self, points: int, priority: Priority) -> bool:
        if not points:
            return True
        if self._paused and priority is not Priority.DROPPABLE:
            return False
        if priority is Priority.BACKFILL and not fits(points, self.backfill, self.most_backfill):
            return False
        return fits(points, self.held, self.capacity)

    def _hold(self, points: int, priority: Priority) -> None:
        self.held += points
        if priority is Priority.BACKFILL:
            self.backfill += points

    def _release(self, points: int, priority: Priority) -> None:
        self._hold(-points, priority)
        self._admit()

    def _press(self, *, pressed: bool) -> None:
        for lane in self.lanes.values():
            lane.press(pressed=pressed)

    def _hurry(self) -> None:
        for lane in self.lanes.values():
            lane.hurry()


def fits(points: int, held: int, most: int) -> bool:
    """Say whether so many more are within a bound; alone, more than that are."""
    return not held or held + points <= most
