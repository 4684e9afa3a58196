"""The series of a collector, read from a store and compared with their cadence.

A series is read in slices of time that grow and shrink with what is in them, so
that neither a decade nor a thousand devices under one name fill the memory.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final

from ingestd.backfilling.absent import Absences
from ingestd.backfilling.gaps import DAY_US, SECOND_US, Bounds, Comparison, Hole
from ingestd.model import StoredPoint, Tags
from ingestd.sinks import Sink

POINTS: Final = 20_000  # in a slice, more or less
LARGEST_STEP: Final = 8  # from the width of one slice to that of the next
NARROWEST: Final = 60 * SECOND_US


@dataclass(frozen=True, slots=True)
class Compared:
    """A series and what was found.

    Attributes:
        name: Its name.
        tags: Its tags, which belong to it as its name does.
        found: Its comparison, finished.
        absent: Holes that were left out of it, because the source has nothing there either.
    """

    name: str
    tags: Tags
    found: Comparison
    absent: list[Hole] = field(default_factory=list)

    def leave_out(self, absences: Absences) -> None:
        """Leave out the holes in which the source is known to have nothing."""
        holes = self.found.holes
        self.absent.extend(each for each in holes if absences.has(self.name, self.tags, each))
        self.found.holes = [each for each in holes if each not in self.absent]


async def compare(
    sink: Sink | None,
    series: Iterable[tuple[str, Tags]],
    bounds: Bounds,
    cadence_us: int | None,
    tell: Callable[[float, str], None],
) -> AsyncIterator[Compared]:
    """Yield the series, sorted, each with what it lacks.

    Args:
        sink: The store, or None for one that was never written to.
        series: Names and sorted tags.
        bounds: What to look at.
        cadence_us: How far apart readings should be, or None to learn it from each series.
        tell: Told how far it has come, as a part of 1, and the name of the series.

    Raises:
        QueryError: The store could not answer.
    """
    by_name: dict[str, list[Tags]] = {}
    for name, tags in sorted(series):
        by_name.setdefault(name, []).append(tags)
    for number, (name, kinds) in enumerate(by_name.items()):
        comparisons = {tags: Comparison(bounds, cadence_us) for tags in kinds}
        if sink is not None:
            async with aclosing(_slices(sink, name, kinds, bounds)) as slices:
                async for points, share in slices:
                    _feed(comparisons, points)
                    tell((number + share) / len(by_name), name)
        for tags, comparison in comparisons.items():
            comparison.finish()
            yield Compared(name, tags, comparison)


async def _slices(
    sink: Sink, name: str, kinds: Sequence[Tags], bounds: Bounds
) -> AsyncGenerator[tuple[Sequence[StoredPoint], float], None]:
    """Yield what there is under a name, slice by slice, and how much of the time that was."""
    tags = dict(kinds[0]) if len(kinds) == 1 else {}
    width_us, at_us = max(DAY_US // len(kinds), NARROWEST), bounds.start_us
    while at_us < bounds.end_us:
        until_us = min(at_us + width_us, bounds.end_us)
        points = await sink.read(name, start_us=at_us, end_us=until_us, tags=tags)
        yield points, (until_us - bounds.start_us) / (bounds.end_us - bounds.start_us)
        width_us, at_us = _resized(width_us, len(points)), until_us


def _resized(width_us: int, points: int) -> int:
    """Return how wide a slice should be, if one of a width held so many points."""
    factor = min(LARGEST_STEP, max(1 / LARGEST_STEP, POINTS / max(points, 1)))
    return max(NARROWEST, int(width_us * factor))


def _feed(comparisons: Mapping[Tags, Comparison], points: Iterable[StoredPoint]) -> None:
    times: dict[Tags, list[int]] = {tags: [] for tags in comparisons}
    for point in points:
        found = times.get(tuple(sorted(point.tags.items())))
        # The same time comes twice if a series has several fields or measurements.
        if found is not None and (not found or found[-1] != point.time_us):
            found.append(point.time_us)
    for tags, found in times.items():
        comparisons[tags].feed(found)
