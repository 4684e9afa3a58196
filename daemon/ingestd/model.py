"""The words that every stage shares: series, point, receipt, batch, body.

Readings travel as lists of plain tuples, because objects made one by one cost
more than everything else the daemon does with them. A series is made once and
shared by all of its points.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, NamedTuple

from ingestd.plugins._limits import LATEST

MICROSECONDS: Final = 1_000_000
EARLIEST_US: Final = -LATEST * MICROSECONDS  # no point has a time before this one


Tags = tuple[tuple[str, str], ...]  # names and values, sorted


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """What a value belongs to, and how it is named in a store; compared by identity.

    Attributes:
        name: The identity that plugins use, stable for ever.
        tags: With ``name`` they are the identity in the store.
        measurement: The line protocol's measurement.
        field: The line protocol's field.
        unit: For people; empty if unknown.
    """

    name: str
    tags: Tags = ()
    measurement: str = "reading"
    field: str = "value"
    unit: str = ""


# (series, time in microseconds since the Unix epoch, UTC, finite number)
Point = tuple[Series, int, float]


class Priority(Enum):
    """Which points wait, and which are dropped, when there is not room for all.

    Attributes:
        SOURCE_KEEPS: Their source keeps them too, so they wait in it.
        DROPPABLE: No source can be asked for them again, so the oldest of them are dropped.
        BACKFILL: Points of the past; their source keeps them, and all others go first.
    """

    SOURCE_KEEPS = "source_keeps"
    DROPPABLE = "droppable"
    BACKFILL = "backfill"

    # By identity, because each point's way through the buffer looks some up.
    __hash__ = object.__hash__


class StoredPoint(NamedTuple):
    """A point as a store gives it back."""

    series: str
    tags: dict[str, str]
    measurement: str
    field: str
    time_us: int
    value: float


class Receipt:
    """The promise that a set of points is safe.

    It is settled when every store has taken responsibility for every point:
    stored it, spooled it, or put it with the dead letters.

    Args:
        points: How many points it is for.
        stores: How many stores are to take each.
        hurry: Called when a collector begins to wait for it.
        missing: The names of stores that were to take them and are no longer there. The
            promise says nothing of these.
    """

    __slots__ = ("_callbacks", "_hurry", "_outstanding", "_waiter", "missing", "points")

    def __init__(
        self,
        points: int,
        *,
        stores: int,
        hurry: Callable[[], None],
        missing: Sequence[str] = (),
    ) -> None:
        self.points, self.missing = points, missing
        self._hurry = hurry
        self._outstanding = points * stores
        self._callbacks: list[Callable[[], None]] = []
        self._waiter: asyncio.Future[None] | None = None

    @property
    def settled(self) -> bool:
        """Whether every point is safe in every store."""
        return self._outstanding == 0

    def settle(self, points: int) -> None:
        """Note that one store has taken responsibility for some of the points."""
        self._outstanding -= points
        if self._outstanding:
            return
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def when_settled(self, callback: Callable[[], None]) -> None:
        """Call back once it is settled; at once if it already is."""
        if self.settled:
            callback()
        else:
            self._callbacks.append(callback)

    async def wait(self) -> None:
        """Return once it is settled, asking the stages to hurry."""
        if self.settled:
            return
        self._hurry()
        if self._waiter is None:
            self._waiter = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._waiter)


@dataclass(frozen=True, slots=True)
class Batch:
    """Points that travel together to one store.

    Attributes:
        parts: Points of one result each, with the receipt that waits for them.
        priority: That of all of its points.
    """

    parts: Sequence[tuple[Sequence[Point], Receipt]]
    priority: Priority

    @property
    def droppable(self) -> bool:
        """Whether a full spool may drop them."""
        return self.priority is Priority.DROPPABLE

    @property
    def points(self) -> Sequence[Point]:
        """All the points, in the order they came."""
        if len(self.parts) == 1:
            return self.parts[0][0]
        return [point for points, _ in self.parts for point in points]

    def __len__(self) -> int:
        return sum(len(points) for points, _ in self.parts)

    def settle(self) -> None:
        """Tell every receipt that this batch is safe."""
        for points, receipt in self.parts:
            receipt.settle(len(points))


@dataclass(frozen=True, slots=True)
class Body:
    """A batch as it is sent: encoded, and compressed if the store wants that.

    Attributes:
        data: What goes over the wire.
        points: How many points it holds.
        first_us: The earliest time in it, in microseconds since the Unix epoch.
        last_us: The latest.
    """

    data: bytes
    points: int
    first_us: int
    last_us: int
