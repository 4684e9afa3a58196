"""Many points as few columns, each with its lowest and highest value, so that no spike is lost."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ingestd.model import MICROSECONDS, StoredPoint


@dataclass(slots=True)
class _Column:
    low: float
    high: float
    total: float = 0.0
    count: int = 0
    first_us: int = 0
    last_us: int = 0


class Bands:
    """Points of a span of time in columns of equal width.

    Args:
        start_us: Where the span begins, in microseconds since the Unix epoch.
        end_us: Where it ends, likewise; no part of it.
        columns: How many there are.

    Attributes:
        count: How many points were added.
    """

    def __init__(self, start_us: int, end_us: int, *, columns: int) -> None:
        self.start_us, self.end_us, self._number = start_us, end_us, columns
        self._columns: dict[int, _Column] = {}
        self.count = 0

    def add(self, points: Iterable[StoredPoint]) -> None:
        """Add points in any order; what is outside of the span is left out."""
        width_us = max(1, self.end_us - self.start_us)
        for point in points:
            if not self.start_us <= point.time_us < self.end_us:
                continue
            at = (point.time_us - self.start_us) * self._number // width_us
            column = self._columns.get(at)
            if column is None:
                column = self._columns[at] = _Column(point.value, point.value)
                column.first_us = column.last_us = point.time_us
            column.low, column.high = min(column.low, point.value), max(column.high, point.value)
            column.first_us = min(column.first_us, point.time_us)
            column.last_us = max(column.last_us, point.time_us)
            column.total, column.count = column.total + point.value, column.count + 1
            self.count += 1

    def as_json(self) -> list[dict[str, Any]]:
        """Return the columns that have points, in order; times are in seconds since the epoch."""
        return [
            {
                "first": each.first_us / MICROSECONDS,
                "at": (each.first_us + each.last_us) / 2 / MICROSECONDS,
                "last": each.last_us / MICROSECONDS,
                "low": each.low,
                "high": each.high,
                "mean": min(each.high, max(each.low, each.total / each.count)),
                "count": each.count,
            }
            for _, each in sorted(self._columns.items())
        ]
