"""Ticks of an interval, and the first tick after a start."""

import math
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ingestd.collecting.schedule import (
    SETBACK,
    Schedule,
    first_tick,
    interval,
)
from ingestd.config import CatchUp
from tests.support.schedules import YEAR, ticks_within


@given(
    every=st.floats(1e-3, 1e7),
    offset=st.floats(-1e6, 1e6),
    jitter=st.floats(0, 1e7),
    time=st.floats(0, 4e9),
)
def test_interval_ticks_move_forward_and_are_counted(
    every: float, offset: float, jitter: float, time: float
) -> None:
    """Every tick is later than the one before, and ``missed`` agrees with walking."""
    schedule = interval(every, offset=offset, jitter=jitter, key="a")
    row = [time]
    for _ in range(20):
        row.append(schedule.next_after(row[-1]))

    assert all(earlier < later for earlier, later in pairwise(row))
    assert schedule.missed(time, row[-1]) == 20
    assert schedule.missed(time, math.nextafter(row[-1], 0)) == 19
    assert schedule.missed(row[-1], time) == 0
    assert row[1] - time <= every + min(jitter, every) + 1e-6


@given(every=st.floats(1e-3, 1e7), jitter=st.floats(0, 1e7), time=st.floats(0, 4e9))
def test_a_restart_anywhere_keeps_the_ticks(every: float, jitter: float, time: float) -> None:
    """The ticks are the same, from any moment on."""
    first, second = (interval(every, jitter=jitter, key="a") for _ in range(2))
    tick = first.next_after(time)
    following = first.next_after(tick)
    between = (tick + following) / 2
    assume(tick < between < following)

    assert second.next_after(between) == following
    assert second.next_after(math.nextafter(tick, 0)) == tick


@pytest.mark.parametrize("every", [0.1, 7.0, 10.0, 1800.0, 0.333333])
def test_interval_is_exact_after_half_a_century(every: float) -> None:
    """The ticks are whole multiples of the interval, with no rounding adding up."""
    schedule = interval(every)
    every_us = round(every * 1e6)

    for start in (0.0, 1.7e9, 1.7e9 + 50 * YEAR):
        tick = schedule.next_after(start)
        assert round(tick * 1e6) % every_us == 0
        assert round(schedule.next_after(tick) * 1e6) - round(tick * 1e6) == every_us


def test_offset_moves_the_phase() -> None:
    """Ticks are aligned to the epoch, and then moved."""
    assert interval(60).next_after(1_700_000_000) == 1_700_000_040
    assert interval(60, offset=5).next_after(1_700_000_000) == 1_700_000_045
    assert interval(60, offset=-50).next_after(1_700_000_000) == 1_700_000_050


def test_missed_ticks_of_a_long_time_are_counted_at_once() -> None:
    """Fifty years of ticks ten times a second are arithmetic, not a walk."""
    assert interval(0.1).missed(0, 50 * YEAR) == round(50 * YEAR * 10)


def test_jitter_spreads_collectors_but_not_their_order() -> None:
    """Delays differ by key and by tick, fill the range, and stay within it."""
    schedules = [interval(60, jitter=20, key=f"collector {n}") for n in range(500)]
    delays = [schedule.next_after(6000 - 1) - 6000 for schedule in schedules]
    of_one = [tick % 60 for tick in ticks_within(schedules[0], 0, 6000)]

    assert all(0 <= delay < 20 for delay in delays)
    assert min(delays) < 1
    assert max(delays) > 19
    assert len(set(of_one)) == len(of_one) == 100


def test_jitter_is_the_same_in_another_process() -> None:
    """A restart does not shift ticks, as Python's own hash would."""
    program = (
        "from ingestd.collecting.schedule import interval\n"
        "print(interval(60, jitter=9, key='a').next_after(0))"
    )

    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)

    assert float(printed.stdout) == interval(60, jitter=9, key="a").next_after(0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: interval(0), "above 0 s, got 0"),
        (lambda: interval(-5), "above 0 s, got -5"),
        (lambda: interval(5, jitter=-1), "at least 0 s, got -1"),
    ],
)
def test_nonsense_is_refused(make: Callable[[], Schedule], message: str) -> None:
    """What would be right is named."""
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("last", "now", "catch_up", "expected"),
    [
        (None, 1234.0, "once", (1260.0, 0)),  # never ran: nothing was missed
        (1200.0, 1234.0, "once", (1260.0, 0)),  # a short stop
        (1200.0, 1500.0, "once", (1500.0, 5)),  # now, once
        (1200.0, 1500.0, "none", (1560.0, 5)),
        (1200.0, 1210.0, "none", (1260.0, 0)),
        (1260.0, 1234.0, "once", (1320.0, 0)),  # a small step back repeats nothing
        (1200.0 + 1e9, 1234.0, "once", (1260.0, 0)),  # the clock had been wrong
    ],
)
def test_first_tick(
    last: float | None, now: float, catch_up: CatchUp, expected: tuple[float, int]
) -> None:
    """What was missed decides, and the operator's policy."""
    assert first_tick(interval(60), last=last, now=now, catch_up=catch_up) == expected


@given(last=st.floats(0, 4e9), now=st.floats(0, 4e9), catch_up=st.sampled_from(["once", "none"]))
def test_first_tick_is_never_far_away(last: float, now: float, catch_up: CatchUp) -> None:
    """No clock, however wrong it was, silences a collector for long."""
    time, missed = first_tick(interval(60), last=last, now=now, catch_up=catch_up)

    assert now <= time <= now + SETBACK + 60
    assert missed >= 0
    assert time > last or last > now + SETBACK
