"""From the elements of an answer to readings.

Elements come by the million, so a chunk of them is looked at column by column. It
is looked at element by element only if that fails, because some element is spelt
in another way or lacks something.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import repeat
from math import isnan, nan
from operator import itemgetter
from typing import Any, Final

from ingestd.plugins._isocolumns import alike, unix_seconds
from ingestd.plugins._isotimes import iso_time
from ingestd.plugins._readings import Reading, Readings, behind_each_other

from .options import GENERATED
from .periods import Window

Element = Mapping[str, Any]
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Wire:
    """How the elements of an API are spelt.

    Attributes:
        time: The key of the time.
        flags: The keys of what tells the status.
        bits: The status bits of elements, by these keys.
    """

    time: str
    flags: tuple[str, ...]
    bits: Callable[[Sequence[Element], Sequence[str]], list[int]]


@dataclass(frozen=True, slots=True)
class Column:
    """A series and where its values are.

    Attributes:
        key: The key of the value.
        series: The name of the series.
        tags: Its tags.
    """

    key: str
    series: str
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some readings of one source.

    Attributes:
        readings: As the daemon takes them.
        times: When the server had values, in Unix seconds, in the order in which they came.
    """

    readings: Sequence[Reading]
    times: Sequence[float]

    def inside(self, window: Window) -> "Chunk":
        """Return what lies in a window; also the readings without a usable time."""
        start, end = window.start.timestamp(), window.end.timestamp()
        return Chunk(
            [each for each in self.readings if not is_time(each[0]) or start <= each[0] < end],
            [time for time in self.times if start <= time < end],
        )


class Reader:
    """Makes readings of the elements of one source.

    Args:
        wire: How they are spelt.
        columns: The values that are wanted.
        skip: The status bits of elements to leave out.
        status: Whether each series has a second one with the bits.
    """

    def __init__(self, wire: Wire, columns: Sequence[Column], *, skip: int, status: bool) -> None:
        self._wire, self._columns = wire, columns
        self._skip, self._status = skip, status
        self._keys = (wire.time, *(column.key for column in columns), *wire.flags)
        # Only flags that are looked at need be there.
        self._looks = bool(wire.flags) and (bool(skip) or status or len(wire.flags) > 1)

    def read(self, elements: Sequence[Element]) -> Chunk:
        """Return the readings of elements, the unusable ones too: the daemon counts those."""
        if not elements:
            return Chunk([], [])
        try:
            keys = self._spelling(elements[0])
            told = list(map(itemgetter(keys[0]), elements))
            if alike(told):  # fractions, since whole numbers are no times here (``is_time``)
                return self._chunk(elements, list(map(float, unix_seconds(told))), keys)
            # A time without a zone cannot be subtracted from one that has one.
            times = [(iso_time(each) - EPOCH).total_seconds() for each in told]
            return self._chunk(elements, times, keys)
        except (AttributeError, KeyError, TypeError, ValueError):
            plain = [self._plain(each) for each in elements]
            found = self._chunk(plain, [each[self._wire.time] for each in plain], self._keys)
            return Chunk(found.readings, [time for time in found.times if is_time(time)])

    def _spelling(self, element: Element) -> Sequence[str]:
        """Return our keys as an element spells them."""
        if all(key in element for key in self._keys):
            return self._keys
        known = {key.lower(): key for key in element}
        return [known.get(key.lower(), key) for key in self._keys]

    def _plain(self, element: Any) -> dict[str, Any]:
        """Return an element spelt as it should be, its time in Unix seconds, nothing missing."""
        found = {k.lower(): v for k, v in element.items()} if isinstance(element, dict) else {}
        plain = {key: found.get(key.lower()) for key in self._keys}
        plain[self._wire.time] = seconds(plain[self._wire.time])
        for flag in self._wire.flags:
            plain[flag] = whole(plain[flag])
        return plain

    def _chunk(
        self, elements: Sequence[Element], times: Sequence[float], keys: Sequence[str]
    ) -> Chunk:
        count = len(self._columns)
        bits = self._wire.bits(elements, keys[count + 1 :]) if self._looks else []
        moving = times
        if any(bit & (self._skip | GENERATED) for bit in bits):
            # Padding is not what was measured, so it must not move the position either.
            moving = [t for t, bit in zip(times, bits, strict=True) if not bit & GENERATED]
            kept = [at for at, bit in enumerate(bits) if not bit & self._skip]
            elements, times = [elements[at] for at in kept], [times[at] for at in kept]
            bits = [bits[at] for at in kept]
        parts: list[Sequence[Reading]] = []
        for column, key in zip(self._columns, keys[1 : count + 1], strict=True):
            values = [each[key] for each in elements]
            parts.append(rows(times, column.series, values, column.tags))
            if self._status:
                parts.append(rows(times, f"{column.series}_status", bits, column.tags))
        return Chunk(behind_each_other(parts), moving)


def rows(
    times: Sequence[Any], series: str, values: Sequence[Any], tags: Mapping[str, str]
) -> Sequence[Reading]:
    """Return readings made of columns."""
    names = [series] * len(times)
    if tags:
        return list(zip(times, names, values, repeat(tags, len(times)), strict=True))
    return Readings(times, names, values)


def seconds(time: Any) -> Any:
    """Return a time in Unix seconds, or, if it is none, something the daemon refuses.

    A time without a zone is in UTC, as the server's calendar is.
    """
    try:
        found = iso_time(time)
    except (TypeError, ValueError):
        # None would mean "now", so what is missing becomes no number instead.
        return nan if time is None else str(time)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def is_time(time: Any) -> bool:
    """Say whether ``seconds`` found a time."""
    return isinstance(time, float) and not isnan(time)


def whole(flag: Any) -> int:
    """Return a status or a flag as a whole number; what is missing says nothing."""
    try:
        return int(flag)
    except (TypeError, ValueError, OverflowError):
        return 0
