"""Holes in a series: found where readings are missing, and nowhere else."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.backfilling.gaps import SAMPLE, SECOND_US, Bounds, Comparison, Hole, commonest, merged

MINUTE = 60 * SECOND_US
HALF_HOUR = 30 * MINUTE
DAY = 48 * HALF_HOUR
ALASKA = ZoneInfo("America/Anchorage")


def us(*parts: int, zone: ZoneInfo | None = None) -> int:
    """Return a date, with or without a clock time, in microseconds."""
    time = datetime(*parts, tzinfo=zone or UTC)  # type: ignore[misc, arg-type]
    return (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def compared(
    times_us: Iterable[int],
    *,
    cadence_us: int | None = None,
    start_us: int | None = None,
    end_us: int | None = None,
    piece: int = 7,
) -> Comparison:
    """Compare times, fed in pieces; a bound that is None says nothing."""
    times = list(times_us)
    first, last = (times[0], times[-1]) if times else (0, DAY)
    found = Comparison(
        Bounds(
            first if start_us is None else start_us,
            last + 1 if end_us is None else end_us,
            start_us is not None,
            end_us is not None,
        ),
        cadence_us,
    )
    for at in range(0, len(times), piece):
        found.feed(times[at : at + piece])
    found.finish()
    return found


def every(cadence_us: int, count: int, *missing: int, start_us: int = 0) -> list[int]:
    """Return regular times without those of some numbers."""
    return [start_us + n * cadence_us for n in range(count) if n not in missing]


def test_nothing_is_missing_between_regular_readings() -> None:
    """The cadence is learnt from the readings themselves."""
    found = compared(every(HALF_HOUR, 200), start_us=0, end_us=200 * HALF_HOUR)

    assert (found.readings, found.cadence_us, found.holes) == (200, HALF_HOUR, [])
    assert found.problem == ""


@pytest.mark.parametrize("cadence_us", [None, HALF_HOUR])
def test_a_hole_says_from_when_to_when_and_how_many(cadence_us: int | None) -> None:
    """It spans from the first reading that is missing to the first that is there again."""
    found = compared(every(HALF_HOUR, 50, 10, 20, 21, 22), cadence_us=cadence_us)

    assert found.holes == [
        Hole(9 * HALF_HOUR, 10 * HALF_HOUR, 11 * HALF_HOUR, 1, HALF_HOUR),
        Hole(19 * HALF_HOUR, 20 * HALF_HOUR, 23 * HALF_HOUR, 3, HALF_HOUR),
    ]


def test_readings_before_and_after_are_missed_only_within_given_bounds() -> None:
    """A bound is exact: the first time counts, the last one no longer does."""
    times = every(HALF_HOUR, 10, start_us=DAY)
    end_us = DAY + 10 * HALF_HOUR
    exact = compared(times, start_us=DAY, end_us=end_us)
    wider = compared(times, start_us=DAY - HALF_HOUR, end_us=end_us + 2 * HALF_HOUR)
    nothing_said = compared(times)

    assert exact.holes == nothing_said.holes == []
    assert wider.holes == [
        Hole(DAY - HALF_HOUR, DAY - HALF_HOUR, DAY, 1, HALF_HOUR),
        Hole(end_us - HALF_HOUR, end_us, end_us + 2 * HALF_HOUR, 2, HALF_HOUR),
    ]


def test_readings_out_of_step_with_a_bound_are_no_hole() -> None:
    """A poll at seven minutes past has nothing to give at the full hour."""
    times = every(15 * MINUTE, 96, start_us=14 * MINUTE)

    assert compared(times, start_us=0, end_us=DAY).holes == []


def test_calendar_months_are_no_holes_and_are_counted_as_months() -> None:
    """A month may be short or long, and in ten years without a reading 119 are missing."""
    months = [us(2015 + n // 12, n % 12 + 1, 1) for n in range(121)]
    whole = compared(months, start_us=months[0], end_us=us(2025, 2, 1))
    ends = compared([months[0], months[-1]], cadence_us=31 * DAY)
    one = compared([*months[:14], *months[15:]])
    head = compared(months[2:], start_us=months[0])

    assert whole.holes == []
    assert [each.missing for each in ends.holes] == [119]
    assert one.holes == [Hole(us(2016, 2, 1), us(2016, 3, 1), us(2016, 4, 1), 1, 31 * DAY)]
    assert head.holes == [Hole(months[0], head.holes[0].start_us, months[2], 2, 31 * DAY)]


@pytest.mark.parametrize("hour", [0, 2, 3])
def test_local_days_and_months_survive_daylight_saving(hour: int) -> None:
    """A day of 23 or 25 hours is no hole, and a missing one is one all the same."""
    local = datetime(2026, 1, 1, hour, tzinfo=ALASKA)
    days = [us(*(local + timedelta(days=n)).timetuple()[:4], zone=ALASKA) for n in range(366)]
    whole = compared(days, start_us=days[0], end_us=days[-1] + DAY)
    without = compared([day for n, day in enumerate(days) if n not in {66, 304, 305}])
    months = [us(2026, n, 1, hour, zone=ALASKA) for n in range(1, 13)]

    assert (whole.cadence_us, whole.holes) == (DAY, [])
    assert [each.missing for each in without.holes] == [1, 2]
    assert compared(months).holes == []
    assert compared(months[1:], start_us=months[0]).holes[0].missing == 1


def test_polled_readings_that_come_early_and_late_have_a_cadence() -> None:
    """Clock times of polls are never exact."""
    random = Random(7)
    times = [n * 15 * MINUTE + random.randrange(20 * SECOND_US) for n in range(3000) if n % 100]
    found = compared(times)

    assert found.cadence_us == pytest.approx(15 * MINUTE, rel=0.01)
    assert [each.missing for each in found.holes] == [1] * 29


@pytest.mark.parametrize(
    ("times", "problem"),
    [
        ([], "no readings, and no cadence is known"),
        ([5], "too few readings, and no cadence is known"),
        ([0, 10, 70], "too few readings, and no cadence is known"),
        ([2**n for n in range(50)], "irregular readings, and no cadence is known"),
    ],
)
def test_what_has_no_cadence_is_not_compared(times: list[int], problem: str) -> None:
    """Without a cadence it is unknown what is missing."""
    found = compared(times, start_us=0, end_us=2**60)

    assert (found.problem, found.holes, found.cadence_us) == (problem, [], None)


def test_a_series_without_readings_is_a_hole_within_bounds() -> None:
    """It counts as one if the operator says how often it should have come."""
    both = compared([], cadence_us=HALF_HOUR, start_us=0, end_us=DAY)
    start_only = compared([], cadence_us=HALF_HOUR, start_us=0)

    assert both.holes == [Hole(0, 0, DAY, 48, HALF_HOUR)]
    assert (start_only.holes, start_only.problem) == ([], "no readings")


def test_times_before_1970_are_times() -> None:
    """History is older than Unix."""
    found = compared(every(DAY, 30, 12, start_us=-100 * DAY), start_us=-101 * DAY)

    assert [each.start_us // DAY for each in found.holes] == [-101, -88]


def test_the_sample_is_looked_through_too() -> None:
    """What the cadence was learnt from, and what came behind it, in pieces of any size."""
    times = every(MINUTE, 3 * SAMPLE, 3, SAMPLE - 1, SAMPLE, SAMPLE + 1, SAMPLE + 5, 2 * SAMPLE)
    for piece in (1, 999, 1000, 1001, 10_000):
        found = compared(times, piece=piece)

        assert [each.missing for each in found.holes] == [1, 3, 1, 1]


def test_only_a_sample_is_kept_to_learn_from() -> None:
    """The first readings decide, however many others follow."""
    minutes = every(MINUTE, SAMPLE + 1)
    # Now half an hour apart, and now a whole one: a series that comes when it likes.
    later = [minutes[-1] + (n * 3 + n % 2) * HALF_HOUR // 2 for n in range(2, 3 * SAMPLE + 2)]
    found = compared([*minutes, *later])

    assert found.cadence_us == MINUTE
    assert len(found.holes) == 3 * SAMPLE


@given(st.sets(st.integers(1, 98), max_size=40), st.sampled_from([1, 10, 1000]))
def test_every_missing_reading_is_in_a_hole(missing: set[int], piece: int) -> None:
    """None is left out, none is invented, and holes do not touch."""
    found = compared(every(HALF_HOUR, 100, *missing), cadence_us=HALF_HOUR, piece=piece)

    spans = [range(hole.start_us, hole.end_us, HALF_HOUR) for hole in found.holes]
    inside = {time_us // HALF_HOUR for span in spans for time_us in span}

    assert inside == missing
    assert sum(hole.missing for hole in found.holes) == len(missing)
    assert all(earlier.end_us < later.start_us for earlier, later in pairwise(found.holes))


def test_the_commonest_distance_wins_over_the_shortest_and_the_longest() -> None:
    """Readings that came twice, and holes, are exceptions."""
    assert commonest([1, 1, 900, 900, 900, 901, 899, 5000, 90_000]) == 900
    assert commonest([0, 0, 0]) is None
    assert commonest([]) is None


def test_spans_are_joined_where_they_touch() -> None:
    """They may be given in any order."""
    assert merged([(5, 7), (0, 2), (2, 3), (1, 2), (20, 30), (22, 24)], most=10) == [
        (0, 3),
        (5, 7),
        (20, 30),
    ]


def test_too_many_spans_are_joined_where_they_are_close() -> None:
    """What lies between them is read again, and nothing beyond."""
    spans = [(0, 1), (10, 11), (12, 13), (50, 51), (53, 54)]

    assert merged(spans, most=4) == [(0, 1), (10, 13), (50, 51), (53, 54)]
    assert merged(spans, most=3) == [(0, 1), (10, 13), (50, 54)]
    assert merged(spans, most=1) == [(0, 54)]


@pytest.mark.parametrize("piece", [7, 10_000])
@pytest.mark.parametrize(("first", "then"), [(1, 4), (4, 1), (1, 2)])
def test_a_cadence_that_changes_is_found_for_each_stretch(
    piece: int, first: int, then: int
) -> None:
    """A logger that was set to another interval lacks nothing; a hole is told by its stretch."""
    hour = 2 * HALF_HOUR
    before = every(first * hour, 2000, 100, 101)
    after = every(then * hour, 1500, 900, start_us=before[-1] + then * hour)

    found = compared([*before, *after], piece=piece)

    assert [(hole.missing, hole.cadence_us) for hole in found.holes] == [
        (2, first * hour),
        (1, then * hour),
    ]
    assert found.cadence_us == then * hour


def test_a_few_readings_that_come_more_rarely_are_holes() -> None:
    """A meter of which every second reading is lost for some hours has not been set anew."""
    times = every(HALF_HOUR, 1000, *range(500, 540, 2))

    found = compared(times)

    assert sum(hole.missing for hole in found.holes) == 20
    assert found.cadence_us == HALF_HOUR


def test_a_cadence_that_an_operator_gives_never_changes() -> None:
    """What comes more rarely is missing."""
    found = compared(every(4 * HALF_HOUR, 100), cadence_us=2 * HALF_HOUR)

    assert sum(hole.missing for hole in found.holes) == 99
