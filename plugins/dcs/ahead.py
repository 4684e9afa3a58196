"""Reading ahead: a source of items is asked for more while its taker is busy with others."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")


async def read_ahead(
    items: AsyncGenerator[T, None], *, most: int, name: str
) -> AsyncGenerator[T, None]:
    """Yield the items as they come, and raise what they raise behind them.

    Args:
        items: Closed at the end, before this generator is.
        most: How many may wait for the taker.
        name: The name of the task that reads.
    """
    waiting: asyncio.Queue[T | None] = asyncio.Queue()
    room = asyncio.Semaphore(most)

    async def fetch() -> None:
        try:
            async with aclosing(items) as found:
                async for each in found:
                    await room.acquire()
                    waiting.put_nowait(each)
        finally:
            waiting.put_nowait(None)

    task = asyncio.create_task(fetch(), name=name)
    try:
        while (each := await waiting.get()) is not None:
            room.release()
            yield each
        await task
    finally:
        task.cancel()
        await asyncio.wait({task})
