"""The clock that the other tests jump with."""

import asyncio
import time

import pytest

from ingestd.clock import Clock
from tests.support.clock import VirtualClock

YEAR = 365 * 86_400.0


async def test_advance_wakes_the_due_in_order_each_at_its_own_time() -> None:
    """A task that sleeps again within the span is woken again, between the others."""
    clock = VirtualClock(start=1000.0)
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, every: float) -> None:
        while True:
            await clock.sleep(every)
            woken.append((name, clock.now()))

    tasks = [asyncio.create_task(sleeper("a", 3)), asyncio.create_task(sleeper("b", 2))]
    await clock.advance(6.5)

    assert woken == [("b", 1002), ("a", 1003), ("b", 1004), ("a", 1006), ("b", 1006)]
    assert (clock.now(), clock.monotonic(), clock.sleepers) == (1006.5, 6.5, 2)
    for task in tasks:
        task.cancel()


async def test_drive_jumps_years_in_no_time() -> None:
    """The result of something that takes years arrives at once, at the right time."""
    clock = VirtualClock(start=0.0)

    async def wait() -> str:
        for _ in range(10):
            await clock.sleep(YEAR)
        return "done"

    result = await clock.drive(wait())

    assert (result, clock.now()) == ("done", 10 * YEAR)


async def test_drive_does_not_jump_while_a_thread_works() -> None:
    """With patience, a deadline on the clock does not pass during real work."""
    clock = VirtualClock(start=0.0, patience=0.05)

    async def work() -> float:
        deadline = asyncio.create_task(clock.sleep(60))
        for _ in range(5):
            await asyncio.to_thread(time.sleep, 0.001)
        deadline.cancel()
        return clock.now()

    assert await clock.drive(work()) == 0


async def test_drive_does_not_jump_while_something_is_outside() -> None:
    """However long a thread is kept waiting by a busy machine, no patience runs out."""
    clock = VirtualClock(start=0.0)

    async def work() -> float:
        deadline = asyncio.create_task(clock.sleep(60))
        with clock.outside():
            await asyncio.to_thread(time.sleep, 0.02)
        deadline.cancel()
        return clock.now()

    assert await clock.drive(work()) == 0


async def test_drive_does_not_jump_if_a_timer_has_begun_something_outside() -> None:
    """Patience may have begun before that."""
    clock = VirtualClock(start=0.0, patience=0.03)

    async def work() -> float:
        deadline = asyncio.create_task(clock.sleep(60))
        await asyncio.sleep(0.02)
        with clock.outside():
            await asyncio.to_thread(time.sleep, 0.05)
        deadline.cancel()
        return clock.now()

    assert await clock.drive(work()) == 0


async def test_drive_gives_up_at_its_limit() -> None:
    """What never ends is reported, and cancelled."""
    clock = VirtualClock()

    async def forever() -> None:
        while True:
            await clock.sleep(10)

    with pytest.raises(TimeoutError, match="60"):
        await clock.drive(forever(), within=60)

    await asyncio.sleep(0)
    assert clock.sleepers == 0


async def test_step_moves_only_the_wall_clock() -> None:
    """A step wakes no sleeper, and durations do not notice it."""
    clock = VirtualClock(start=5000.0)
    task = asyncio.create_task(clock.sleep(10))
    await clock.advance(1)

    clock.step(-3000)
    await clock.advance(8)

    assert (clock.now(), clock.monotonic(), task.done()) == (2009.0, 9.0, False)
    await clock.advance(1)
    assert task.done()


async def test_even_the_shortest_sleep_moves_the_time() -> None:
    """A sleep below the clock's resolution cannot stand still for ever."""
    clock = VirtualClock(start=1.7e9)

    await clock.drive(clock.sleep(1e-9))

    assert clock.now() > 1.7e9


def test_it_is_a_clock() -> None:
    """The type checker holds it to the daemon's protocol."""
    clock: Clock = VirtualClock(start=5.0)

    assert clock.now() == 5.0
