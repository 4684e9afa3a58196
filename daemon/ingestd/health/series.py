"""All series of one collector: what they gave last, and which of them are late.

A result costs one entry of a dict for each of its series: what it gave is *noted*, and
looked at a second later, or when the state of the collector is asked for.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from ingestd.health.pace import Pace, PaceKept, allowance, expected
from ingestd.health.words import series_text
from ingestd.model import MICROSECONDS, Series, Tags

MOST_SERIES: Final = 100_000  # of one collector; as many are kept on disk
LOOK_AFTER: Final = 1.0  # seconds for which notes gather
# Looking at all of them takes a microsecond each: at most a twentieth of the time.
LOOKED_AT_PER_SECOND: Final = 20_000
GONE: Final = 30 * 86_400.0  # seconds; a sensor that is silent for a month was taken away


class SeriesKey(NamedTuple):
    """What a series is known by."""

    name: str
    tags: Tags


@dataclass(frozen=True, slots=True)
class LateSeries:
    """A series that should have given a reading by now.

    Attributes:
        silent: For how long it has given nothing, in seconds.
        every: How often it was expected to, in seconds, or None if that is not known.
        newest: The time of its newest reading, in seconds since the Unix epoch, or None.
    """

    key: SeriesKey
    silent: float
    every: float | None
    newest: float | None

    def __str__(self) -> str:
        """Return its name with its tags."""
        return series_text(self.key.name, self.key.tags)


@dataclass(frozen=True, slots=True)
class KnownSeries:
    """What is known of a series.

    Attributes:
        state: ``fresh``, ``late``, or ``gone`` once it has been late for a month.
        silent: For how long it has given nothing, in seconds.
        every: How often it is expected to give something, in seconds, or None.
        newest: The time of its newest reading, in seconds since the Unix epoch, or None.
    """

    key: SeriesKey
    state: str
    silent: float
    every: float | None
    newest: float | None


class SeriesWatch:
    """Follows the series of one collector.

    Args:
        cadence: How far apart their readings should be, in seconds, or None to learn it.
    """

    def __init__(self, cadence: float | None) -> None:
        self.cadence = cadence
        self._paces: dict[SeriesKey, Pace] = {}
        self._keys: dict[Series, SeriesKey] = {}
        self._noted: dict[Series, int] = {}
        self._noted_newest = 0
        self._looked_at = 0.0
        self._late: tuple[float, float, list[LateSeries]] | None = None
        self._moved: set[SeriesKey] = set()

    def __len__(self) -> int:
        return len(self._paces)

    @property
    def newest_us(self) -> int | None:
        """The newest time of any reading, in microseconds since the Unix epoch, or None."""
        times = [pace.newest_us for pace in self._paces.values() if pace.newest_us is not None]
        return max(times, default=None)

    def newest_of(self, series: Series, *, wall: float) -> tuple[float, float] | None:
        """Return the newest time of a series, in Unix seconds, and how old it was when it came.

        Args:
            series: If it is not known, nothing is returned.
            wall: The current time, likewise.
        """
        noted_us = self._noted.get(series)  # a moment ago
        pace = self._paces.get(self._keys.get(series) or self._key(series))
        if noted_us is not None and (pace is None or noted_us > (pace.newest_us or 0)):
            return noted_us / MICROSECONDS, wall - noted_us / MICROSECONDS
        if pace is None or pace.newest_us is None:
            return None
        return pace.newest_us / MICROSECONDS, pace.lag

    def resume(self, kept: Mapping[SeriesKey, tuple[PaceKept, float]], *, now: float) -> None:
        """Go on with what a former daemon left: what was kept, and the silence by then."""
        for key, (pace, silent) in kept.items():
            if key not in self._paces and len(self._paces) < MOST_SERIES:
                self._paces[key] = Pace.resumed(pace, silent=silent, now=now)

    def take_over(self, before: "SeriesWatch", *, now: float, wall: float) -> None:
        """Go on with what another one knows, which follows the same collector until now."""
        before.look(now=now, wall=wall)
        self._paces, self._moved = before._paces, before._moved  # noqa: SLF001 -- of one class

    def note(
        self, newest: Mapping[Series, int], newest_us: int, *, now: float, wall: float
    ) -> None:
        """Note what a result gave.

        Args:
            newest: The latest time of each series in it, in microseconds since the Unix epoch.
            newest_us: The latest of these.
            now: In monotonic seconds.
            wall: The same moment in seconds since the Unix epoch.
        """
        noted = self._noted
        if newest_us >= self._noted_newest:
            noted.update(newest)
            self._noted_newest = newest_us
        else:  # the past, read again
            for series, time_us in newest.items():
                if time_us > noted.get(series, 0):
                    noted[series] = time_us
        if now - self._looked_at >= LOOK_AFTER:
            self.look(now=now, wall=wall)

    def look(self, *, now: float, wall: float) -> None:
        """Look at what was noted."""
        self._looked_at, now_us = now, round(wall * MICROSECONDS)
        noted, self._noted, self._noted_newest = self._noted, {}, 0
        for series, time_us in noted.items():
            key = self._keys.get(series) or self._key(series)
            pace = self._paces.get(key)
            if pace is None:
                if len(self._paces) >= MOST_SERIES:
                    continue
                pace = self._paces[key] = Pace(now)
            if pace.see(time_us, now=now, now_us=now_us):
                self._moved.add(key)

    def _key(self, series: Series) -> SeriesKey:
        if len(self._keys) >= MOST_SERIES:
            self._keys.clear()
        # As a store has it: a tag with an empty value is no tag.
        key = SeriesKey(series.name, tuple(pair for pair in series.tags if pair[1]))
        self._keys[series] = key
        return key

    def late(self, *, two_ticks: float, now: float) -> list[LateSeries]:
        """Return the series that are late, those first that are silent for the longest time."""
        if self._late is not None:
            at, asked, found = self._late
            if asked == two_ticks and now - at < len(self._paces) / LOOKED_AT_PER_SECOND:
                return found
        found = sorted(self._find_late(two_ticks, now), key=lambda each: -each.silent)
        self._late = now, two_ticks, found
        return found

    def _find_late(self, two_ticks: float, now: float) -> Iterator[LateSeries]:
        for key, pace in self._paces.items():
            silent = now - pace.moved
            if allowance(pace, cadence=self.cadence, two_ticks=two_ticks) < silent < GONE:
                newest = None if pace.newest_us is None else pace.newest_us / MICROSECONDS
                yield LateSeries(key, silent, expected(pace, self.cadence), newest)

    def keys(self) -> Iterable[SeriesKey]:
        """Return what its series are known by."""
        return self._paces.keys()

    def listed(
        self, *, two_ticks: float, now: float, only: Iterable[SeriesKey] | None = None
    ) -> Iterator[KnownSeries]:
        """Yield series with what is known of them: all, or those among some that it has."""
        for key in self._paces if only is None else filter(self._paces.__contains__, only):
            pace = self._paces[key]
            silent = now - pace.moved
            most = allowance(pace, cadence=self.cadence, two_ticks=two_ticks)
            state = "late" if silent > most else "fresh"
            yield KnownSeries(
                key=key,
                state="gone" if state == "late" and silent >= GONE else state,
                silent=silent,
                every=expected(pace, self.cadence),
                newest=None if pace.newest_us is None else pace.newest_us / MICROSECONDS,
            )

    def moved(self, *, now: float, wall: float) -> dict[SeriesKey, PaceKept]:
        """Return what is to be kept of the series that moved since this was asked last."""
        moved, self._moved = self._moved, set()
        return {
            key: self._paces[key].kept(now=now, wall=wall) for key in moved if key in self._paces
        }

    def left(self, *, now: float, wall: float) -> dict[SeriesKey, tuple[PaceKept, float]]:
        """Return what ``resume`` needs, for a collector that ends and may come again."""
        return {
            key: (pace.kept(now=now, wall=wall), now - pace.moved)
            for key, pace in self._paces.items()
        }

    def forget(self, key: SeriesKey) -> bool:
        """Forget a series; return whether it was known."""
        self._late = None
        return self._paces.pop(key, None) is not None
