"""How a batch is made ready to be sent."""

import pytest

from ingestd.delivery.preparing import PreparedBatch, prepare
from ingestd.model import Point, Series
from tests.support.pipeline import influx, points

SINK = influx("http://localhost", gzip=False)
ONE = 10**6  # bytes, more than any of these batches


def prepared(
    some: list[Point],
    *,
    size_bytes: int = ONE,
    horizon: int | None = None,
    ahead: list[Point] | None = None,
) -> PreparedBatch:
    """Prepare points behind a spool that reaches up to some seconds."""
    horizon_us = None if horizon is None else horizon * 1_000_000
    return prepare(SINK, some, size_bytes=size_bytes, horizon_us=horizon_us, ahead=ahead or [])


@pytest.mark.parametrize(
    ("horizon", "fresh", "behind"),
    [(None, [3], []), (0, [3], []), (1, [2], [1]), (2, [1], [2]), (3, [], [3])],
)
def test_what_lies_beyond_the_horizon_is_fresh(
    horizon: int | None, fresh: list[int], behind: list[int]
) -> None:
    """A point at the horizon may correct one that waits."""
    found = prepared(points(1, 2, 3), horizon=horizon)

    assert [each.points for each in found.fresh] == fresh
    assert [each.points for each in found.behind] == behind


def test_the_size_is_that_of_all_bodies() -> None:
    """From it a lane learns what a point weighs."""
    both = prepared(points(1, 2, 3), horizon=1).raw_bytes

    assert both == prepared(points(1)).raw_bytes + prepared(points(2, 3)).raw_bytes
    assert both > len(b"reading,series=level value=1.0 1")


def test_a_batch_that_is_too_large_is_halved() -> None:
    """A body may have just the size that is allowed; a point alone may have more."""
    two = prepared(points(1, 2)).raw_bytes

    def sizes(size_bytes: int) -> list[int]:
        return [each.points for each in prepared(points(1, 2, 3, 4), size_bytes=size_bytes).fresh]

    assert sizes(two) == [2, 2]
    assert sizes(two - 1) == sizes(1) == [1, 1, 1, 1]


def test_what_the_store_would_not_keep_is_refused() -> None:
    """It is in no body."""
    awkward = Series("level", tags=(("room", "ends in \\"),))
    found = prepared([*points(1), *points(2, series=awkward)])

    assert [each.points for each in found.fresh] == [1]
    ((payload, _),) = found.refused
    assert b"ends in" in payload
    assert prepared(points(2, series=awkward)).fresh == []


@pytest.mark.parametrize(
    ("ahead", "corrects"), [([], False), ([5], True), ([4, 6], True), ([7], False), ([3], False)]
)
def test_a_batch_corrects_the_one_ahead_by_series_and_time(
    ahead: list[int], *, corrects: bool
) -> None:
    """A point of another series with the same time is another point."""
    other = Series("other")

    assert prepared(points(4, 5), ahead=points(*ahead)).corrects == corrects
    assert not prepared(points(4, 5), ahead=points(*ahead, series=other)).corrects
