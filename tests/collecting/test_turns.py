"""Contradictions and newest times are found alike, whether or not series come by turns."""

from collections import defaultdict

from hypothesis import given
from hypothesis import strategies as st

from ingestd.collecting.points import Naming
from ingestd.config import Catalogue

# Few names, times and values, so that they meet; or whole turns of many series.
MIXED = st.lists(st.tuples(st.integers(1, 4), st.sampled_from("abc"), st.integers(0, 1)))
TURNS = st.tuples(
    st.integers(1, 20), st.lists(st.integers(1, 6), min_size=1, max_size=6), st.integers(0, 19)
).map(
    lambda drawn: [
        (time + (place == drawn[2]), f"series {place}", turn)
        for turn, time in enumerate(drawn[1])
        for place in range(drawn[0])
    ]
)


@given(MIXED | TURNS)
def test_of_contradicting_readings_the_last_is_kept(readings: list[tuple[int, str, int]]) -> None:
    """One for each series and time, and as many are told as differ from it."""
    last = {(name, time): value for time, name, value in readings}
    wrong = sum(last[name, time] != value for time, name, value in readings)

    found = naming().sort(readings, now=0.0)

    kept = {(series.name, time_us // 10**6): value for series, time_us, value in found.points}
    assert kept == last
    assert found.unusable["contradiction"] == wrong
    assert len(found.points) == len(readings) - wrong


@given(TURNS)
def test_newest_of_each_series_is_its_latest(readings: list[tuple[int, str, int]]) -> None:
    """If the source gives them in order."""
    readings.sort(key=lambda reading: reading[0])
    latest: defaultdict[str, int] = defaultdict(int)
    for time, name, _ in readings:
        latest[name] = max(latest[name], time * 10**6)

    found = naming().sort(readings, now=0.0)

    assert {series.name: time_us for series, time_us in found.newest.items()} == latest
    assert found.newest_us == max(latest.values())


def naming() -> Naming:
    """Return what makes points, with nothing said about series."""
    return Naming(measurement="reading", field="value", tags={}, catalogue=Catalogue())
