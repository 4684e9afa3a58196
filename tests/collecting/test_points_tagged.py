"""Readings with tags by the thousand: the quick way gives what the careful one does."""

from typing import Any, Final

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestd.collecting import points as readings
from ingestd.config.catalogue import SeriesDescription
from ingestd.errors import ReadingError
from ingestd.model import Point
from tests.support.readings import NOW, naming

TEXTS: Final = st.sampled_from(["a", "b", "", "series", "\n", "x" * 1025])
ODD: Final[st.SearchStrategy[Any]] = st.sampled_from([1, True, 1.0, None, np.str_("a"), [1], {}])
TAGS: Final = st.dictionaries(TEXTS, TEXTS | ODD, max_size=2) | st.sampled_from([None, 7, "a", ()])
NAMES: Final = st.sampled_from(["level", "flow", "", 1, True, None])
TAGGED: Final = st.tuples(st.integers(0, 2), NAMES, st.sampled_from([1.0, 2]), TAGS)


@given(st.lists(TAGGED, max_size=5), st.lists(TAGGED, max_size=5))
@settings(max_examples=300)
@pytest.mark.slow  # many examples
def test_tagged_readings_are_those_that_they_are_alone(before: list[Any], some: list[Any]) -> None:
    """Whatever came before: what is known then is known by its texts."""
    named, careful = naming(), naming()
    named.sort(before, now=NOW)

    found = named.sort(some, now=NOW)

    alone = []
    for each in some:
        try:
            alone.append(careful.point(each, now=NOW))
        except ReadingError:
            continue
    last = {(series, us): value for series, us, value in bare(alone)}
    assert bare(found.points) == [each for each in bare(alone) if last[each[:2]] == each[2]]
    assert len(found.points) + found.unusable.total() == len(some)


def bare(points: list[Point]) -> list[tuple[Any, int, float]]:
    """Return points without the identity of their series."""
    return [((series.name, series.tags), us, value) for series, us, value in points]


def test_a_dict_of_tags_may_change_afterwards() -> None:
    """A plugin may use the same one again."""
    named, tags = naming(), {"room": "attic"}
    first = named.sort([(1, "level", 1.0, tags)], now=NOW).points
    tags["room"] = "cellar"
    second = named.sort([(1, "level", 1.0, tags)], now=NOW).points

    assert [dict(series.tags)["room"] for series, _, _ in first + second] == ["attic", "cellar"]


def test_the_order_of_tags_means_nothing() -> None:
    """They are one series, and known as one."""
    tags = {"a": "1", "b": "2"}, {"b": "2", "a": "1"}

    found = naming().sort([(n, "level", 1.0, each) for n, each in enumerate(tags)], now=NOW)

    (one, _, _), (other, _, _) = found.points
    assert one is other
    assert len(found.newest) == 1


def test_tagged_series_are_scaled() -> None:
    """What the catalogue says of a name holds with any tags."""
    named = naming(level=SeriesDescription(scale=2.0))

    found = named.sort([(1, "flow", 1.0, {"a": "b"}), (1, "level", 1.0, {"a": "b"})], now=NOW)

    assert [value for _, _, value in found.points] == [1.0, 2.0]


def test_more_tagged_series_than_are_remembered_are_still_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The cache of series is emptied when it is full, even in the middle of a result."""
    monkeypatch.setattr(readings, "SERIES_CACHED", 3)
    named = naming()
    some = [(1, "level", 1.0, {"room": str(n)}) for n in range(10)]
    named.sort(some[:2], now=NOW)

    found = named.sort(some, now=NOW)

    assert [dict(series.tags)["room"] for series, _, _ in found.points] == list("0123456789")


def test_one_type_is_not_taken_for_another() -> None:
    """1 and True are equal for Python, but not as the name of a series or the text of a tag."""
    named = naming()
    named.sort([(1, 1, 1.0, {"a": "b"}), (1, "level", 1.0, {"a": 1})], now=NOW)

    assert named.sort([(1, True, 1.0, {"a": "b"})], now=NOW).unusable == {"series": 1}
    ((series, _, _),) = named.sort([(1, "level", 1.0, {"a": True})], now=NOW).points
    assert dict(series.tags)["a"] == "True"
