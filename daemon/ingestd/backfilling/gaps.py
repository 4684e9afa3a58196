"""What a series lacks: its times and how far apart they should be -> holes.

Pure; all times and distances are whole microseconds. Times come in pieces and in
order, and nothing is kept of them but a sample to learn the usual distance from,
so a decade takes no more memory than a day.

Two neighbours have a hole between them if they are more than one and a half
cadences apart. That leaves room for readings that are a little early or late, for
days of 23 and 25 hours, and for months, which are never that unlike. What lies
before the first and after the last reading is a hole only within a bound that
was asked for: the default ones say nothing about when a series began.

A cadence that is learnt may change: a logger is set from hourly to every four hours. Where
so many neighbours in a row as ``CHANGED`` are alike, and far from the cadence, they are
the cadence from the first of them on, and no holes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

SECOND_US: Final = 1_000_000
HOUR_US: Final = 3600 * SECOND_US
DAY_US: Final = 24 * HOUR_US
# Between 30 and 31 days people mean a month; on average it is a twelfth of a year.
MONTH: Final = range(30 * DAY_US - 2 * HOUR_US, 31 * DAY_US + 2 * HOUR_US + 1)
MEAN_MONTH: Final = round(365.2425 * DAY_US / 12)
SAMPLE: Final = 1000  # distances to learn from
ALIKE: Final = 1.1  # the largest of distances that are alike, as a multiple of the smallest
# Fewer alike than this say that a series comes when it likes: a valve, a door, a bill.
REGULAR: Final = 1 / 3
FEWEST: Final = 2  # alike
TOO_FEW: Final = "too few readings"
FEW: Final = 5  # of which one cannot say that they are irregular
# Fewer readings in a row that come more rarely, or more often, are no new cadence: what
# loses every second reading does so for a few hours.
CHANGED: Final = 30
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

SpanUs = tuple[int, int]  # the first time in it, and the first one no longer


@dataclass(frozen=True, slots=True)
class Hole:
    """Readings that should be there, and are not.

    Attributes:
        after_us: The reading before them, or the beginning of what was looked at.
        start_us: When the first of them should be.
        end_us: The reading behind them, or the end of what was looked at.
        missing: How many they should be.
        cadence_us: How far apart they should be.
    """

    after_us: int
    start_us: int
    end_us: int
    missing: int
    cadence_us: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is looked at.

    Attributes:
        start_us: The first time.
        end_us: The first time no longer.
        from_start: Whether there should be readings from the very start.
        to_end: Whether there should be readings to the very end.
    """

    start_us: int
    end_us: int
    from_start: bool
    to_end: bool


class Comparison:
    """Compares the readings of one series with how far apart they should be.

    Args:
        bounds: What is looked at.
        cadence_us: How far apart they should be, or None to learn it from them.

    Attributes:
        readings: How many there are.
        cadence_us: What they were compared with, or None; the last of them if it changed.
        holes: What is missing, in order, once it is finished.
        problem: Why they were not compared, or an empty string.
    """

    def __init__(self, bounds: Bounds, cadence_us: int | None) -> None:
        self._bounds, self.cadence_us = bounds, cadence_us
        self._first: int | None = None
        self._last = 0
        self._sample: list[int] | None = [] if cadence_us is None else None
        self._stretch = None if cadence_us is not None else Stretch()
        self.readings, self.problem = 0, ""
        self.holes: list[Hole] = []

    def feed(self, times_us: Sequence[int]) -> None:
        """Take more times, in order and later than those before."""
        self.readings += len(times_us)
        if self._sample is None:
            self._look(times_us)
            return
        self._sample += times_us
        if len(self._sample) > SAMPLE:
            self._learn(self._sample)

    def finish(self) -> None:
        """Take note that there are no more."""
        if self._sample is not None:
            self._learn(self._sample)
        bounds, cadence = self._bounds, self.cadence_us
        if cadence is None:
            return
        if self._first is None:
            self._find_nothing(length_of(cadence))
            return
        head = before(self._first, bounds.start_us, cadence) if bounds.from_start else None
        tail = between(self._last, bounds.end_us, cadence) if bounds.to_end else None
        self.holes = [*filter(None, [head]), *self.holes, *filter(None, [tail])]

    def _find_nothing(self, length_us: int) -> None:
        """Take all of it for a hole if both bounds were asked for; else note that it is empty."""
        start, end = self._bounds.start_us, self._bounds.end_us
        if self._bounds.from_start and self._bounds.to_end:
            missing = -(-(end - start) // length_us)
            self.holes = [Hole(start, start, end, missing, length_us)]
        else:
            self.problem = "no readings"

    def _learn(self, times_us: Sequence[int]) -> None:
        self._sample = None
        distances = [later - earlier for earlier, later in pairwise(times_us)]
        self.cadence_us = commonest(distances)
        if self.cadence_us is None:
            few = TOO_FEW if len(distances) < FEW else "irregular readings"
            self.problem = f"{few if times_us else 'no readings'}, and no cadence is known"
        self._look(times_us)

    def _look(self, times_us: Sequence[int]) -> None:
        if not times_us:
            return
        if self._first is None:
            self._first = self._last = times_us[0]
        if self.cadence_us is not None:
            self._compare(times_us, self.cadence_us)
        self._last = times_us[-1]

    def _compare(self, times_us: Sequence[int], cadence_us: int) -> None:
        """Find the holes between neighbours, and where their cadence changes."""
        last_us, stretch, holes = self._last, self._stretch, self.holes
        for time_us in times_us:
            distance_us, last_us, before_us = time_us - last_us, time_us, last_us
            if stretch is not None and stretch.changes(distance_us, cadence_us, len(holes)):
                del holes[stretch.holes_before :]
                cadence_us = self.cadence_us = distance_us
            elif distance_us > cadence_us * 3 // 2:
                holes.append(_hole(before_us, time_us, cadence_us))


class Stretch:
    """Neighbours in a row that are alike, and unlike the cadence.

    Attributes:
        holes_before: How many holes had been found before the first of them.
    """

    def __init__(self) -> None:
        self._first_us, self._count = 0, 0
        self.holes_before = 0

    def changes(self, distance_us: int, cadence_us: int, holes: int) -> bool:
        """Take the next distance; say whether it is the cadence from its stretch on.

        Args:
            distance_us: From one reading to the next.
            cadence_us: How far apart they were so far.
            holes: How many holes have been found before it.
        """
        if cadence_us * 2 < distance_us * 3 and distance_us * 2 <= cadence_us * 3:
            self._count = 0  # as it was
            return False
        shorter, longer = sorted((distance_us, self._first_us))
        if self._count and longer <= shorter * ALIKE:
            self._count += 1
        else:
            self._first_us, self._count, self.holes_before = distance_us, 1, holes
        if self._count < CHANGED:
            return False
        self._count = 0
        return True


def between(after_us: int, end_us: int, cadence_us: int) -> Hole | None:
    """Return the hole between two neighbours, or None if there is none."""
    return _hole(after_us, end_us, cadence_us) if end_us - after_us > cadence_us * 3 // 2 else None


def before(first_us: int, start_us: int, cadence_us: int) -> Hole | None:
    """Return the hole between a start and the first reading, or None if there is none.

    Its first time is a whole number of cadences before that reading.
    """
    length = length_of(cadence_us)
    # Of days, which may be an hour short, and of months it need not be quite a whole number.
    slack = length // 10 if length > 20 * HOUR_US else 0
    missing = (first_us - start_us + slack) // length
    if missing < 1:
        return None
    first_missing_us = max(start_us, first_us - missing * length)
    return Hole(start_us, first_missing_us, first_us, missing, cadence_us)


def commonest(distances_us: Iterable[int]) -> int | None:
    """Return the distance that most of them are like, or None if they have little in common."""
    ordered = sorted(distance for distance in distances_us if distance > 0)
    best, at, low = 0, 0, 0
    for high, distance in enumerate(ordered):
        while distance > ordered[low] * ALIKE:
            low += 1
        if high + 1 - low > best:
            best, at = high + 1 - low, low
    if best < max(FEWEST, len(ordered) * REGULAR):
        return None
    return ordered[at + best // 2]


def length_of(cadence_us: int) -> int:
    """Return how long a cadence is on average."""
    return MEAN_MONTH if cadence_us in MONTH else cadence_us


def merged(spans: Iterable[SpanUs], most: int) -> list[SpanUs]:
    """Return spans in order without overlaps, at most so many.

    If there are more, the shortest distances between them are given up.
    """
    found = _joined(sorted(spans), 0)
    if len(found) <= most:
        return found
    distances = sorted(later[0] - earlier[1] for earlier, later in pairwise(found))
    return _joined(found, distances[len(found) - most - 1])


def _joined(spans: Iterable[SpanUs], apart_us: int) -> list[SpanUs]:
    """Return spans in order, those that are no farther apart made one."""
    found: list[SpanUs] = []
    for start, end in spans:
        if found and start - found[-1][1] <= apart_us:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


def _hole(after_us: int, end_us: int, cadence_us: int) -> Hole:
    missing = max(1, round((end_us - after_us) / length_of(cadence_us)) - 1)
    return Hole(after_us, min(_next(after_us, cadence_us), end_us), end_us, missing, cadence_us)


def _next(time_us: int, cadence_us: int) -> int:
    """Return when the reading after one should be."""
    if cadence_us not in MONTH:
        return time_us + cadence_us
    time = EPOCH + timedelta(microseconds=time_us)
    first = (time.replace(day=1) + timedelta(days=32)).replace(day=1)
    last_day = ((first + timedelta(days=31)).replace(day=1) - timedelta(days=1)).day
    return (first.replace(day=min(time.day, last_day)) - EPOCH) // timedelta(microseconds=1)
