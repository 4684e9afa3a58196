"""An event loop whose time passes only while it has nothing to do.

Where both ends of a connection live on one loop, a time-out is to say that nobody answers.
On a busy machine the process is held up for longer than a short one, and the answer that was
about to come would be late. Time that the process was not given does not count here, nor
does that which it worked, so nothing is late but what waits for a later time itself.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

# What an input counts for at most; more than nothing, so that time goes on under a flood of it.
FOR_AN_INPUT: Final = 0.001  # seconds


class IdleTime:
    """The time of the running loop, while it is the loop's idle time."""

    def __init__(self, now: float) -> None:
        self._now = now

    def now(self) -> float:
        """Return the loop's time, in seconds."""
        return self._now

    def hold_up(self, seconds: float) -> None:
        """Let time pass as if something had kept the loop busy."""
        self._now += seconds


@contextmanager
def counting_idle_time() -> Iterator[IdleTime]:
    """Have the running loop count the time in which it was idle, and no other."""
    # Both are what asyncio itself uses, and nothing public takes their place on a running loop.
    loop: Any = asyncio.get_running_loop()
    selector, clock = loop._selector, loop.time
    select, idle = selector.select, IdleTime(clock())

    def counting(timeout: float | None = None) -> Any:
        began = clock()
        events = select(timeout)
        most = FOR_AN_INPUT if events or timeout is None else max(0.0, timeout)
        idle.hold_up(min(clock() - began, most))
        return events

    loop.time, selector.select = idle.now, counting
    try:
        yield idle
    finally:
        loop.time, selector.select = clock, select


@pytest.fixture
async def idle_time() -> AsyncIterator[IdleTime]:
    """Have time pass on the test's loop only while that has nothing to do."""
    with counting_idle_time() as idle:
        yield idle
