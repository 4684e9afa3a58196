"""How far a source has been read."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestd.plugins.dcs.periods import Window
from ingestd.plugins.dcs.positions import Progress, Rereading, first_wanted, position_in

NOW = datetime(2024, 3, 15, 12, tzinfo=UTC)
START = NOW - timedelta(days=10)
T0 = START.timestamp()


def progress(position: datetime | None = None, *, days: float = 10) -> Progress:
    """Return the progress of a source at the beginning of a window that ends now."""
    found = Progress(position, now=NOW)
    found.begin(Window(NOW - timedelta(days=days), NOW))
    return found


def moment(seconds: float) -> datetime:
    """Return the time so many seconds after the window's start."""
    return START + timedelta(seconds=seconds)


def test_position_moves_with_what_was_read() -> None:
    """It moves to the newest reading, chunk by chunk."""
    found = progress()

    assert found.reached is None
    assert found.see([T0, T0 + 1]) == moment(1)
    assert found.see([]) is None
    assert found.see([T0 + 2]) == moment(2)
    assert found.reached == moment(2)
    assert found.finish() is None


def test_position_never_moves_back() -> None:
    """The recent past is read again, before the position."""
    found = progress(moment(5))

    assert found.see([T0, T0 + 5]) is None
    assert found.reached == moment(5)
    assert found.see([T0 + 6]) == moment(6)


@pytest.mark.parametrize("times", [[T0 + 9, T0 + 3], [T0 + 2]])
def test_times_out_of_order_move_it_only_at_the_end(times: list[float]) -> None:
    """There may be older ones to come, in this chunk or in one behind it."""
    found = progress()
    assert found.see([T0 + 4]) == moment(4)

    assert found.see(times) is None
    assert found.see([T0 + 10]) is None
    assert found.reached is None
    assert found.finish() == moment(10)


def test_time_from_beyond_the_window_does_not_move_it() -> None:
    """A wrong clock would hide all that comes until then."""
    found = progress()

    assert found.see([T0 + 1, NOW.timestamp() + 1e6]) == moment(1)
    assert found.see([NOW.timestamp()]) is None
    assert found.finish() is None


def test_empty_stretch_moves_it_only_if_it_is_old() -> None:
    """A meter that was offline delivers late; a dead one never."""
    young, old = progress(), Progress(None, now=NOW)
    old.begin(Window(NOW - timedelta(days=3000), NOW - timedelta(days=2000)))

    assert young.finish() == NOW - timedelta(days=365)
    assert old.finish() == NOW - timedelta(days=2000)


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 100), max_size=5), max_size=8), st.integers(0, 100))
def test_nothing_is_skipped_when_an_answer_breaks_off(chunks: list[list[int]], known: int) -> None:
    """What comes from there on includes all that had not come, if it comes in order."""
    times = sorted(time for chunk in chunks for time in chunk)
    found = progress(moment(known))
    at = 0

    for chunk in chunks:
        found.see([T0 + time for time in times[at : at + len(chunk)]])
        at += len(chunk)
        rest = times[at:]
        reached = found.reached or START
        assert all(moment(time) >= reached for time in rest)


@pytest.mark.parametrize(
    ("position", "since", "revisit", "first"),
    [
        (None, 30, 3, 30),
        (1, 30, 3, 3),
        (5, 30, 3, 5),
        (1, 30, 0, 1),
        (1, 2, 7, 2),
        (5, 4, 3, 5),
        (50, 30, 3, 50),
    ],
)
def test_where_a_run_begins(position: int | None, since: int, revisit: int, first: int) -> None:
    """All numbers are days before now."""
    found = first_wanted(
        None if position is None else NOW - timedelta(days=position),
        since=NOW - timedelta(days=since),
        now=NOW,
        revisit=timedelta(days=revisit),
    )

    assert NOW - found == timedelta(days=first)


@pytest.mark.parametrize(
    ("kept", "position"),
    [
        (NOW, NOW),
        (datetime(2024, 3, 15, 12), NOW),  # noqa: DTZ001 -- as an operator may have edited it
        (date(2024, 3, 15), datetime(2024, 3, 15, tzinfo=UTC)),
        ("yesterday", None),
        (None, None),
    ],
)
def test_state_that_is_no_time_is_no_position(kept: Any, position: datetime | None) -> None:
    """A person may have edited it."""
    assert position_in({"R1": kept}, "R1") == position


@settings(deadline=None)
@given(st.integers(1, 10_000), st.lists(st.integers(1, 60), min_size=1, max_size=50))
def test_each_source_is_due_once_in_its_time(number: int, hours: list[int]) -> None:
    """It does not matter when the runs are."""
    every, now, key = timedelta(hours=100), NOW, f"R{number}"
    dues = []
    done = NOW
    for wait in hours:
        now += timedelta(hours=wait)
        due = Rereading(every, done, {}, now).due(key)
        if due is not None:
            assert done < due <= now
            dues.append(due)
        done = now

    passed = (now - NOW) // every
    assert passed <= len(dues) <= passed + 1
    assert all((b - a) % every == timedelta(0) for a, b in pairwise(dues))


def test_sources_are_spread_over_the_time() -> None:
    """Each of twenty runs has about a twentieth of them."""
    every, step = timedelta(days=30), timedelta(days=1.5)
    counts = [
        sum(
            Rereading(every, NOW + n * step, {}, NOW + (n + 1) * step).due(f"R{number}") is not None
            for number in range(1500)
        )
        for n in range(20)
    ]

    assert sum(counts) == 1500
    assert max(counts) < 120


def test_without_the_option_nothing_is_due() -> None:
    """With it, nothing is due before it was noted that all has been read once."""
    assert Rereading(None, NOW - timedelta(days=1000), {}, NOW).due("R1") is None
    assert Rereading(timedelta(days=1), None, {}, NOW).due("R1") is None
