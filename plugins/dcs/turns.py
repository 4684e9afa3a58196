"""One transaction at a time for a server, however many collectors ask for one."""

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import IntEnum
from itertools import count


class Urgency(IntEnum):
    """Which transaction goes first of those that wait."""

    LEAVING = 0
    LIVE = 1
    BACKFILL = 2


class Turns:
    """A lock whose next holder is the most urgent of those that wait, then the first of them.

    Args:
        origin: Scheme, host and port of the server; all collectors that ask there share it.
    """

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self._busy = False
        self._waiting: list[tuple[Urgency, int, asyncio.Future[None]]] = []
        self._order = count()

    @asynccontextmanager
    async def turn(self, urgency: Urgency) -> AsyncIterator[None]:
        """Hold the server for a transaction, from its request to the end of its body."""
        await self._acquire(urgency)
        try:
            yield
        finally:
            self._release()

    async def _acquire(self, urgency: Urgency) -> None:
        if not self._busy:
            self._busy = True
            return
        mine = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (urgency, next(self._order), mine))
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._release()  # it was ours already
            raise

    def _release(self) -> None:
        """Hand over to the next that still waits."""
        while self._waiting:
            _, _, theirs = heapq.heappop(self._waiting)
            if not theirs.done():
                theirs.set_result(None)
                return
        self._busy = False
