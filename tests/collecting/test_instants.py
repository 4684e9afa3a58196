"""Which times of readings are believed, and what local ones mean."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ingestd.collecting.instants import RELEASED, Past, TimeLimits
from ingestd.collecting.points import Naming
from ingestd.config import Catalogue
from ingestd.health import SeriesWatch
from ingestd.plugins._times import NoTime, Twice

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 12, 1, tzinfo=UTC).timestamp()
DAY = 86_400
CHANGE = datetime(2026, 10, 25, 1, tzinfo=UTC).timestamp()


def naming(zone: ZoneInfo | None = BERLIN, limits: TimeLimits | None = None) -> Naming:
    """Name readings as they are."""
    return Naming(
        measurement="m",
        field="f",
        tags={},
        catalogue=Catalogue(),
        zone=zone,
        limits=limits or TimeLimits(),
    )


def shown(time: float) -> datetime:
    """Return what a clock in Berlin shows."""
    return datetime.fromtimestamp(time, BERLIN).replace(tzinfo=None, fold=0)


def times(found: Any) -> list[float]:
    """Return the times of points, in Unix seconds."""
    return [time_us / 1e6 for _, time_us, _ in found.points]


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("kind", [tuple, list])
def test_naive_times_through_the_hour_that_comes_twice(order: int, kind: type) -> None:
    """Order tells the pass, for each series by itself."""
    written = [CHANGE - 7200 + 900 * at for at in range(16)][::order]
    readings = [kind((shown(time), series, 1.0)) for time in written for series in ("a", "b")]

    found = naming().sort(readings, now=NOW)

    assert times(found) == [time for time in written for _ in "ab"]
    assert not found.unusable


def test_an_order_goes_on_in_the_next_slice() -> None:
    """A long result is looked at piece by piece."""
    names, past = naming(), Past()
    written = [CHANGE - 7200 + 900 * at for at in range(16)]
    found = []
    for at in range(0, 16, 3):
        part = [(shown(time), "a", 1.0) for time in written[at : at + 3]]
        found += times(names.sort(part, now=NOW, past=past))

    assert found == written


def answers(*, window: float, every: float, delay: float, step: int) -> Iterator[list[float]]:
    """Yield what a source has of the last so many seconds each time that it is asked.

    Args:
        window: How far back each answer goes.
        every: How far apart they are.
        delay: How old the newest time is at least.
        step: How far apart the times are.
    """
    begin, end = int(CHANGE - 10_800), int(CHANGE + 14_400)
    for now in range(begin, end, int(every)):
        behind = now + int(delay) // 900 * 900  # asked so much later
        upto = behind - delay
        yield [behind, *(t for t in range(begin, end, step) if upto - window < t <= upto)]


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("delay", [60, 900, 21_600])
@pytest.mark.parametrize("step", [300, 900])
@pytest.mark.parametrize(
    ("window", "every"), [(900, 900), (1800, 900), (3600, 900), (5400, 900), (3600, 3600)]
)
def test_runs_that_ask_again_and_again_through_the_night(
    window: float, every: float, step: int, delay: float, order: int
) -> None:
    """What was read before, and how old it was then, tell where order does not."""
    watch = SeriesWatch(None)
    for now, *written in answers(window=window, every=every, delay=delay, step=step):
        readings = [(shown(time), "a", 1.0) for time in written[::order]]
        past = Past(known=partial(watch.newest_of, wall=now))
        found = naming().sort(readings, now=now, past=past)
        if written:
            watch.note(found.newest, found.newest_us or 0, now=now, wall=now)

        assert sorted(times(found)) == written


@pytest.mark.parametrize("start", [CHANGE - 3600, CHANGE - 1800, CHANGE, CHANGE + 1800])
def test_a_window_of_the_past_lies_where_it_was_asked_for(start: float) -> None:
    """However far away that is, and whatever was read last."""
    past = Past(after=start, until=start + 1800)
    written = [start, start + 600, start + 1200]

    found = naming().sort([(shown(time), "a", 1.0) for time in written], now=NOW, past=past)

    assert times(found) == written


def test_a_naive_time_that_was_skipped_is_unusable() -> None:
    """It costs one reading."""
    skipped = datetime(2026, 3, 29, 2, 30)  # noqa: DTZ001 -- naive on purpose

    found = naming().sort([(skipped, "a", 1), (NOW, "a", 2)], now=NOW)

    assert found.unusable == {"no_such_time": 1}
    assert times(found) == [NOW]


def test_what_a_plugin_could_not_read_has_its_reason() -> None:
    """And what it left open is settled."""
    readings = [
        (NoTime("expected a time, got 'soon'", "milliseconds"), "a", 1),
        (NoTime("expected a time"), "a", 1, {"room": "7"}),
        (Twice(CHANGE - 3600, CHANGE), "a", 1),
        (CHANGE + 60, "a", 1),
    ]

    found = naming().sort(readings, now=NOW)

    assert found.unusable == {"milliseconds": 1, "time": 1}
    assert found.samples[0] == "a: expected a time, got 'soon'"
    assert times(found) == [CHANGE, CHANGE + 60]


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        (19, "too_early"),
        (20_260_701, "too_early"),
        (946_684_799.9, "too_early"),
        (946_684_800, None),
        (NOW + 10 * DAY, None),
        (NOW + 10 * DAY + 1, "too_late"),
        (datetime(1999, 12, 31, tzinfo=UTC), "too_early"),
        (datetime(2106, 2, 7, tzinfo=UTC), "too_late"),
        (1_782_900_900_000, "milliseconds"),
    ],
)
@pytest.mark.parametrize("value", [1.0, "1"])
def test_times_that_no_live_meter_means_are_refused(
    time: Any, reason: str | None, value: Any
) -> None:
    """Alike on the fast path and on the slow one; what has no time is of now."""
    names = naming(limits=TimeLimits(946_684_800, 10 * DAY))

    found = names.sort([(time, "a", value), (NOW, "b", value)], now=NOW)

    assert found.unusable == ({reason: 1} if reason else {})
    assert len(found.points) == 2 - len(found.unusable)
    assert len(names.sort([(None, "a", value)], now=5.0).points) == 1


def test_a_machine_with_a_wrong_clock_refuses_no_future() -> None:
    """It does not know what that is."""
    names = naming(limits=TimeLimits(946_684_800, DAY))

    assert len(names.sort([(RELEASED, "a", 1.0)], now=5.0).points) == 1


@pytest.mark.parametrize("value", [float, str])
def test_two_values_of_a_series_and_time_contradict_each_other(value: type) -> None:
    """The last one is kept, as stores would; the same value twice is none."""
    readings = [
        (NOW, "a", value(1)),
        (NOW, "b", value(1)),
        (NOW, "a", value(2)),
        (NOW + 1, "a", value(3)),
        (NOW + 1, "a", value(3)),
        (NOW + 1, "b", value(3)),
    ]

    found = naming().sort(readings, now=NOW)

    assert found.unusable == {"contradiction": 1}
    assert "a: expected one value at 2026-12-01, got 1.0 and another" in found.samples[0]
    assert [(s.name, us / 1e6 - NOW, v) for s, us, v in found.points] == [
        ("b", 0, 1),
        ("a", 0, 2),
        ("a", 1, 3),
        ("a", 1, 3),
        ("b", 1, 3),
    ]


@pytest.mark.parametrize("later", [0, 60])
def test_series_that_come_by_turns_contradict_each_other_in_a_turn_of_the_same_time(
    later: int,
) -> None:
    """Turns of times of their own do not."""
    readings = [(NOW + turn * later, series, 1.0 + turn) for turn in (0, 1) for series in "ab"]

    assert naming().sort(readings, now=NOW).unusable == ({} if later else {"contradiction": 2})


def test_tags_tell_series_apart() -> None:
    """One name with other tags is another series."""
    readings = [(NOW, "a", n, {"room": str(n)}) for n in range(3)]

    assert not naming().sort(readings, now=NOW).unusable


def test_a_day_of_minutes_of_a_spring_and_an_autumn() -> None:
    """Every minute is there once."""
    for day in (datetime(2026, 3, 29, tzinfo=BERLIN), datetime(2026, 10, 25, tzinfo=BERLIN)):
        begin = day.timestamp()
        end = (day + timedelta(days=1)).timestamp()
        written = [begin + 60 * at for at in range(int(end - begin) // 60)]

        assert times(naming().sort([(shown(t), "a", 1) for t in written], now=NOW)) == written
