"""When a collector runs: ticks of an interval or a cron expression, and waiting for them.

Everything but the waiting is pure. Ticks are counted in whole microseconds, so
that an interval is as exact after years as on its first day, and are handed out
as floating-point Unix seconds. The rules for daylight saving time, clock steps
and catching up are written down, with their reasons, in docs/scheduling.md.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import tzinfo
from functools import lru_cache
from hashlib import blake2b
from typing import Final, Protocol

from ingestd.clock import Clock
from ingestd.collecting.cron import LocalCron
from ingestd.config import CatchUp, CronExpression
from ingestd.model import MICROSECONDS

# Nothing but a look at the wall clock shows that it stepped, or that the machine slept.
LONGEST_SLEEP: Final = 30.0  # seconds
# A clock set back further than this was plainly wrong: what ran by it did not run at its time.
SETBACK: Final = 300.0  # seconds
# Counting the ticks of a cron expression takes time, and no operator needs a larger number.
MOST_COUNTED: Final = 1000


class Schedule(Protocol):
    """A never-ending row of ticks; times are in seconds since the Unix epoch."""

    def next_after(self, time: float) -> float:
        """Return the first tick strictly after a time."""

    def missed(self, since: float, until: float) -> int:
        """Return how many ticks lie after ``since`` and not after ``until``."""


def interval(every: float, *, offset: float = 0.0, jitter: float = 0.0, key: str = "") -> Schedule:
    """Return ticks that are a fixed time apart.

    They are aligned to the Unix epoch, so that a restart keeps their phase.

    Args:
        every: Seconds from tick to tick.
        offset: How long after the aligned time, in seconds.
        jitter: Each tick is late by less than this many seconds, and by no more than ``every``.
        key: Whose ticks they are; other keys have other delays.

    Raises:
        ValueError: A number makes no sense.
    """
    every_us = to_us(every)
    if every_us <= 0:
        raise ValueError(f"expected an interval above 0 s, got {every!r}")
    return Interval(every_us, to_us(offset) % every_us, min(checked(jitter), every_us), key)


def cron(
    expression: CronExpression, *, zone: tzinfo, offset: float, jitter: float, key: str
) -> Schedule:
    """Return the ticks of a cron expression.

    Args:
        expression: Which local times match.
        zone: Whose local time the expression means.
        offset: How long after that time, in seconds.
        jitter: Each tick is late by less than this many seconds, and comes before the next.
        key: Whose ticks they are; other keys have other delays.

    Raises:
        ValueError: A number makes no sense.
    """
    return Cron(LocalCron(expression, zone), to_us(offset), checked(jitter), key)


def to_us(seconds: float) -> int:
    """Return the nearest whole number of microseconds."""
    return round(seconds * MICROSECONDS)


def checked(jitter: float) -> int:
    """Return a jitter in microseconds, unless it is negative."""
    if jitter < 0:
        raise ValueError(f"expected a jitter of at least 0 s, got {jitter!r}")
    return to_us(jitter)


@lru_cache(256)  # each tick is asked for several times around it
def delay_us(key: str, tick_us: int, limit_us: int) -> int:
    """Return how late a tick is: random in [0, limit), but the same in every process."""
    digest = blake2b(f"{key}@{tick_us}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) * limit_us >> 64


@dataclass(frozen=True, slots=True)
class Interval:
    """Ticks a fixed time apart; all numbers are microseconds."""

    every_us: int
    offset_us: int
    jitter_us: int
    key: str

    def next_after(self, time: float) -> float:
        """Return the first tick strictly after a time."""
        return self._tick(self._index_after(time))

    def missed(self, since: float, until: float) -> int:
        """Return how many ticks lie after ``since`` and not after ``until``."""
        return max(0, self._index_after(until) - self._index_after(since))

    def _index_after(self, time: float) -> int:
        """Return the number of the first tick after a time.

        The division only comes near it (no tick is delayed past the next); the ticks
        themselves decide, compared as the floats that callers see.
        """
        index = (to_us(time) - self.offset_us) // self.every_us
        while self._tick(index) <= time:
            index += 1
        return index

    def _tick(self, index: int) -> float:
        tick_us = index * self.every_us + self.offset_us
        return (tick_us + delay_us(self.key, tick_us, self.jitter_us)) / MICROSECONDS


@dataclass(frozen=True, slots=True)
class Cron:
    """The matches of a cron expression, moved by an offset and a jitter in microseconds."""

    local: LocalCron
    offset_us: int
    jitter_us: int
    key: str

    def next_after(self, time: float) -> float:
        """Return the first tick strictly after a time."""
        match = self.local.after(
            (to_us(time) - self.offset_us - self.jitter_us) // MICROSECONDS - 1
        )
        while True:
            following = self.local.after(match)
            if (tick := self._tick(match, following)) > time:
                return tick
            match = following

    def missed(self, since: float, until: float) -> int:
        """Return how many ticks lie after ``since`` and not after ``until``, up to 1000."""
        count = 0
        while count < MOST_COUNTED and (since := self.next_after(since)) <= until:
            count += 1
        return count

    def _tick(self, match: int, following: int) -> float:
        """Return the time of a match, delayed by less than the way to the following one."""
        tick_us = match * MICROSECONDS + self.offset_us
        room_us = min(self.jitter_us, (following - match) * MICROSECONDS)
        return (tick_us + delay_us(self.key, tick_us, room_us)) / MICROSECONDS


def first_tick(
    schedule: Schedule, *, last: float | None, now: float, catch_up: CatchUp
) -> tuple[float, int]:
    """Decide when to run first after a start, a reload or a step of the wall clock.

    Args:
        schedule: The ticks.
        last: The newest tick that was run, or None if none ever was.
        now: The wall clock's time.
        catch_up: ``once``: run now if any tick was missed; ``none``: wait for the next.

    Returns:
        When to run, and how many ticks were missed since ``last``.
    """
    if last is None or last > now + SETBACK:
        return schedule.next_after(now), 0
    if last > now:
        return schedule.next_after(last), 0
    missed = schedule.missed(last, now)
    if missed and catch_up == "once":
        return now, missed
    return schedule.next_after(now), missed


async def reached(time: float, clock: Clock) -> bool:
    """Wait for a time; return False if the clock was set far back meanwhile."""
    latest = now = clock.now()
    while now < time:
        await clock.sleep(min(time - now, LONGEST_SLEEP))
        now = clock.now()
        if now < latest - SETBACK:
            return False
        latest = max(latest, now)
    return True


async def ticks(
    schedule: Schedule, clock: Clock, *, last: float | None, catch_up: CatchUp
) -> AsyncGenerator[tuple[float, int], None]:
    """Yield each tick when it is time to run, and how many were missed before it.

    The caller runs, and then asks for the next; ticks that pass during the run
    are missed. This is the whole life of a schedule, clock steps included.
    """
    time, missed = first_tick(schedule, last=last, now=clock.now(), catch_up=catch_up)
    while True:
        if await reached(time, clock):
            yield time, missed
            last = time
        time, missed = first_tick(schedule, last=last, now=clock.now(), catch_up="none")
