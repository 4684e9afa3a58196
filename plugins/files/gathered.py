"""Readings of one file or of many small ones, until they are enough for a result."""

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Final

from ingestd.plugins._readings import Reading, behind_each_other
from ingestd.plugins._times import NoTime

from .work import Batch

MANY: Final = 5000  # readings of a result; fewer cost more for each, and more take memory
MOST_TOLD: Final = 3  # problems of a run
MORE: Final = "{}: not read to its end, for lack of time; the next run goes on"

TimeProblem = Callable[[float], str]


class Gathered:
    """Readings that wait to be given, and what is wrong."""

    def __init__(self) -> None:
        self._parts: list[Sequence[Reading]] = []
        self._count = 0
        self._problems: list[str] = []

    def add(self, readings: Sequence[Reading]) -> None:
        """Add readings."""
        if readings:
            self._parts.append(readings)
            self._count += len(readings)

    @property
    def full(self) -> bool:
        """Whether there are enough for a result."""
        return self._count >= MANY

    def take(self) -> Sequence[Reading]:
        """Return the readings, which are not waiting any more."""
        parts, self._parts, self._count = self._parts, [], 0
        return behind_each_other(parts)

    def complain(self, problem: str) -> None:
        """Note what is wrong."""
        self._problems.append(problem)

    def problem(self) -> dict[str, str]:
        """Return what is wrong as a part of a result, and forget it."""
        problems, self._problems = self._problems, []
        if not problems:
            return {}
        told = "; ".join(problems[:MOST_TOLD])
        more = len(problems) - MOST_TOLD
        return {"script_error": told + (f"; and {more} more" if more > 0 else "")}


def has_usable(batch: Batch, time_problem: TimeProblem) -> bool:
    """Say whether one reading can be stored, as far as that can be told here, or need not be."""
    return any(
        ((type(value) in {int, float, bool} and isfinite(value)) or batch.empty)
        and isinstance(time, int | float)
        and not time_problem(time)
        for time, _, value, *_ in batch.readings
    )


def why_unusable(reading: Reading, time_problem: TimeProblem) -> str:
    """Return what is wrong with a reading, for people."""
    time, series, value = reading[:3]
    if isinstance(time, NoTime):
        return f"time: {time}"
    if not isinstance(time, int | float):
        return "time: expected `timezone`, as it says no zone"
    return time_problem(time) or f"{series}: expected a number, got {value!r:.80}"
