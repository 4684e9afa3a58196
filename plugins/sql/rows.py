"""From rows to readings."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from ingestd.plugins._documents import Table
from ingestd.plugins._readings import Reading, column
from ingestd.plugins._shapes import Reader
from ingestd.plugins._times import Twice

Row = tuple[Any, ...]
# What drivers return and readings are not made of.
OTHERS: Final = frozenset({Decimal, date, UUID})


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that were read one after the other.

    Attributes:
        rows: As the driver returned them.
        records: The same as records.
        readings: What they make, so many for each row.
    """

    rows: Sequence[Row]
    records: Sequence[Any]
    readings: Sequence[Reading]

    def first(self, count: int) -> "Part":
        """Return a part with the first rows only."""
        each = len(self.readings) // len(self.rows)
        readings = self.readings[: count * each]
        return Part(self.rows[:count], self.records[:count], readings)

    def clear_rows(self) -> int:
        """Return how many rows there are up to the last one whose time came once."""
        each = len(self.readings) // len(self.rows)
        times = column(self.readings, 0)
        at = len(self.rows)
        while at and type(times[at * each - 1]) is Twice:
            at -= 1
        return at


def part_of(rows: Sequence[Row], names: Sequence[str], shape: Reader) -> Part:
    """Return what rows make.

    Args:
        rows: There is at least one.
        names: Of their columns.
        shape: Reads them.
    """
    columns = map(plain, zip(*rows, strict=True))
    records = Table(dict(zip(names, columns, strict=True)))
    return Part(rows, records, shape.readings(records))


def plain(values: Sequence[Any]) -> Sequence[Any]:
    """Return the values of a column as readings are made of them."""
    return values if OTHERS.isdisjoint(map(type, values)) else [*map(simple, values)]


def simple(value: Any) -> Any:
    """Return a value as a number, a text or a time."""
    if isinstance(value, Decimal):
        return float(value)
    if type(value) is date:
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 -- where that was is said elsewhere
    return str(value) if isinstance(value, UUID) else value


def by_passes(readings: Sequence[Reading]) -> Sequence[Reading]:
    """Return readings that were sorted by what the clock showed in the order of their instants.

    Where an hour came twice, the readings of both passes alternate. What came first for a series
    and a time is taken to be of the first pass.
    """
    if Twice not in set(map(type, column(readings, 0))):
        return readings
    seen: Counter[Any] = Counter()
    ordered: list[tuple[int, int, Reading]] = []
    night = 0
    for reading in readings:
        if type(reading[0]) is not Twice:
            night += 2
            ordered.append((night, 0, reading))
            continue
        key = (reading[0], *map(repr, reading[1:2] + reading[3:]))
        ordered.append((night + 1, seen[key], reading))
        seen[key] += 1
    return [reading for *_, reading in sorted(ordered, key=lambda each: each[:2])]
