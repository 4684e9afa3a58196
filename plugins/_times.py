"""What a source's text or number means as an instant, and what an instant is in its words.

A ``Notation`` is how one source writes its times: a format, and the zone of those that carry
none. It reads and writes them; ``settle`` decides about the hour that comes twice, for which
reading one time alone is not enough.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

from collections.abc import Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from math import isfinite
from typing import Any, Final

from ingestd.plugins._counts import SINCE, Count
from ingestd.plugins._days import day_begins
from ingestd.plugins._isotimes import iso_time, tells_day
from ingestd.plugins._limits import LONGEST_NUMBER, LONGEST_TIME, MILLISECONDS
from ingestd.plugins._patterns import Pattern, Told, zoned
from ingestd.plugins._readings import column
from ingestd.plugins._timetexts import DIGITS, DOTNET, ISO, SPAN, WORDED, made
from ingestd.plugins._walltime import (
    NO_BOUNDS,
    Bounds,
    NoTime,
    Twice,
    instant,
    offsets,
    repeated,
    settle,
    shown,
    time_zone,
)

__all__ = [
    "NO_TIME",
    "UNIX",
    "Bounds",
    "NoTime",
    "Notation",
    "Twice",
    "instant",
    "notation",
    "settle",
    "settle_readings",
    "shown",
    "time_zone",
]

# What a number is divided by to become Unix seconds.
UNIX: Final = {"unix": 1, "unix_ms": 10**3, "unix_us": 10**6, "unix_ns": 10**9}
DSMR: Final = "%y%m%d%H%M%S"
MINUS: Final = "\u2212"  # as ISO 8601 wants it
NO_TIME: Final = "no_time"  # the reason of a reading whose record has no time
WORDS: Final = (*UNIX, "iso", "rfc2822", "dotnet", "dsmr")


@dataclass(frozen=True, slots=True)
class Notation:
    """How a source writes its times.

    Attributes:
        time_format: As the operator wrote it, or None for what tells itself.
        zone: Of times that carry none; None leaves them without.
        pattern: What ``time_format`` is, if it is one.
        count: Likewise.
    """

    time_format: str | None = None
    zone: tzinfo | None = None
    pattern: Pattern | None = field(default=None, repr=False)
    count: Count | None = field(default=None, repr=False)

    def read(self, value: Any) -> Any:
        """Return the instant that a source's text or number means, in Unix seconds.

        One without a zone, where none is known, is a naive datetime; one in the hour that
        comes twice is ``Twice``; what is none is ``NoTime``, which is refused for its reason.
        """
        try:
            if self.time_format is None:  # nearly all are one of these
                kind = type(value)
                if kind is float or kind is int:
                    return value
                if kind is str and value[4:5] == "-" and value[-1] == "Z":
                    moment = iso_time(value)
                    if moment.tzinfo is not None:
                        return moment.timestamp()
        except ValueError:
            pass
        try:
            return self._read(value)
        except Told as told:
            return NoTime(f"expected {told}, got {_brief(value)}", told.reason)
        except (TypeError, ValueError, OverflowError):
            if value is None:
                return NoTime(f"expected {self.expected}, got nothing", NO_TIME)
            return NoTime(f"expected {self.expected}, got {_brief(value)}")

    @property
    def expected(self) -> str:
        """What a time should be, for people."""
        if self.time_format is None:
            return "an ISO 8601 time, Unix seconds, or `time_format` for another one"
        return f"a time as in {self.time_format}"

    def _read(self, value: Any) -> Any:
        kind = self.time_format
        if type(value) is str and value[4:5] == "-" and kind in (None, "iso"):
            try:
                return self._of_iso(value)
            except ValueError:
                pass
        if kind in UNIX:
            return _epoch(value, UNIX[kind])
        if self.count is not None:
            return self.placed(self.count.read(value))
        if self.pattern is not None:
            return self._by_pattern(value, self.pattern)
        if kind is None and type(value) in {int, float}:
            return value
        if not isinstance(value, str) or len(value) > LONGEST_TIME:
            raise TypeError
        return self._told(" ".join(value.split()).replace(MINUS, "-"), kind)

    def _of_iso(self, text: str) -> Any:
        moment = iso_time(text)
        return self.placed(moment, day=moment.hour == 0 and tells_day(text))

    def _by_pattern(self, value: Any, pattern: Pattern) -> Any:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if type(value) not in {str, int}:
            raise TypeError
        if self.time_format != "dsmr":
            found = pattern.read(value, self.zone)
            return self.placed(found, day=found.hour == 0 and pattern.tells_day(value))
        found = pattern.read(str(value)[:-1], None)
        return self.placed(found.replace(tzinfo=zoned(str(value)[-1], found, self.zone)))

    def _told(self, text: str, kind: str | None) -> Any:
        """Return what a text means that says itself how it is written."""
        if DIGITS.fullmatch(text):
            raise _digits(text)
        if kind in (None, "dotnet") and (found := DOTNET.fullmatch(text)):
            return int(found[1]) / 1000
        if kind in (None, "iso"):
            with suppress(ValueError):
                return self._of_iso(text)
            if found := SPAN.fullmatch(text):
                return self._told(found["begin"], kind)
        known = (
            *((ISO,) if kind in (None, "iso") else ()),
            *(WORDED if kind in (None, "rfc2822") else ()),
        )
        for each in known:
            if found := each.fullmatch(text):
                part = found.groupdict()
                return self.placed(made(part, kind, self.zone), day=part["hour"] in (None, "24"))
        raise ValueError(text)

    def placed(self, moment: datetime, *, day: bool = False) -> Any:
        """Return the instant of a time, if its zone is known.

        Args:
            moment: What was read.
            day: Whether it is no time, but a day that begins.
        """
        zone = moment.tzinfo
        if type(zone) is timezone:
            return moment.timestamp()
        if zone is not None:
            moment = moment.replace(tzinfo=None)
        elif self.zone is None:
            return moment
        return (day_begins if day else instant)(moment, zone or self.zone or UTC)

    @property
    def clock(self) -> tzinfo:
        """Where the clock stands that shows what is written."""
        if self.count is not None:
            return self.count.begin.tzinfo or self.zone or UTC
        if self.pattern is None:
            return UTC
        return self.pattern.fixed or self.zone or UTC

    @property
    def local(self) -> bool:
        """Whether it is what a clock shows that is written, so that it may mean two instants."""
        if self.count is not None:
            return self.count.by_clock
        known = self.pattern is None or self.pattern.tells_zone
        return not known and self.time_format != "dsmr"

    @property
    def is_number(self) -> bool:
        """Whether what is written is a whole number."""
        return self.time_format in UNIX or self.count is not None

    def write(self, time: float) -> str:
        """Return an instant as the source writes it; without a zone of its own, in UTC."""
        kind = self.time_format
        if kind in UNIX:
            return str(int(time * UNIX[kind]))
        if kind == "dotnet":
            return f"/Date({int(time * 1000)})/"
        moment = datetime.fromtimestamp(time, self.clock)
        if kind == "rfc2822":
            return moment.strftime("%a, %d %b %Y %H:%M:%S GMT")
        if self.pattern is None and self.count is None:
            return moment.isoformat().replace("+00:00", "Z")
        return self._shown(moment) + (_season(moment) if kind == "dsmr" else "")

    def _shown(self, moment: datetime) -> str:
        how = self.count or self.pattern
        return "" if how is None else how.write(moment)

    def since(self, time: float) -> str:
        """Return what to ask for so that everything from an instant on comes.

        Local times cannot tell the two passes of an hour apart, so all of it is asked for.
        """
        span = self._unclear(time)
        return self.write(time) if span is None else span[0]

    def until(self, time: float) -> str:
        """Return what to ask for so that everything up to an instant comes."""
        span = self._unclear(time)
        return self.write(time) if span is None else span[1]

    def _unclear(self, time: float) -> tuple[str, str] | None:
        if self.zone is None or not self.local:
            return None
        span = repeated(time, self.zone)
        return None if span is None else (self._shown(span[0]), self._shown(span[1]))


def notation(
    time_format: Any,
    zone: tzinfo | None = None,
    *,
    where: str = "time_format",
    asking: bool = False,
) -> Notation:
    """Return how a source writes its times.

    Args:
        time_format: ``unix``, ``unix_ms``, ``unix_us``, ``unix_ns``, ``iso``, ``rfc2822``,
            ``dotnet``, ``dsmr``, a pattern as for ``strptime``, a count such as ``days since
            1899-12-30``, or None: what a text says by itself, and Unix seconds for numbers.
        zone: What times without a zone are in; None leaves them without.
        where: What to call the option.
        asking: Whether it is only for requests, in which a part of a date will do.

    Raises:
        ValueError: There is no such format, or it leaves open what is meant.
    """
    if time_format is None or time_format in WORDS:
        pattern = Pattern(DSMR) if time_format == "dsmr" else None
        return Notation(time_format, zone, pattern)
    if not isinstance(time_format, str) or ("%" not in time_format and SINCE not in time_format):
        known = ", ".join(WORDS)
        raise ValueError(
            f"{where}: expected {known}, a pattern such as %d.%m.%Y %H:%M or "
            f"a count such as days since 1899-12-30, got {time_format!r:.80}"
        )
    try:
        if "%" in time_format:
            return Notation(time_format, zone, Pattern(time_format, partial=asking))
        return Notation(time_format, zone, None, Count(time_format, asked=asking))
    except ValueError as error:
        raise ValueError(f"{where}: {error}, got {time_format!r:.80}") from None


def _epoch(value: Any, unit: int) -> float:
    """Return a number, or the text of one, in Unix seconds."""
    number = value
    if isinstance(value, str):
        if len(value) > LONGEST_NUMBER or "_" in value:
            raise ValueError(value[:LONGEST_NUMBER])
        whole_number = value.strip().lstrip("-").isdecimal()
        number = int(value) if whole_number else float(value.replace(",", ".", 1))
    if type(number) not in {int, float} or not isfinite(number):
        raise TypeError
    return float(number / unit)


def _digits(text: str) -> Told:
    """Return what to say of a text of digits, which is a time only by a format."""
    size = abs(float(text.replace(",", ".")))
    if size < MILLISECONDS:
        return Told("`time_format` for digits (unix?)")
    return Told("`time_format` for digits (unix_ms, milliseconds?)", "milliseconds")


def _season(moment: datetime) -> str:
    known = offsets(moment.replace(tzinfo=None), moment.tzinfo or UTC).values()
    return "S" if min(known) < (moment.utcoffset() or timedelta(0)) else "W"


def _brief(value: Any) -> str:
    """Return the beginning of a value as Python has it; parsers nest deeper than that can."""
    try:
        return f"{value!r:.80}"
    except (RecursionError, ValueError):
        return f"a {type(value).__name__}"


def settle_readings(
    readings: Sequence[tuple[Any, ...]],
    *,
    before: Sequence[tuple[Any, ...]] = (),
    bounds: Bounds | Sequence[Bounds] = NO_BOUNDS,
) -> Sequence[tuple[Any, ...]]:
    """Return readings with an instant for each time that came twice, as ``settle`` does.

    Args:
        readings: Each a time, a series, a value and perhaps tags, in the order of the answer.
        before: Those of the answer before this one.
        bounds: Of all of them, or of each.
    """
    if Twice not in set(map(type, column(readings, 0))):
        return readings
    last = {_key(each): each[0] for each in before if type(each[0]) in {float, int}}
    keys = [_key(reading) for reading in readings]
    times = settle([reading[0] for reading in readings], keys, before=last, bounds=bounds)
    return [(time, *reading[1:]) for time, reading in zip(times, readings, strict=True)]


def _key(reading: tuple[Any, ...]) -> Hashable:
    """Return what tells a series apart; whatever a plugin has in the place of a name will do."""
    return (repr(reading[1]), *map(repr, reading[3:]))
