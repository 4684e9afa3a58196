"""Waiting for ticks, while the wall clock steps and the machine sleeps."""

import asyncio
from datetime import UTC, datetime

from ingestd.collecting.schedule import (
    LONGEST_SLEEP,
    Schedule,
    interval,
    reached,
    ticks,
)
from tests.support.clock import VirtualClock
from tests.support.schedules import DAY, HOUR, UTC_ZONE, YEAR, cron


class CountingClock(VirtualClock):
    """Counts how often a task went to sleep."""

    sleeps = 0

    async def sleep(self, seconds: float) -> None:
        """Count, and sleep."""
        self.sleeps += 1
        await super().sleep(seconds)


async def wait_until(time: float, clock: VirtualClock) -> None:
    """Wait for a time, as often as the clock is set far back meanwhile."""
    while not await reached(time, clock):
        pass


async def test_waiting_ends_at_the_time_never_before() -> None:
    """A far tick is reached to the microsecond."""
    clock = VirtualClock(start=1000.0)

    await clock.drive(wait_until(1000 + 20 * DAY + 0.25, clock))

    assert clock.now() == 1000 + 20 * DAY + 0.25


async def test_time_that_has_passed_is_not_waited_for() -> None:
    """A tick in the past is due at once."""
    clock = VirtualClock(start=1000.0)

    await wait_until(999.0, clock)

    assert clock.monotonic() == 0


async def test_two_thousand_waiters_need_one_timer_each() -> None:
    """A near tick is slept for in one piece."""
    clock = CountingClock(start=1000.0)

    async with asyncio.TaskGroup() as group:
        for _ in range(2000):
            group.create_task(wait_until(1010.0, clock))
        await clock.advance(10)

    assert clock.sleeps == 2000


async def test_step_forward_is_noticed_soon() -> None:
    """After a suspend of hours the tick is run within the longest sleep."""
    clock = VirtualClock(start=0.0)
    waiter = asyncio.create_task(wait_until(8 * HOUR, clock))
    await clock.advance(5)

    clock.step(9 * HOUR)
    await clock.advance(LONGEST_SLEEP)

    assert waiter.done()


async def test_step_back_makes_the_wait_longer() -> None:
    """The wall clock has to get there, not the stop watch."""
    clock = VirtualClock(start=1000.0)
    waiter = asyncio.create_task(wait_until(1020.0, clock))
    await clock.advance(10)
    clock.step(-7000)

    await clock.drive(waiter)

    assert (clock.now(), clock.monotonic()) == (1020.0, 7020.0)


async def collect(
    schedule: Schedule, clock: VirtualClock, runs: list[tuple[float, int]], *, takes: float = 0
) -> None:
    """Run at every tick, noting what the schedule said."""
    async for time, missed in ticks(schedule, clock, last=None, catch_up="once"):
        runs.append((time, missed))
        await clock.sleep(takes)


async def test_ticks_during_a_run_are_missed_and_counted() -> None:
    """A run of 25 s every 10 s runs every 30 s, aligned, and says what it missed."""
    clock = VirtualClock(start=1_000.0)
    runs: list[tuple[float, int]] = []
    collector = asyncio.create_task(collect(interval(10), clock, runs, takes=25))
    await clock.advance(85)
    collector.cancel()

    assert runs == [(1010, 0), (1040, 2), (1070, 2)]


async def test_small_step_back_repeats_no_tick() -> None:
    """Ticks that were run are waited past."""
    clock = VirtualClock(start=1_000.0)
    runs: list[tuple[float, int]] = []
    collector = asyncio.create_task(collect(interval(10), clock, runs))
    await clock.advance(35)
    clock.step(-60)
    await clock.advance(85)
    collector.cancel()

    assert [time for time, _ in runs] == [1010, 1020, 1030, 1040, 1050, 1060]


async def test_large_step_back_silences_no_schedule() -> None:
    """A clock that was a year ahead is mended; the collector goes on within a minute."""
    clock = VirtualClock(start=YEAR)
    runs: list[tuple[float, int]] = []
    collector = asyncio.create_task(collect(interval(10), clock, runs))
    await clock.advance(25)
    clock.step(-YEAR)
    await clock.advance(60)
    collector.cancel()

    assert [time for time, _ in runs] == [YEAR + 10, YEAR + 20, 40, 50, 60, 70, 80]


async def test_daily_job_survives_a_large_step_back_while_it_waits() -> None:
    """The tick is decided anew, by the clock as it is now."""
    clock = VirtualClock(start=datetime(2030, 1, 1, 12, tzinfo=UTC).timestamp())
    runs: list[tuple[float, int]] = []
    collector = asyncio.create_task(collect(cron("0 3 * * *", zone=UTC_ZONE), clock, runs))
    await clock.advance(HOUR)
    clock.step(datetime(2024, 1, 1, 13, tzinfo=UTC).timestamp() - clock.now())
    await clock.advance(DAY)
    collector.cancel()

    assert runs == [(datetime(2024, 1, 2, 3, tzinfo=UTC).timestamp(), 0)]


async def test_suspend_runs_the_pending_tick_once_and_counts_the_others() -> None:
    """After a night's sleep there is one run, not hundreds."""
    clock = VirtualClock(start=1_000.0)
    runs: list[tuple[float, int]] = []
    collector = asyncio.create_task(collect(interval(60), clock, runs))
    await clock.advance(25)
    clock.step(8 * HOUR)
    await clock.advance(120)
    collector.cancel()

    assert runs == [(1020, 0), (1080, 0), (29880, 479), (29940, 0)]
