"""Which of the calls that wait for a slot gets the next free one.

As a rule the call that has waited longest. But a free slot may suit some better than
others: a worker that has imported a plugin runs it at once, where another one would
have to be started. So a call that the slot suits goes first, as long as no other is
passed over too often.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

MOST_PASSED: Final = 50  # times that others go ahead of the call that has waited longest


@dataclass(slots=True, eq=False)
class Waiter:
    """A call that waits for a slot.

    Attributes:
        key: What a slot has to suit.
        granted: Done once the call has its slot.
        passed: How often others went ahead while it had waited longest.
    """

    key: Hashable
    granted: asyncio.Future[None]
    passed: int = 0


class Slots:
    """So many calls may go on at once; the others wait.

    Args:
        slots: How many.
        suits: Returns the keys of the calls that a free slot suits best.
    """

    def __init__(self, slots: int, *, suits: Callable[[], Collection[Hashable]]) -> None:
        self._free, self._suits = slots, suits
        self._waiting: list[Waiter] = []

    @asynccontextmanager
    async def hold(self, key: Hashable) -> AsyncIterator[None]:
        """Wait for a slot and hold it."""
        await self.acquire(key)
        try:
            yield
        finally:
            self.release()

    async def acquire(self, key: Hashable = None) -> None:
        """Return once the caller has a slot."""
        if self._free:
            self._free -= 1
            return
        waiter = Waiter(key, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        try:
            await waiter.granted
        except asyncio.CancelledError:
            if not waiter.granted.cancelled():  # the slot was granted before the cancellation came
                self.release()
            raise

    def release(self) -> None:
        """Give a slot back, to the call that comes next if any waits."""
        self._waiting = [each for each in self._waiting if not each.granted.cancelled()]
        if not self._waiting:
            self._free += 1
            return
        waiter = self._next()
        self._waiting.remove(waiter)
        waiter.granted.set_result(None)

    def _next(self) -> Waiter:
        first = self._waiting[0]
        if first.passed >= MOST_PASSED:
            return first
        suited = self._suits()
        waiter = next((each for each in self._waiting if each.key in suited), first)
        if waiter is not first:
            first.passed += 1
        return waiter
