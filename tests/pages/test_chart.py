"""A chart: where its bands are, where its line breaks, and what stands beside it."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingestd.model import MICROSECONDS, StoredPoint
from ingestd.pages.chart import HEIGHT, LEFT, WIDTH, Scale, chart
from ingestd.pages.words import Viewing
from ingestd.views import Bands
from tests.support.html import ReadHtml

VIEWING = Viewing(now=10.0)


def columns(*values: tuple[float, float, float]) -> list[dict[str, float]]:
    """Return columns of time, low and high."""
    return [
        {
            "first": at,
            "at": at,
            "last": at,
            "count": 1,
            "low": low,
            "high": high,
            "mean": (low / 2 + high / 2),
        }
        for at, low, high in values
    ]


def drawn(*values: tuple[float, float, float]) -> ReadHtml:
    """Return a chart of ten seconds."""
    return ReadHtml(
        str(chart(columns(*values), start=0.0, end=10.0, label="a <b>", viewing=VIEWING))
    )


def paths(found: ReadHtml) -> list[str]:
    """Return what its paths draw: the grid, the bands, the line."""
    return [value for tag, name, value in found.attributes if (tag, name) == ("path", "d")]


def test_a_band_reaches_from_the_lowest_to_the_highest() -> None:
    """The spike in the middle is as high as the picture."""
    *_, bands, line = paths(drawn((1.0, 0.0, 1.0), (2.0, 0.0, 9.0), (3.0, 0.0, 1.0)))
    heights = [
        float(low) - float(high) for high, low in re.findall(r"M[\d.]+ ([\d.]+)V([\d.]+)", bands)
    ]

    assert heights[1] == pytest.approx(9 * heights[0], abs=1)
    assert line.count("M") == 1


def test_no_line_is_drawn_over_a_gap() -> None:
    """Behind a long silence it begins anew."""
    values = [(float(at), 1.0, 1.0) for at in (0, 1, 2, 8, 9)]
    line = paths(drawn(*values))[-1]

    assert line.count("M") == 2


def test_a_gap_between_two_columns_is_seen_by_the_points_in_them() -> None:
    """The distance of the two alone does not say what is usual."""
    bands = Bands(0, 10 * MICROSECONDS, columns=10)
    bands.add(
        StoredPoint("a", {}, "reading", "value", at * MICROSECONDS // 10, 1.0)
        for at in (*range(10), *range(50, 60))
    )
    found = ReadHtml(str(chart(bands.as_json(), start=0.0, end=10.0, label="a", viewing=VIEWING)))

    assert paths(found)[-1].count("M") == 2
    assert [tag for tag, _ in found.elements].count("circle") == 2


def test_a_lonely_point_is_a_dot() -> None:
    """A line of one point could not be seen."""
    tags = [tag for tag, _ in drawn((5.0, 1.0, 1.0)).elements]

    assert tags.count("circle") == 1


def test_nothing_is_said_to_be_nothing() -> None:
    """There is no picture without points."""
    assert "nothing in this span" in drawn().text


@pytest.mark.slow  # draws a hundred charts
@example([(0.0, 1.7e308)])  # one, as large as a number can be
@given(
    st.lists(
        st.tuples(st.floats(0, 10), st.floats(allow_nan=False, allow_infinity=False)),
        min_size=1,
        max_size=20,
    )
)
def test_everything_is_inside_of_the_picture(points: list[tuple[float, float]]) -> None:
    """Whatever the values are, from the smallest to the largest that there are."""
    found = columns(*sorted((at, value, value) for at, value in points))
    scale = Scale(found, 0.0, 10.0)
    shown = ReadHtml(str(chart(found, start=0.0, end=10.0, label="", viewing=VIEWING)))

    assert all(LEFT <= scale.x(each["at"]) <= WIDTH for each in found)
    assert all(0 <= scale.y(each["low"]) <= HEIGHT for each in found)
    assert "nan" not in " ".join(paths(shown))
    assert "inf" not in " ".join(paths(shown))
