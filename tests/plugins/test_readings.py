"""Readings as columns are a sequence of the same tuples."""

from typing import Any

import pytest

from ingestd.plugins._readings import Readings, behind_each_other, by_turns, column

ROWS: list[tuple[Any, ...]] = [(1.0, "a", 5), (2.0, "b", None), (None, "", "7"), (4, "a", 8.5)]
READINGS = Readings(*map(list, zip(*ROWS, strict=True)))


@pytest.mark.parametrize("at", [0, -1, slice(1, 3), slice(None, None, -1), slice(4, 9)])
def test_each_is_found_by_its_place(at: Any) -> None:
    """One of them is a tuple, and some are columns again."""
    assert READINGS[at] == ROWS[at]
    assert isinstance(READINGS[at], Readings) == isinstance(at, slice)


def test_they_are_what_a_list_of_them_is() -> None:
    """The same, as long, and in the same order; not what differs in one value."""
    assert (len(READINGS), [*READINGS]) == (len(ROWS), ROWS)
    assert Readings(*READINGS.columns) == READINGS
    assert READINGS.__eq__(ROWS)
    assert [*ROWS[:3], (4, "a", 8)] != READINGS
    assert not READINGS[4:]


def test_columns_are_of_one_length() -> None:
    """Otherwise values would have other times than theirs."""
    with pytest.raises(ValueError, match="expected columns of one length, got 1, 1 and 2"):
        Readings([1], ["a"], [5, 6])


@pytest.mark.parametrize("parts", [[], [READINGS], [READINGS] * 3, [READINGS, ROWS], [ROWS]])
def test_parts_are_put_behind_each_other(parts: list[Any]) -> None:
    """As columns if all are, and otherwise as a list."""
    found = behind_each_other(parts)

    assert found == [row for part in parts for row in part]
    assert isinstance(found, Readings) == (bool(parts) and ROWS is not parts[-1])


def test_parts_take_turns() -> None:
    """The first of each, then the second."""
    others = Readings([1.0, 2.0, None, 4], ["x"] * 4, [9] * 4)

    found = by_turns([READINGS, others])

    assert found == [row for pair in zip(ROWS, others, strict=True) for row in pair]
    assert by_turns([others]) == others


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_column_is_found_in_both(at: int) -> None:
    """Also where readings have tags."""
    assert list(column(READINGS, at)) == list(column([(*row, {"t": "x"}) for row in ROWS], at))
