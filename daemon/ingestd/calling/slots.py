"""Who of those that wait for one of a few places comes next.

The one that waited longest, as a rule. But a place may suit some better than
others: a worker that has imported a plugin runs it at once, where another one would
have to be started. So one whom it suits goes first, as long as nobody is passed
over too often.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

MOST_PASSED: Final = 50


@dataclass(slots=True, eq=False)
class Turn:
    """Somebody who waits, and how often others went first."""

    key: Hashable
    come: asyncio.Future[None]
    passed: int = 0


class Slots:
    """Places for so many at once.

    Args:
        places: How many.
        suits: Returns the keys of those whom a free place suits best.
    """

    def __init__(self, places: int, *, suits: Callable[[], Collection[Hashable]]) -> None:
        self._free, self._suits = places, suits
        self._waiting = deque[Turn]()

    @asynccontextmanager
    async def place(self, key: Hashable) -> AsyncIterator[None]:
        """Hold a place."""
        await self.acquire(key)
        try:
            yield
        finally:
            self.release()

    async def acquire(self, key: Hashable = None) -> None:
        """Return once a place is ours."""
        if self._free:  # then nobody waits who could still come
            self._free -= 1
            return
        turn = Turn(key, asyncio.get_running_loop().create_future())
        self._waiting.append(turn)
        try:
            await turn.come
        except asyncio.CancelledError:
            if turn.come.cancelled():
                self._waiting.remove(turn)
            else:
                self.release()  # it was ours already
            raise

    def release(self) -> None:
        """Give a place back, to whoever comes next."""
        waiting = [turn for turn in self._waiting if not turn.come.done()]
        if not waiting:
            self._free += 1
            return
        turn = self._next(waiting)
        self._waiting.remove(turn)
        turn.come.set_result(None)

    def _next(self, waiting: list[Turn]) -> Turn:
        first = waiting[0]
        if first.passed >= MOST_PASSED:
            return first
        suited = self._suits()
        turn = next((each for each in waiting if each.key in suited), first)
        if turn is not first:
            first.passed += 1
        return turn
