"""From readings, as plugins write them, to points, as stores keep them.

Pure. Readings come by the million, so a list whose readings are all ordinary
takes a path that looks at whole columns; anything else is looked at reading by
reading, which also finds out what is wrong with it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from math import isfinite
from typing import Any, Final

from ingestd.collecting.instants import (
    Past,
    TimeLimits,
    contradiction,
    contradictions,
    instant_of,
    settled,
    turn_of,
)
from ingestd.config import Catalogue, SeriesDescription
from ingestd.contract import reading_as_builtins, safe_repr
from ingestd.errors import ReadingError
from ingestd.model import MICROSECONDS, Point, Series, Tags
from ingestd.plugins._limits import is_name, is_tag, name_problem
from ingestd.plugins._readings import Readings
from ingestd.plugins._times import NoTime, Twice

SAMPLES: Final = 5
NO_LIMITS: Final = TimeLimits()
NO_VALUE: Final = "no_value"  # the reason of a reading that says that there is nothing
# How many times to look at before choosing how to convert them.
GLANCE: Final = 64
SERIES_CACHED: Final = 1_000_000


@dataclass(slots=True)
class Conversion:
    """What became of the readings of one result.

    Attributes:
        points: Those that can be stored.
        newest: The latest time of each series, in microseconds since the Unix epoch, if
            those of each are in time order, or all readings together in the reverse of that.
        newest_us: The latest time of all, or None.
        unusable: How many cannot, by reason.
        samples: A few of the unusable ones, told for people.
        first: The first for each reason.
    """

    points: list[Point] = field(default_factory=list)
    newest: Mapping[Series, int] = field(default_factory=dict)
    newest_us: int | None = None
    unusable: Counter[str] = field(default_factory=Counter)
    samples: list[str] = field(default_factory=list)
    first: dict[str, str] = field(default_factory=dict)

    def refuse(self, error: ReadingError) -> None:
        """Count an unusable reading by its reason, and keep the first few errors as samples."""
        self.unusable[error.reason] += 1
        self.first.setdefault(error.reason, str(error))
        if len(self.samples) < SAMPLES:
            self.samples.append(str(error))

    def refuse_at(self, places: Sequence[int]) -> None:
        """Refuse points that contradict others, by their places."""
        for at in places:
            self.refuse(contradiction(self.points[at]))
        if places:
            gone = set(places)
            self.points = [point for at, point in enumerate(self.points) if at not in gone]


@dataclass(frozen=True, slots=True)
class ScaledSeries:
    """A series with what is done to its values.

    Attributes:
        scale: What a value is multiplied by.
        offset: What is added then, in the unit of the series.
        low: The lowest plausible value, likewise, or None.
        high: The highest plausible value, likewise, or None.
    """

    series: Series
    scale: float
    offset: float
    low: float | None
    high: float | None

    def adjust(self, value: float) -> float:
        """Return the value as it is stored.

        Raises:
            ReadingError: The operator's catalogue calls it implausible.
        """
        value = value * self.scale + self.offset
        if not isfinite(value):
            raise ReadingError("non_finite", f"{self.series.name}: value overflows when scaled")
        if (self.low is not None and value < self.low) or (
            self.high is not None and value > self.high
        ):
            raise ReadingError(
                "out_of_range",
                f"{self.series.name}: expected {_range(self.low, self.high)}, got {value!r}",
            )
        return value


class Naming:
    """Makes points of one collector's readings.

    Names of a reading's own win over the catalogue's, and those over the
    collector's.

    Args:
        measurement: The collector's measurement.
        field: The collector's field.
        tags: The collector's tags.
        catalogue: What the operator says of single series.
        zone: Where naive datetimes are local, if anywhere.
        limits: Which times are believed.
        met: Told of every series when it comes for the first time, or rarely once more.
    """

    def __init__(
        self,
        *,
        measurement: str,
        field: str,
        tags: Mapping[str, str],
        catalogue: Catalogue,
        zone: tzinfo | None = None,
        limits: TimeLimits = NO_LIMITS,
        met: Callable[[Series], object] | None = None,
    ) -> None:
        self._measurement, self._field, self._tags = measurement, field, dict(tags)
        self._catalogue, self._zone, self._limits, self._met = catalogue, zone, limits, met
        self._known: dict[tuple[str, Tags], ScaledSeries] = {}
        self._as_written: dict[str, Series] = {}
        self._as_tagged: dict[tuple[str, Tags], Series] = {}

    def sort(self, readings: Sequence[Any], *, now: float, past: Past | None = None) -> Conversion:
        """Turn readings into points, counting those that are unusable by reason.

        Args:
            readings: As the plugin wrote them.
            now: The time of readings that have none, in seconds since the Unix epoch.
            past: What is known of the run's readings before these; it learns of these.
        """
        past = past or Past()
        found = self._ordinary(readings, now=now)
        found = found or self._one_by_one(readings, now=now, past=past)
        past.points = found.points
        return found

    def _one_by_one(self, readings: Sequence[Any], *, now: float, past: Past) -> Conversion:
        result = Conversion()
        parts = []
        for reading in readings:
            try:
                parts.append(self._parts(reading, now=now))
            except ReadingError as error:
                result.refuse(error)
        if not parts:
            return result
        series, times, values = zip(*parts, strict=True)
        instants = settled(times, series, past=past, now=now)
        times_us = [round(time * MICROSECONDS) for time in instants]
        result.points = list(zip(series, times_us, values, strict=True))
        result.newest, result.newest_us = newest_of(series, times_us)
        result.refuse_at(contradictions(series, times_us, values))
        return result

    def time_problem(self, time: float, *, now: float) -> str:
        """Say why a time, in Unix seconds, is not believed, or nothing."""
        found = self._limits.problem(time, now=now)
        return found[1] if found else ""

    def point(self, reading: Any, *, now: float) -> Point:
        """Turn one reading into a point.

        Raises:
            ReadingError: It is unusable.
        """
        series, time, value = self._parts(reading, now=now)
        return series, round((time[0] if type(time) is Twice else time) * MICROSECONDS), value

    def _parts(self, reading: Any, *, now: float) -> tuple[Series, Any, float]:
        """Return series, time and value of a reading; the time may have come twice.

        Raises:
            ReadingError: It is unusable.
        """
        if type(reading) is tuple and len(reading) > 0 and type(reading[0]) in {NoTime, Twice}:
            reading = (reading[0], *reading_as_builtins((0, *reading[1:]))[1:])
        else:
            reading = reading_as_builtins(reading)
        if not isinstance(reading, tuple) or len(reading) not in {3, 4}:
            got = reading.decode(errors="replace") if type(reading) is bytes else safe_repr(reading)
            raise ReadingError("shape", f"expected (time, series, value), got {got:.80}")
        time, series, value, *rest = reading
        name = _name_of(series)
        known = self._look_up(name, _tags_of(name, rest[0] if rest else None))
        at: Any = now
        if time is not None:
            at = instant_of(name, time, zone=self._zone)
            self._limits.check(name, at[0] if type(at) is Twice else at, now=now)
        return known.series, at, known.adjust(_number(name, value))

    def _ordinary(self, readings: Sequence[Any], *, now: float) -> Conversion | None:
        """Return what becomes of readings that need no second look, or None."""
        try:
            times, names, values, *tags = columns_of(readings)
            kinds = set(map(type, values))
            if not kinds | set(map(type, times)) <= {float, int}:
                return None
            if int in kinds:
                values = tuple(map(float, values))
            # A sum is finite only if all of its parts are, and it is quick.
            if not isfinite(sum(values)):
                return None
            times_us = _all_microseconds(times, *self._limits.span(now))
            turn = 0 if tags else turn_of(names)
            series = (
                self._all_as_tagged(names, *tags)
                if tags
                else self._all_as_written(names[:turn] if turn else names)
            )
        # Not all are of one length; a name cannot be looked up, or has itself among its parts.
        except (ValueError, TypeError, RecursionError, OverflowError, ReadingError):
            return None
        if not series or not times_us:
            return None
        if turn:
            series = (series * -(-len(names) // turn))[: len(names)]
        points = list(zip(series, times_us, values, strict=True))
        found = Conversion(points, *newest_of(series, times_us, turn=turn))
        found.refuse_at(contradictions(series, times_us, values, turn=turn))
        return found

    def _all_as_written(self, names: Sequence[Any]) -> list[Series] | None:
        """Return the series of names whose values are stored as they were written.

        All that is kept is known by texts, because True would be found in the place of 1.
        """
        known = self._as_written
        try:
            return list(map(known.__getitem__, names))
        except KeyError:
            pass
        if set(map(type, names)) != {str}:
            return None
        series = []
        for name in names:
            found = self._look_up(_name_of(name), ())
            if (found.scale, found.offset, found.low, found.high) != (1.0, 0.0, None, None):
                return None
            known[name] = found.series
            series.append(found.series)
        return series

    def _all_as_tagged(self, names: Sequence[Any], tags: Sequence[Any]) -> list[Series] | None:
        """Return the series of names with tags, if their values are stored as they were written.

        What is in a dict of tags is part of what is known, not the dict, which may change.
        """
        known = self._as_tagged
        keys = list(zip(names, map(tuple, map(dict.items, tags)), strict=True))
        try:
            return list(map(known.__getitem__, keys))
        except KeyError:
            pass
        # Looking one up may forget all that is known.
        needed = {key: known[key] for key in known.keys() & set(keys)}
        for key in set(keys) - needed.keys():
            name, pairs = key
            if {type(name), *(type(text) for pair in pairs for text in pair)} != {str}:
                return None
            found = self._look_up(_name_of(name), _tags_of(name, dict(pairs)))
            if (found.scale, found.offset, found.low, found.high) != (1.0, 0.0, None, None):
                return None
            needed[key] = found.series
        known |= needed
        return list(map(needed.__getitem__, keys))

    def _look_up(self, name: str, tags: Tags) -> ScaledSeries:
        key = name, tags
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= SERIES_CACHED:
                self._known.clear()
                self._as_written.clear()
                self._as_tagged.clear()
            known = self._known[key] = self._make(name, tags, self._catalogue.describe(name))
            if self._met is not None:
                self._met(known.series)
        return known

    def _make(self, name: str, tags: Tags, said: SeriesDescription) -> ScaledSeries:
        merged = {**self._tags, **said.tags, **dict(tags)}
        series = Series(
            name=name,
            tags=tuple(sorted(merged.items())),
            measurement=said.measurement or self._measurement,
            field=said.field or self._field,
            unit=said.unit,
        )
        return ScaledSeries(series, said.scale, said.offset, said.low, said.high)


def columns_of(readings: Sequence[Any]) -> Iterable[Sequence[Any]]:
    """Return the times, the series and the values of readings.

    Raises:
        ValueError: Not all are of three parts.
    """
    if type(readings) is Readings:
        return readings.columns
    if not set(map(type, readings)) <= {tuple, list}:
        raise ValueError("expected tuples")
    return zip(*readings, strict=True)


def newest_of(
    series: Sequence[Series], times_us: Sequence[int], *, turn: int = 0
) -> tuple[dict[Series, int], int]:
    """Return the latest time of each series, and the latest of all, from two columns.

    Args:
        series: A series for each reading.
        times_us: Its time.
        turn: After how many readings the series come again in the same order; 0 if they do not.
    """
    newest_us = max(times_us)
    newest = dict(zip(series[-turn:], times_us[-turn:], strict=True))
    # The last of each is the latest, unless the source begins with what is new.
    backwards = times_us[0] > times_us[-1] or newest_us not in newest.values()
    if len(newest) < len(series) and backwards:
        first = dict(zip(reversed(series), reversed(times_us), strict=True))
        newest = {each: max(last_us, first[each]) for each, last_us in newest.items()}
    return newest, newest_us


def _name_of(series: Any) -> str:
    name = _digits(series) if type(series) is int else series
    if not isinstance(name, str) or not name.strip():
        raise ReadingError("series", f"expected the name of a series, got {safe_repr(series)}")
    if not is_name(name):
        raise ReadingError("series", name_problem(safe_repr(name)))
    return name


def _digits(number: int) -> str | None:
    try:
        return str(number)
    except ValueError:  # Python writes no number of thousands of digits
        return None


def _tags_of(name: str, tags: Any) -> Tags:
    if not tags:
        return ()
    if not isinstance(tags, dict):
        raise ReadingError("tags", f"{name}: expected a dict of tags, got {safe_repr(tags)}")
    found = []
    for key, value in tags.items():
        text = value
        if type(value) is int:
            text = _digits(value)
        elif type(value) in {float, bool}:
            text = str(value)
        if value is None or text == "":
            continue  # a tag without a value says nothing, and InfluxDB refuses it
        if not is_tag(key, text):
            raise ReadingError(
                "tags", f"{name}: expected text tags, got {safe_repr(key)}: {safe_repr(value)}"
            )
        found.append((key, text))
    return tuple(sorted(found))


def _number(name: str, value: Any) -> float:
    if value is None:  # says that there is nothing, as a source's null does
        raise ReadingError(NO_VALUE, f"{name}: no value")
    wanted = isinstance(value, int | float | str)
    if not wanted or (isinstance(value, str) and "_" in value):  # only Python reads "1_000"
        raise ReadingError("value", f"{name}: expected a number, got {safe_repr(value)}")
    try:
        number = float(value)
    except ValueError:
        raise ReadingError("value", f"{name}: expected a number, got {safe_repr(value)}") from None
    except OverflowError:
        raise ReadingError("non_finite", f"{name}: the value is too large") from None
    if not isfinite(number):
        raise ReadingError(
            "non_finite", f"{name}: expected a finite number, got {safe_repr(value)}"
        )
    return number


def _all_microseconds(times: Sequence[Any], earliest: float, latest: float) -> list[int] | None:
    """Return Unix seconds in microseconds, or None if they need a second look."""
    # Many series read at the same time are the rule.
    alike = len(set(times[:GLANCE])) <= GLANCE // 2
    distinct = set(times) if alike else times
    if not isfinite(sum(distinct)) or min(distinct) < earliest or max(distinct) > latest:
        return None
    if not alike and set(map(type, times)) == {int}:
        return [time * MICROSECONDS for time in times]
    if not alike:
        return [round(time * MICROSECONDS) for time in times]
    known = {time: round(time * MICROSECONDS) for time in distinct}
    return list(map(known.__getitem__, times))


def _range(low: float | None, high: float | None) -> str:
    if low is None:
        return f"at most {high!r}"
    return f"at least {low!r}" if high is None else f"{low!r} to {high!r}"
