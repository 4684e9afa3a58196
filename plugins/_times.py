"""What a source's text or number means as an instant, and what an instant is in its words.

A ``Notation`` is how one source writes its times: a format, and the zone of those that carry
none. It reads and writes them; ``settle`` decides about the hour that comes twice, for which
reading one time alone is not enough.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

import re
from collections.abc import Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from math import isfinite
from typing import Any, Final

from ingestd.plugins._isotimes import iso_time
from ingestd.plugins._limits import LONGEST_NUMBER, MILLISECONDS
from ingestd.plugins._patterns import LONGEST, UTC_NAMES, Pattern, Told, month_of, whole, zoned
from ingestd.plugins._readings import column
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
NO_TIME: Final = "no_time"  # the reason of a reading whose record has no time
WORDS: Final = (*UNIX, "iso", "rfc2822", "dotnet", "dsmr")

DIGITS: Final = re.compile(r"[-+]?\d+(?:[.,]\d*)?")
DOTNET: Final = re.compile(r"\\?/Date\((-?\d{1,17})(?:[+-]\d{4})?\)\\?/")
_CLOCK: Final = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d+))?)?"
)
_ZONE: Final = r"(?P<offset>Z|[+-]\d{2}(?::?\d{2})?)?\s*(?P<name>[A-Z]{1,6})?"
_WORDY: Final = r"(?P<name>[A-Z]{1,6})?(?P<offset>[+-]\d{2}:?\d{2})?(?:\s*\([^()]*\))?"
_DAY: Final = r"[A-Z]{3,9},?\s+"
# ISO 8601 and what is written in its place: with slashes, single digits, 24:00, a zone in words.
ISO: Final = re.compile(
    r"(?P<year>\d{4})(?P<dash>[-/.])(?P<month>\d{1,2})(?P=dash)(?P<day>\d{1,2})"
    rf"(?:(?:[T_]|,?\s+){_CLOCK}\s*{_ZONE}\s*(?:\[(?P<zone>[\w/+-]+)\])?)?",
    re.IGNORECASE | re.ASCII,
)
# As mails, and HTTP, have it; as JavaScript's Date; as C's asctime and the command date.
WORDED: Final = tuple(
    re.compile(each, re.IGNORECASE | re.ASCII)
    for each in (
        rf"(?:{_DAY})?(?P<day>\d{{1,2}})[\s-](?P<month>[A-Z]{{3}})[\s-](?P<year>\d{{4}})\s+{_CLOCK}\s*{_WORDY}",
        rf"{_DAY}(?P<month>[A-Z]{{3}})\s+(?P<day>\d{{1,2}}),?\s+(?P<year>\d{{4}})\s+{_CLOCK}\s*{_WORDY}",
        rf"{_DAY}(?P<month>[A-Z]{{3}})\s+(?P<day>\d{{1,2}})\s+{_CLOCK}\s+(?:(?P<name>[A-Z]{{1,6}})\s+)?(?P<year>\d{{4}})",
    )
)
# The letters that RFC 2822 gives a meaning; elsewhere they name several zones.
MAIL_ZONES: Final = {
    "EST": -5,
    "EDT": -4,
    "CST": -6,
    "CDT": -5,
    "MST": -7,
    "MDT": -6,
    "PST": -8,
    "PDT": -7,
}


@dataclass(frozen=True, slots=True)
class Notation:
    """How a source writes its times.

    Attributes:
        time_format: As the operator wrote it, or None for what tells itself.
        zone: Of times that carry none; None leaves them without.
        pattern: What ``time_format`` is, if it is one.
    """

    time_format: str | None = None
    zone: tzinfo | None = None
    pattern: Pattern | None = field(default=None, repr=False)

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
                return self.placed(iso_time(value))
            except ValueError:
                pass
        if kind in UNIX:
            return _epoch(value, UNIX[kind])
        if self.pattern is not None:
            return self.placed(self._by_pattern(value, self.pattern))
        if kind is None and type(value) in {int, float}:
            return value
        if not isinstance(value, str) or len(value) > LONGEST:
            raise TypeError
        return self._told(value.strip(), kind)

    def _by_pattern(self, value: Any, pattern: Pattern) -> datetime:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if type(value) not in {str, int}:
            raise TypeError
        if self.time_format != "dsmr":
            return pattern.read(value, self.zone)
        found = pattern.read(str(value)[:-1], None)
        return found.replace(tzinfo=zoned(str(value)[-1], found, self.zone))

    def _told(self, text: str, kind: str | None) -> Any:
        """Return what a text means that says itself how it is written."""
        if DIGITS.fullmatch(text):
            raise _digits(text)
        if kind in (None, "dotnet") and (found := DOTNET.fullmatch(text)):
            return int(found[1]) / 1000
        if kind in (None, "iso"):
            with suppress(ValueError):
                return self.placed(iso_time(text))
        known = (
            *((ISO,) if kind in (None, "iso") else ()),
            *(WORDED if kind in (None, "rfc2822") else ()),
        )
        for each in known:
            if found := each.fullmatch(text):
                return self.placed(self._made(found.groupdict()))
        raise ValueError(text)

    def _made(self, part: dict[str, Any]) -> datetime:
        clock = (int(part["hour"] or 0), int(part["minute"] or 0), int(part["second"] or 0))
        moment = whole(
            int(part["year"]), month_of(part["month"]), int(part["day"]), *clock,
            fraction=part["fraction"] or "",
        )  # fmt: skip
        name = part["name"]
        if offset := part.get("offset"):  # what else is said only explains it
            placed = moment.replace(tzinfo=zoned(offset, moment, None))
            if "zone" in part:
                check_agreement(placed, offset, letters=name, zone=part["zone"])
            return placed
        if part.get("zone"):
            return moment.replace(tzinfo=time_zone(part["zone"]))
        if name and self.time_format == "rfc2822" and name.upper() in MAIL_ZONES:
            return moment.replace(tzinfo=timezone(timedelta(hours=MAIL_ZONES[name.upper()])))
        return moment.replace(tzinfo=zoned(name, moment, self.zone)) if name else moment

    def placed(self, moment: datetime) -> Any:
        """Return the instant of a time, if its zone is known."""
        zone = moment.tzinfo
        if type(zone) is timezone:
            return moment.timestamp()
        if zone is not None:
            return instant(moment.replace(tzinfo=None), zone)
        return moment if self.zone is None else instant(moment, self.zone)

    @property
    def clock(self) -> tzinfo:
        """Where the clock stands that shows what is written."""
        if self.pattern is None:
            return UTC
        return self.pattern.fixed or self.zone or UTC

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
        if self.pattern is None:
            return moment.isoformat().replace("+00:00", "Z")
        return self.pattern.write(moment) + (_season(moment) if kind == "dsmr" else "")

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
        pattern, zone = self.pattern, self.zone
        if pattern is None or zone is None or pattern.tells_zone or self.time_format == "dsmr":
            return None
        span = repeated(time, zone)
        return None if span is None else (pattern.write(span[0]), pattern.write(span[1]))


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
            ``dotnet``, ``dsmr``, a pattern as for ``strptime``, or None: what a text says
            by itself, and Unix seconds for numbers.
        zone: What times without a zone are in; None leaves them without.
        where: What to call the option.
        asking: Whether it is only for requests, in which a part of a date will do.

    Raises:
        ValueError: There is no such format, or it leaves open what is meant.
    """
    if time_format is None or time_format in WORDS:
        pattern = Pattern(DSMR) if time_format == "dsmr" else None
        return Notation(time_format, zone, pattern)
    if not isinstance(time_format, str) or "%" not in time_format:
        known = ", ".join(WORDS)
        raise ValueError(
            f"{where}: expected {known} or a pattern such as %d.%m.%Y %H:%M, "
            f"got {time_format!r:.80}"
        )
    try:
        return Notation(time_format, zone, Pattern(time_format, partial=asking))
    except ValueError as error:
        raise ValueError(f"{where}: {error}, got {time_format!r:.80}") from None


def check_agreement(
    moment: datetime, offset: str, *, letters: str | None, zone: str | None
) -> None:
    """Refuse a time that says two things of its zone: `+02:00Z`, `+05:00[Europe/Berlin]`.

    Args:
        moment: The time, with its offset.
        offset: As it is written; `Z` and `-00:00` leave open where the clock stands.
        letters: What stands behind it, or None.
        zone: The name of the zone behind that, or None.

    Raises:
        ValueError: They contradict each other.
    """
    ahead, bare = moment.utcoffset(), moment.replace(tzinfo=None)
    if letters in ("Z", "z") or (letters and letters.upper() in UTC_NAMES and ahead):
        raise ValueError(letters)
    if zone is None or offset in {"Z", "z", "-00:00", "-0000"}:
        return
    try:
        known = time_zone(zone)
    except ValueError:  # of no use to anybody, and of no harm
        return
    if ahead not in {bare.replace(tzinfo=known, fold=fold).utcoffset() for fold in (0, 1)}:
        raise ValueError(zone)


def _epoch(value: Any, unit: int) -> float:
    """Return a number, or the text of one, in Unix seconds."""
    number = value
    if isinstance(value, str):
        if len(value) > LONGEST_NUMBER or "_" in value:
            raise ValueError(value[:LONGEST_NUMBER])
        number = int(value) if value.strip().lstrip("-").isdecimal() else float(value)
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
