"""A clock that jumps, so that tests cross years without waiting.

Everything that waits does so through ``clock.sleep``; a test either moves the
time itself with ``advance`` and ``step``, or lets ``drive`` jump to the next
sleeper whenever nothing else can run.
"""

import asyncio
import heapq
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Final, TypeVar

T = TypeVar("T")

MICROSECONDS: Final = 1_000_000
START: Final = 1_700_000_000.0  # 2023-11-14 22:13:20 UTC, a multiple of 20 s


class VirtualClock:
    """A clock that stands still until it is told to move; implements ``ingestd.clock.Clock``.

    Args:
        start: What the wall clock shows first, in seconds since the Unix epoch.
        patience: How long, in real seconds, no socket, process or thread may have
            stirred before ``drive`` jumps. 0 is right unless the code under test
            works with those; 0.02 is then plenty on loopback.
    """

    def __init__(self, start: float = START, *, patience: float = 0.0) -> None:
        self._patience = patience
        # Whole microseconds: with floats a sleep could be too short to move the time at all.
        self._elapsed_us = 0
        self._wall_us = round(start * MICROSECONDS)
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._order = count()
        self._new_sleeper = asyncio.Event()
        self._outside = 0
        self._all_back = asyncio.Event()

    def now(self) -> float:
        """Return the wall clock's time, in seconds since the Unix epoch."""
        return (self._wall_us + self._elapsed_us) / MICROSECONDS

    def monotonic(self) -> float:
        """Return the seconds that passed since the clock was made; ``step`` does not count."""
        return self._elapsed_us / MICROSECONDS

    @property
    def sleepers(self) -> int:
        """How many tasks wait on this clock right now."""
        return sum(not future.done() for _, _, future in self._sleepers)

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock was moved that far."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        due_us = self._elapsed_us + max(1, round(seconds * MICROSECONDS))
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (due_us, next(self._order), future))
        self._new_sleeper.set()
        await future

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Keep ``drive`` from jumping while something is waited for that a busy machine delays."""
        self._outside += 1
        self._all_back.clear()
        try:
            yield
        finally:
            self._outside -= 1
            if not self._outside:
                self._all_back.set()

    def step(self, seconds: float) -> None:
        """Set the wall clock forward (or back, if negative), as NTP or a suspend does.

        No sleeper wakes up, and no monotonic time passes.
        """
        self._wall_us += round(seconds * MICROSECONDS)

    async def advance(self, seconds: float) -> None:
        """Let that much time pass, waking those who are due, in order, each at its own time.

        What a woken task does, sleeping again included, happens before the next one wakes.
        """
        target_us = self._elapsed_us + round(seconds * MICROSECONDS)
        await settle()
        while (due_us := self._next_due()) is not None and due_us <= target_us:
            self._wake_next()
            await settle()
        self._elapsed_us = target_us

    async def drive(self, awaitable: Awaitable[T], *, within: float | None = None) -> T:
        """Return the awaitable's result, jumping to the next sleeper as often as needed.

        Args:
            awaitable: What to wait for; it is cancelled if the driving is.
            within: The virtual seconds that it may take, or None for no limit.

        Raises:
            TimeoutError: It took longer.
        """
        task = asyncio.ensure_future(awaitable)
        limit_us = None if within is None else self._elapsed_us + round(within * MICROSECONDS)
        try:
            while not await self._idle_or(task):
                due_us = self._next_due()
                if limit_us is not None and due_us is not None and due_us > limit_us:
                    message = f"not done within {within} s on the virtual clock"
                    raise TimeoutError(message)
                self._wake_next()
            return await task
        finally:
            task.cancel()

    async def _idle_or(self, task: "asyncio.Future[Any]") -> bool:
        """Return whether the task is done, once it is or only a jump can go on."""
        while True:
            await settle()
            if task.done():
                return True
            if self._outside:
                await first(task, self._all_back)
            elif self._next_due() is None:
                self._new_sleeper.clear()
                await first(task, self._new_sleeper)
            elif await self._is_still():
                return task.done()

    async def _is_still(self) -> bool:
        """Return whether nothing has stirred for as long as the patience lasts."""
        if not self._patience:
            return True
        stirred = await stirs(self._patience)
        return not (stirred or self._outside)  # a timer of the loop may have begun something

    def _next_due(self) -> int | None:
        """Return when the next sleeper wakes, forgetting those that were cancelled."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    def _wake_next(self) -> None:
        """Move the time to the next sleeper and wake it."""
        due_us, _, future = heapq.heappop(self._sleepers)
        self._elapsed_us = due_us
        if not future.done():
            future.set_result(None)


async def settle() -> None:
    """Return once nothing else on the event loop can run without time passing or input."""
    # The loop's own queue is private, but nothing public tells "idle" from "busy".
    ready: Any = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
    await asyncio.sleep(0)
    while ready:  # noqa: ASYNC110 -- no event tells when the loop's own list is empty
        await asyncio.sleep(0)


async def first(task: "asyncio.Future[Any]", event: asyncio.Event) -> None:
    """Wait, in real time, until a task is done or an event is set."""
    waiter = asyncio.ensure_future(event.wait())
    await asyncio.wait({task, waiter}, return_when=asyncio.FIRST_COMPLETED)
    waiter.cancel()


async def stirs(seconds: float) -> bool:
    """Return whether a socket or a thread woke the event loop within some real seconds."""
    with counted_wakeups() as wakeups:
        await asyncio.sleep(seconds)
    return bool(wakeups)


@contextmanager
def counted_wakeups() -> Iterator[list[int]]:
    """Collect how many events each look at the sockets brought, if any."""
    selector: Any = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]
    wakeups: list[int] = []
    select = selector.select

    def counting(timeout: float | None = None) -> Any:
        events = select(timeout)
        if events:
            wakeups.append(len(events))
        return events

    selector.select = counting
    try:
        yield wakeups
    finally:
        selector.select = select
