"""The rows of one target as readings, each series and time once."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from .options import Naming
from .rows import Row, is_time, row_of

Reading = tuple[Any, ...]

NO_BAND: Final = "none"


@dataclass(slots=True)
class Target:
    """The reduced data of a target, as the rows come.

    Where several rows are of one time and one series, the last one that has numbers counts, as a
    whole. There is no version to choose by, but a TOM lists what has one time in the order in which
    its database has it, and those that were moved to the new tables behind those that were not.

    Args:
        id: Its number.
        name: Its name.
        data_types: Which data are wanted.

    Attributes:
        rows: What counts, by its time and what tells its series apart.
        repeats: How many rows another one of their time has replaced that differs.
        empty: How many have no numbers.
        foreign: How many are of another target, or are none.
        others: How many are of other types.
    """

    id: str
    name: str
    data_types: frozenset[str]
    rows: dict[tuple[Any, ...], Row] = field(default_factory=dict)
    repeats: int = 0
    empty: int = 0
    foreign: int = 0
    others: int = 0

    def take(self, rows: Iterable[Any]) -> None:
        """Take the rows of a page."""
        for row in rows:
            if not isinstance(row, dict) or str(row.get("target")) != self.id:
                self.foreign += 1
            elif str(row.get("data_type")).lower() not in self.data_types:
                self.others += 1
            else:
                self._take(row_of(row))

    def _take(self, row: Row) -> None:
        if not row.numbers:
            self.empty += 1
            return
        time = row.time if is_time(row.time) else repr(row.time)
        key = (row.kind, time, *sorted(row.words.items()))
        before = self.rows.get(key)
        self.repeats += before is not None and before.numbers != row.numbers
        self.rows[key] = row

    @property
    def newest(self) -> float | None:
        """The latest time that has a value, in Unix seconds."""
        return max((each.time for each in self.rows.values() if is_time(each.time)), default=None)

    def readings(self, naming: Naming) -> list[Reading]:
        """Return a reading for each number, the oldest first."""
        ordered = sorted(self.rows.values(), key=when)
        return [each for row in ordered for each in named(row, self, naming)]


def when(row: Row) -> float:
    """Return by what a row is sorted."""
    return float(row.time) if is_time(row.time) else 0.0


def named(row: Row, target: Target, naming: Naming) -> Iterable[Reading]:
    """Yield the readings of a row."""
    for quantity, value in row.numbers.items():
        words = {**row.words, "target": target.id, "name": target.name, "quantity": quantity}
        series = naming.series.fill({**words, "band": words["band"] or NO_BAND})
        tags = {name: text for name, each in naming.tags.items() if (text := each.fill(words))}
        yield row.time, series, value, tags


def digest(readings: Sequence[Reading], mark: str) -> str:
    """Return what changes when any of some readings does, or what they depend on.

    Args:
        readings: In any order.
        mark: What they depend on.
    """
    found = hashlib.sha256(mark.encode())
    for text in sorted(map(repr, readings)):
        found.update(text.encode())
    return found.hexdigest()[:32]


def since(readings: Sequence[Reading], first: float | None) -> Sequence[Reading]:
    """Return those from a time on; what has no time is kept, for the daemon to tell of it."""
    if first is None:
        return readings
    return [each for each in readings if not is_time(each[0]) or each[0] >= first]


def within(readings: Sequence[Reading], begin: float, end: float) -> Sequence[Reading]:
    """Return those of a window."""
    return [each for each in readings if is_time(each[0]) and begin <= each[0] < end]


def told(targets: Mapping[str, int]) -> str:
    """Return targets and numbers, for people."""
    shown = [f"{name} ({count})" for name, count in list(targets.items())[:5]]
    if more := len(targets) - len(shown):
        shown.append(f"and {more} more")
    return ", ".join(shown)
