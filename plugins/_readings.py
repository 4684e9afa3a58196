"""Many readings of one result, as columns: tuples made one by one cost as much as storing them.

A plugin may give them in the place of a list. They are a sequence of the same tuples, and the
daemon takes their columns as they are.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, overload

Reading = tuple[Any, ...]


class Readings(Sequence[Reading]):
    """Readings without tags, as columns of one length.

    Args:
        times: The time of each reading.
        series: The name of its series.
        values: Its value.

    Raises:
        ValueError: The columns are of several lengths.
    """

    __slots__ = ("series", "times", "values")

    def __init__(self, times: Sequence[Any], series: Sequence[Any], values: Sequence[Any]) -> None:
        if not len(times) == len(series) == len(values):
            lengths = f"{len(times)}, {len(series)} and {len(values)}"
            raise ValueError(f"readings: expected columns of one length, got {lengths}")
        self.times, self.series, self.values = times, series, values

    @property
    def columns(self) -> tuple[Sequence[Any], Sequence[Any], Sequence[Any]]:
        """Times, series and values."""
        return self.times, self.series, self.values

    def __len__(self) -> int:
        return len(self.times)

    def __iter__(self) -> Iterator[Reading]:
        return zip(*self.columns, strict=True)

    @overload
    def __getitem__(self, at: int) -> Reading: ...
    @overload
    def __getitem__(self, at: slice) -> Readings: ...
    def __getitem__(self, at: int | slice) -> Reading | Readings:
        if isinstance(at, slice):
            return Readings(*(column[at] for column in self.columns))
        return tuple(column[at] for column in self.columns)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and [*self] == [*other]

    __hash__ = None  # type: ignore[assignment]  # as a list has none


def column(readings: Sequence[Reading], at: int) -> Sequence[Any]:
    """Return what each reading has at a place: 0 for times, 1 for series, 2 for values."""
    if isinstance(readings, Readings):
        return readings.columns[at]
    return list(map(itemgetter(at), readings))


def behind_each_other(parts: Sequence[Sequence[Reading]]) -> Sequence[Reading]:
    """Return the readings of some parts, as columns if all of them are."""
    if len(parts) == 1:
        return parts[0]
    if parts and all(isinstance(part, Readings) for part in parts):
        return Readings(*(flat(column(part, at) for part in parts) for at in range(3)))
    return flat(parts)


def by_turns(parts: Sequence[Readings]) -> Readings:
    """Return the first reading of each part, then the second, and so on."""
    if len(parts) == 1:
        return parts[0]
    turns = (zip(*(column(part, at) for part in parts), strict=True) for at in range(3))
    return Readings(*map(flat, turns))


def flat(parts: Iterable[Iterable[Any]]) -> list[Any]:
    """Return what is in some sequences, one behind the other."""
    return list(chain.from_iterable(parts))
