"""Time as the daemon sees it: a protocol, so that tests can jump."""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> float:
        """Return the wall clock's time, in seconds since the Unix epoch; it may step."""

    def monotonic(self) -> float:
        """Return seconds on a clock that never steps, for durations and deadlines."""

    async def sleep(self, seconds: float) -> None:
        """Wait that many seconds of the monotonic clock."""


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> float:
        """Return the wall clock's time, in seconds since the Unix epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds of the monotonic clock."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait that many seconds."""
        await asyncio.sleep(seconds)


class Alarm:
    """A clock for one sleeper, which knows whether that woke when it should have.

    Attributes:
        due: When the sleeper should be, or should have been, awake, in monotonic seconds.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock, self.due = clock, clock.monotonic()

    def now(self) -> float:
        """Return the wall clock's time, in seconds since the Unix epoch."""
        return self._clock.now()

    def monotonic(self) -> float:
        """Return seconds of the monotonic clock."""
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait that many seconds."""
        self.due = self.monotonic() + seconds
        await self._clock.sleep(seconds)


async def wait_at_most(event: asyncio.Event, seconds: float, *, clock: Clock) -> bool:
    """Wait for an event for that many seconds at most; return whether it is set."""
    if event.is_set() or seconds <= 0:
        return event.is_set()
    tasks = {
        asyncio.ensure_future(event.wait()),
        asyncio.ensure_future(clock.sleep(seconds)),
    }
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    return event.is_set()
