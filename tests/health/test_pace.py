"""When a series is late: by a given cadence, by a learnt one, and by none."""

from collections.abc import Sequence

import pytest

from ingestd.health.pace import MARGIN, UNLEARNT, Pace, PaceKept, allowance
from ingestd.health.series import GONE, SeriesKey, SeriesWatch
from ingestd.model import Series
from tests.support.clock import START

HOUR = 3600.0
DAY = 24 * HOUR


def moving(steps: Sequence[tuple[float, float]]) -> Pace:
    """Return the pace of readings: (seconds since the one before, seconds between arrivals)."""
    now, time = 0.0, START
    pace = Pace(now)
    pace.see(round(time * 1e6), now=now, now_us=2**60)
    for step, gap in steps:
        now, time = now + gap, time + step
        pace.see(round(time * 1e6), now=now, now_us=2**60)
    return pace


MOVES: dict[str, tuple[list[tuple[float, float]], float | None]] = {
    "too few": ([(600.0, 600.0)] * 7, None),
    "enough": ([(600.0, 600.0)] * 8, 600.0),
    "fast ones for less than an hour": ([(10.0, 10.0)] * 359, None),
    "fast ones for an hour": ([(10.0, 10.0)] * 360, 10.0),
    "a poll every 5 minutes of what is hourly": ([(0.0, 300.0)] * 11 + [(HOUR, 300.0)], None),
    "hourly ones": (([(0.0, 300.0)] * 11 + [(HOUR, 300.0)]) * 8, HOUR),
    "a day at once": ([(DAY, DAY)] * 8, DAY),
    "somewhat irregular": ([(600.0, 600.0), (1500.0, 1500.0)] * 4, 1500.0),
    "now and then": ([(60.0, 60.0), (5000.0, 5000.0)] * 8, None),
    "years read in a minute, then hourly": ([(DAY, 1.0)] * 60 + [(HOUR, HOUR)] * 4, None),
    "hourly after years read in a minute": ([(DAY, 1.0)] * 60 + [(HOUR, HOUR)] * 17, HOUR),
    "hourly that became slower": ([(HOUR, HOUR)] * 16 + [(4 * HOUR, 4 * HOUR)] * 16, 4 * HOUR),
    "an old gap": (
        [(600.0, 600.0)] * 8 + [(2 * DAY, 2 * DAY)] + [(600.0, 600.0)] * 24,
        600.0,
    ),
}


@pytest.mark.parametrize(("steps", "learnt"), MOVES.values(), ids=MOVES)
def test_learning(steps: list[tuple[float, float]], learnt: float | None) -> None:
    """What is learnt is the longest move of a series whose moves are alike."""
    assert moving(steps).learnt == learnt


@pytest.mark.parametrize(
    ("steps", "cadence", "two_ticks", "allowed"),
    [
        ([], None, 60.0, UNLEARNT),
        ([], 600.0, 0.0, 1200.0 + MARGIN),
        ([], 600.0, 60.0, 1260.0 + MARGIN),
        ([(HOUR, HOUR)] * 8, None, 600.0, 2 * HOUR + 600.0 + MARGIN),
        ([(HOUR, HOUR)] * 8, 600.0, 600.0, 1800.0 + MARGIN),
        ([(3 * DAY, 3 * DAY)] * 2, None, 0.0, 6 * DAY + MARGIN),
    ],
)
def test_allowance(
    steps: list[tuple[float, float]], cadence: float | None, two_ticks: float, allowed: float
) -> None:
    """What the operator says wins over what is learnt; a day is the least without either."""
    assert allowance(moving(steps), cadence=cadence, two_ticks=two_ticks) == allowed


def test_a_reading_of_the_future_hides_none_that_comes_later() -> None:
    """It counts as if it came now."""
    pace = Pace(0.0)
    pace.see(2**60, now=0.0, now_us=1_000_000)

    assert pace.newest_us == 1_000_000
    assert pace.see(2_000_000, now=1.0, now_us=2_000_000)


def test_what_is_read_again_moves_nothing() -> None:
    """A source that repeats its last reading for ever is as silent as one that says nothing."""
    pace = moving([(600.0, 600.0)])
    moved = pace.moved

    assert not pace.see(pace.newest_us or 0, now=moved + 600.0, now_us=2**60)
    assert pace.moved == moved


LEVEL, FLOW = Series("level", (("site", "a"), ("empty", ""))), Series("flow")
LEVEL_KEY, FLOW_KEY = SeriesKey("level", (("site", "a"),)), SeriesKey("flow", ())


def watch(cadence: float | None = 60.0) -> SeriesWatch:
    """Return what has had a reading of both series at the start."""
    found = SeriesWatch(cadence)
    us = round(START * 1e6)
    found.note({LEVEL: us, FLOW: us - 5}, us, now=0.0, wall=START)
    found.look(now=0.0, wall=START)
    return found


def test_one_series_of_many_is_late() -> None:
    """The others give theirs; the one that is silent is named, with how often it should speak."""
    found = watch()
    us = round((START + 100.0) * 1e6)
    found.note({LEVEL: us}, us, now=100.0, wall=START + 100.0)

    assert found.late(two_ticks=0.0, now=150.0) == []
    (late,) = found.late(two_ticks=0.0, now=151.0)

    assert (str(late), late.silent, late.every) == ("flow", 151.0, 60.0)
    assert late.newest == START - 5e-6
    assert found.newest_us == us


def test_a_series_that_was_taken_away_is_late_for_a_month() -> None:
    """After that it counts as taken away, and is waited for no more."""
    found = watch()

    assert len(found.late(two_ticks=0.0, now=GONE - 1)) == 2
    assert found.late(two_ticks=0.0, now=GONE) == []


def test_a_late_series_stays_late_over_a_restart() -> None:
    """Time in which no daemon ran is no silence; that before it counts."""
    before = watch()
    kept = before.moved(now=100.0, wall=START + 100.0)
    after = SeriesWatch(60.0)
    after.resume({LEVEL_KEY: (kept[LEVEL_KEY], 151.0), FLOW_KEY: (kept[FLOW_KEY], 10.0)}, now=5.0)

    assert [str(each) for each in after.late(two_ticks=0.0, now=5.0)] == ["level (site=a)"]
    assert after.newest_us == round(START * 1e6)


def test_how_old_a_reading_was_when_it_came_is_known_over_a_restart() -> None:
    """Time in which no daemon ran makes it no older."""
    before = SeriesWatch(60.0)
    us = round((START + 40.0) * 1e6)
    before.note({LEVEL: us}, us, now=10.0, wall=START + 100.0)
    kept = before.moved(now=90.0, wall=START + 180.0)
    after = SeriesWatch(60.0)
    after.resume({LEVEL_KEY: (kept[LEVEL_KEY], 80.0)}, now=5.0)
    known = (START + 40.0, 60.0)

    assert before.newest_of(LEVEL, wall=START + 180.0) == known
    assert after.newest_of(LEVEL, wall=START + 9999.0) == known
    assert after.newest_of(FLOW, wall=START + 9999.0) is None


def test_a_late_series_is_fresh_again_at_once() -> None:
    """What it gives counts when it is asked for."""
    found = watch()
    assert len(found.late(two_ticks=0.0, now=200.0)) == 2
    us = round((START + 201.0) * 1e6)
    found.note({LEVEL: us, FLOW: us}, us, now=201.0, wall=START + 201.0)

    assert found.late(two_ticks=0.0, now=201.1) == []


def test_the_past_read_again_lowers_nothing() -> None:
    """Of the notes of one second the latest counts, in whichever order they came."""
    found = watch()
    us = round((START + 10.0) * 1e6)
    found.note({LEVEL: us}, us, now=0.5, wall=START + 10.0)
    found.note({LEVEL: us - 50}, us - 50, now=0.6, wall=START + 10.0)
    found.look(now=2.0, wall=START + 10.0)

    assert found.newest_us == us


def test_the_first_move_after_a_start_teaches_nothing() -> None:
    """It is as long as the daemon was stopped."""
    pace = Pace.resumed(PaceKept(round(START * 1e6), START, 600.0, 600.0), silent=0.0, now=0.0)
    pace.see(round((START + 9 * DAY) * 1e6), now=1.0, now_us=2**60)

    assert pace.learnt == 600.0
