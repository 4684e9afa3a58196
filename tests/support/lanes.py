"""A buffer with one lane, on a clock that stands still."""

import asyncio
from collections.abc import Awaitable
from typing import Any, Final, TypeVar

import pytest

from ingestd.delivery.buffer import Buffer
from ingestd.delivery.lane import Lane
from ingestd.model import Batch, Priority, Receipt
from tests.support.clock import VirtualClock, settle
from tests.support.pipeline import points

T = TypeVar("T")

LINGER: Final = 10.0


class OneLane:
    """A buffer with one lane on a clock that stands still."""

    def __init__(self, *, capacity: int = 100, batch: int = 10, size_bytes: int = 10**6) -> None:
        self.clock = VirtualClock()
        self.lane = Lane(points=batch, size_bytes=size_bytes, linger=LINGER, clock=self.clock)
        self.buffer = Buffer(capacity=capacity)
        self.buffer.lanes = {"main": self.lane}

    async def put(self, *times: int, priority: Priority = Priority.SOURCE_KEEPS) -> Receipt:
        """Put points into the buffer, which must have room."""
        return await at_once(self.buffer.put(points(*times), priority=priority))

    def later(
        self, *times: int, priority: Priority = Priority.SOURCE_KEEPS
    ) -> "asyncio.Task[Receipt]":
        """Begin to put points into the buffer."""
        return asyncio.create_task(self.buffer.put(points(*times), priority=priority))

    async def batch(self) -> Batch:
        """Return the next batch, which must be due."""
        batch = await at_once(self.lane.next_batch())
        assert batch is not None
        return batch

    def done(self, batch: Batch, *, raw_bytes: int = 0) -> None:
        """Have a batch arrive."""
        batch.settle()
        self.lane.done(batch, raw_bytes=raw_bytes)


async def at_once(awaitable: Awaitable[T]) -> T:
    """Return a result that needs no time to pass."""
    task: asyncio.Future[T] = asyncio.ensure_future(awaitable)
    await settle()
    if not task.done():
        task.cancel()
        pytest.fail("it waits")
    return task.result()


def seconds(batch: Batch) -> list[int]:
    """Return the times of a batch's points."""
    return [time_us // 1_000_000 for _, time_us, _ in batch.points]


async def waits(task: "asyncio.Task[Any]") -> bool:
    """Say whether a task cannot go on."""
    await settle()
    return not task.done()
