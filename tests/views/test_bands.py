"""Many points as few columns: whatever was extreme stays so."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.model import StoredPoint
from ingestd.views import Bands

SPAN_US = 1000
POINTS = st.lists(
    st.tuples(st.integers(-10, SPAN_US + 10), st.floats(-1e300, 1e300, allow_nan=False))
)


def stored(time_us: int, value: float) -> StoredPoint:
    """Return a point of some series."""
    return StoredPoint("level", {}, "reading", "value", time_us, value)


def test_a_spike_is_never_averaged_away() -> None:
    """One reading among thousands is the top of its band."""
    bands = Bands(0, SPAN_US, columns=4)
    bands.add(stored(at, 99.0 if at == 600 else 1.0) for at in range(SPAN_US))

    columns = bands.as_json()

    assert [each["high"] for each in columns] == [1.0, 1.0, 99.0, 1.0]
    assert [each["low"] for each in columns] == [1.0] * 4
    assert [each["count"] for each in columns] == [250] * 4


def test_columns_without_points_are_left_out() -> None:
    """A gap is a gap, and a lonely point stands where it was."""
    bands = Bands(0, SPAN_US, columns=100)
    bands.add([stored(995, 2.0), stored(5, 1.0)])

    assert [(each["at"], each["mean"]) for each in bands.as_json()] == [(5e-6, 1.0), (995e-6, 2.0)]


@pytest.mark.slow  # a hundred lists of points are made
@given(POINTS, st.integers(1, 50))
def test_nothing_is_lost_or_made_up(points: list[tuple[int, float]], columns: int) -> None:
    """Lowest, highest and number are those of the points inside; a mean is between its ends."""
    bands = Bands(0, SPAN_US, columns=columns)
    bands.add(stored(*each) for each in points)
    inside = [value for at, value in points if 0 <= at < SPAN_US]
    found = bands.as_json()

    assert len(found) <= columns
    assert sum(each["count"] for each in found) == bands.count == len(inside)
    assert min((each["low"] for each in found), default=None) == min(inside, default=None)
    assert max((each["high"] for each in found), default=None) == max(inside, default=None)
    assert all(each["low"] <= each["mean"] <= each["high"] for each in found)
    assert [each["at"] for each in found] == sorted(each["at"] for each in found)
