"""Ticks of a cron expression, through daylight saving time and back."""

import math
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from time import tzset
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestd.collecting.schedule import (
    MOST_COUNTED,
)
from tests.support.schedules import DAY, HOUR, UTC_ZONE, cron, ticks_within

LONDON = ZoneInfo("Europe/London")


# The two changes of 2024 (Anchorage 2026) and the days around them.
CHANGES = {
    "Europe/London": [(2024, 3, 30), (2024, 10, 26)],
    "America/Anchorage": [(2026, 3, 7), (2026, 10, 31)],
    "Australia/Lord_Howe": [(2024, 4, 6), (2024, 10, 5)],  # by half an hour
    "Africa/Cairo": [(2024, 4, 25), (2024, 10, 31)],  # at midnight
    "America/Havana": [(2024, 3, 9), (2024, 11, 2)],  # at midnight
    "Asia/Kolkata": [(2024, 3, 30), (2024, 10, 26)],  # never
}


def local_times(zone: str, expression: str, *day: int, hours: int = 24) -> list[str]:
    """Return a day's runs as local time with its offset from UTC."""
    where = ZoneInfo(zone)
    start = datetime(*day, tzinfo=where).timestamp()  # type: ignore[arg-type, misc]
    runs = ticks_within(cron(expression, zone=where), start - 1, start + hours * HOUR)
    return [datetime.fromtimestamp(run, where).strftime("%H:%M%z") for run in runs]


def test_job_in_the_skipped_hour_runs_once_right_after() -> None:
    """On the day the clocks go forward, 01:30 does not exist; the job runs at the change."""
    assert local_times("Europe/London", "30 1 * * *", 2024, 3, 31) == ["02:00+0100"]
    assert local_times("Europe/London", "15,45 1 * * *", 2024, 3, 31) == ["02:00+0100"]
    assert local_times("America/Anchorage", "30 2 * * *", 2026, 3, 8) == ["03:00-0800"]
    assert local_times("Australia/Lord_Howe", "10 2 * * *", 2024, 10, 6) == ["02:30+1100"]
    assert local_times("Africa/Cairo", "30 0 * * *", 2024, 4, 26, hours=22) == ["01:00+0300"]
    assert local_times("Asia/Kolkata", "30 1 * * *", 2024, 3, 31) == ["01:30+0530"]


def test_job_in_the_repeated_hour_runs_once() -> None:
    """On the day the clocks go back, the first 01:30 counts."""
    assert local_times("Europe/London", "30 1 * * *", 2024, 10, 27) == ["01:30+0100"]
    assert local_times("Europe/London", "15,45 1 * * *", 2024, 10, 27) == [
        "01:15+0100",
        "01:45+0100",
    ]
    assert local_times("America/Anchorage", "30 1 * * *", 2026, 11, 1) == ["01:30-0800"]
    assert local_times("Australia/Lord_Howe", "45 1 * * *", 2024, 4, 7) == ["01:45+1100"]
    assert local_times("Asia/Kolkata", "30 1 * * *", 2024, 10, 27) == ["01:30+0530"]


def test_job_that_was_done_in_the_first_pass_is_not_repeated_after_a_restart() -> None:
    """A daemon that starts in the second 01:10 leaves 01:30 to tomorrow."""
    second_pass = datetime(2024, 10, 27, 1, 10, fold=1, tzinfo=LONDON).timestamp()

    tick = cron("30 1 * * *", zone=LONDON).next_after(second_pass)

    assert datetime.fromtimestamp(tick, LONDON) == datetime(2024, 10, 28, 1, 30, tzinfo=LONDON)


def test_wildcard_jobs_follow_real_time() -> None:
    """They run in both passes of a repeated hour, and not at all in a skipped one."""
    assert local_times("Europe/London", "*/30 1 * * *", 2024, 10, 27) == [
        "01:00+0100",
        "01:30+0100",
        "01:00+0000",
        "01:30+0000",
    ]
    assert local_times("Europe/London", "*/30 1 * * *", 2024, 3, 31, hours=22) == []
    # The hour after the change begins in the middle; cronsim's own answer loses these two.
    assert local_times("Australia/Lord_Howe", "*/15 2 * * *", 2024, 4, 7)[:2] == [
        "02:00+1030",
        "02:15+1030",
    ]


def test_wildcard_job_of_one_day_a_year_runs_in_the_second_pass_too() -> None:
    """The next year's match does not hide the one an hour away."""
    first_pass = datetime(2020, 10, 25, 1, 50, tzinfo=LONDON).timestamp()

    tick = cron("*/10 1 25 10 *", zone=LONDON).next_after(first_pass)

    assert tick == first_pass + 600


@pytest.mark.parametrize("zone", CHANGES)
def test_every_ten_minutes_is_every_ten_minutes(zone: str) -> None:
    """A change of the local time leaves a frequent job alone."""
    schedule = cron("*/10 * * * *", zone=ZoneInfo(zone))

    for day in CHANGES[zone]:
        start = datetime(*day, 12, tzinfo=ZoneInfo(zone)).timestamp()
        runs = ticks_within(schedule, start - 1, start + DAY)
        assert runs == [start + 600 * n for n in range(145)]


@cache
def minutes_around(noon: int, zone: ZoneInfo) -> list[tuple[int, datetime, set[datetime]]]:
    """Return each minute with what the local clock shows, and what it passes for the first time."""
    found = []
    shown: set[datetime] = set()
    start = noon - int(DAY)
    before = datetime.fromtimestamp(start, zone).replace(tzinfo=None)
    for time in range(start + 60, noon + 3 * int(DAY), 60):
        local = datetime.fromtimestamp(time, zone).replace(tzinfo=None)
        minutes_passed = max(1, (local - before) // timedelta(minutes=1))
        fresh = {local - timedelta(minutes=n) for n in range(minutes_passed)} - shown
        found.append((time, local, fresh))
        shown |= fresh
        before = local
    return found


def expected_runs(
    minutes: set[int], hours: set[int], zone: ZoneInfo, noon: int, *, wildcard: bool
) -> list[int]:
    """Apply the written rule minute by minute, seeing nothing but the local clock."""
    return [
        time
        for time, local, fresh in minutes_around(noon, zone)
        for due in [{local} if wildcard else fresh]
        if any(one.minute in minutes and one.hour in hours for one in due)
    ]


@pytest.mark.slow  # many examples
@pytest.mark.parametrize(("zone", "day"), [(z, d) for z, days in CHANGES.items() for d in days])
@settings(max_examples=25)
@given(
    minutes=st.sets(st.integers(0, 59), min_size=1, max_size=4),
    hours=st.sets(st.integers(0, 4), min_size=1, max_size=3),
    form=st.sampled_from(["fixed", "any minute", "any hour"]),
    start_minute=st.integers(0, 20 * 60),
)
def test_cron_follows_the_written_rule(
    zone: str,
    day: tuple[int, int, int],
    minutes: set[int],
    hours: set[int],
    form: str,
    start_minute: int,
) -> None:
    """For any expression and zone, the runs are those of the rule in the docs."""
    minutes = set(range(60)) if form == "any minute" else minutes
    hours = set(range(24)) if form == "any hour" else hours
    minute_field = "*" if form == "any minute" else ",".join(map(str, minutes))
    hour_field = "*" if form == "any hour" else ",".join(map(str, hours))
    where = ZoneInfo(zone)
    noon = round(datetime(*day, 12, tzinfo=where).timestamp())
    start = noon + 60 * start_minute
    end = start + int(1.5 * DAY)

    runs = ticks_within(cron(f"{minute_field} {hour_field} * * *", zone=where), start, end)

    wildcard = form != "fixed"
    expected = expected_runs(minutes, hours, where, noon, wildcard=wildcard)
    assert runs == [time for time in expected if start < time <= end]


def test_cron_jumps_years() -> None:
    """A leap day is found without trying every day's hours, also for a frequent job."""
    leap = datetime(2028, 2, 29, 12, tzinfo=UTC).timestamp()
    start = datetime(2024, 2, 29, 13, tzinfo=UTC).timestamp()

    assert cron("0 12 29 2 *", zone=UTC_ZONE).next_after(start) == leap
    assert cron("*/5 12 29 2 *", zone=UTC_ZONE).next_after(start) == leap


@given(
    offset=st.floats(-1e5, 1e5),
    jitter=st.floats(0, 7200),
    time=st.floats(1.6e9, 1.8e9),
    expression=st.sampled_from(["*/20 * * * *", "30 1,2 * * *", "0 0,12 * * SUN"]),
)
def test_cron_ticks_move_forward_and_are_counted(
    offset: float, jitter: float, time: float, expression: str
) -> None:
    """Offset and jitter move the ticks, never past each other."""
    schedule = cron(expression, zone=LONDON, offset=offset, jitter=jitter, key="a")
    row = [time]
    for _ in range(5):
        row.append(schedule.next_after(row[-1]))

    assert all(earlier < later for earlier, later in pairwise(row))
    assert schedule.missed(time, row[-1]) == 5
    assert schedule.next_after(math.nextafter(row[-1], 0)) == row[-1]


def test_jitter_of_cron_stays_within_its_bounds() -> None:
    """A run comes after its time, by less than the jitter and before the next."""
    exact = cron("30 2 * * *", zone=LONDON)
    jittered = cron("30 2 * * *", zone=LONDON, jitter=600, key="a")
    delays = [
        late - time
        for time, late in zip(
            ticks_within(exact, 1.7e9, 1.7e9 + 90 * DAY),
            ticks_within(jittered, 1.7e9, 1.7e9 + 90 * DAY),
            strict=True,
        )
    ]

    assert all(0 <= delay < 600 for delay in delays)
    assert len(set(delays)) == len(delays)


def test_jitter_larger_than_the_gaps_leaves_one_run_in_each() -> None:
    """However large the jitter, no run is pushed past the next one's time."""
    schedule = cron("*/20 * * * *", zone=LONDON, jitter=5 * HOUR, key="a")

    runs = ticks_within(schedule, 1.7e9 // DAY * DAY, 1.7e9 // DAY * DAY + DAY)

    assert [run // 1200 for run in runs][1:] == [run // 1200 + 1 for run in runs][:-1]


def test_counting_cron_ticks_is_bounded() -> None:
    """A minute's job after a decade in a drawer costs no more than a thousand steps."""
    assert cron("* * * * *", zone=LONDON).missed(1.4e9, 1.7e9) == MOST_COUNTED


@pytest.mark.parametrize("expression", ["30 1 * * *", "*/30 1 * * *"])
def test_zone_of_the_machine_does_not_matter(
    expression: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The collector has its own."""
    expected = local_times("Europe/London", expression, 2024, 10, 27)
    try:
        with monkeypatch.context() as changed:
            changed.setenv("TZ", "Asia/Tokyo")
            tzset()
            assert local_times("Europe/London", expression, 2024, 10, 27) == expected
    finally:
        tzset()
