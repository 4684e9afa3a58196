"""Patterns for times, as ``strptime`` has them, read without its surprises.

``strptime`` takes the names of months from the process's locale, loses the zone that ``%Z``
or a literal ``Z`` names, and knows neither 24:00 nor a second 60. What a pattern leaves open,
such as a zone by letters that several share, is refused before anything is read.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import cache
from typing import Any, Final
from zoneinfo import available_timezones

from ingestd.plugins._limits import LONGEST_TIME
from ingestd.plugins._months import month_of
from ingestd.plugins._walltime import offsets, time_zone

EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 -- any time will do
YEAR: Final = 2026  # whose letters are those in use
UTC_NAMES: Final = frozenset({"Z", "UTC", "GMT", "UT"})
# What devices write for summer and for winter time in whichever zone they are.
SUMMER: Final = frozenset({"S", "DST", "SUMMER", "MESZ"})
WINTER: Final = frozenset({"W", "ST", "WINTER", "MEZ"})

OFFSET: Final = r"[+-](?:[0-9]{2}(?::?[0-9]{2})?|[0-9](?::[0-9]{2})?)"
LETTER: Final = r"[^\W\d_]"  # of any language
SHORT: Final = {"F": "%Y-%m-%d", "T": "%H:%M:%S", "R": "%H:%M", "D": "%m/%d/%y"}
DIGITS: Final = {"Y": 4, "y": 2, "m": 2, "d": 2, "H": 2, "I": 2, "M": 2, "S": 2, "j": 3}
OTHERS: Final = {
    "f": "[0-9]{1,9}",
    "p": r"[ap]\.?\s?m\.?",
    "b": rf"{LETTER}{{3,12}}\.?",
    "B": rf"{LETTER}{{3,12}}\.?",
    "a": rf"{LETTER}{{2,15}}\.?",
    "A": rf"{LETTER}{{2,15}}\.?",
    "G": "[0-9]{4}",
    "V": "[0-9]{1,2}",
    "u": "[0-9]",
    "z": rf"Z|{OFFSET}",
    "Z": "[a-z]{1,6}",
}
QUOTED: Final = "'"  # the directive of a text in quotes, which means nothing
# A zone as what stands between directives may name it: at its end, or anywhere.
UTC_AT_END: Final = re.compile(r"(?<![A-Z])(?:Z|UTC|GMT|UT)$", re.IGNORECASE)
OFFSET_AT_END: Final = re.compile(
    r"(?:(?<![A-Z])(?:UTC|GMT|Z)\s*(?P<said>[+-]\d{1,2}(?::?\d{2})?)|(?P<offset>[+-]\d{2}:?\d{2}))$",
    re.IGNORECASE,
)
UTC_ANYWHERE: Final = re.compile(r"(?<![A-Za-z])(?:UTC|GMT)(?![A-Za-z+-])")
DIRECTIVE: Final = re.compile(r"%[-_]?(.)|'([^'%]+)'", re.DOTALL)


class Told(ValueError):
    """What was expected in the place of a time, where more can be said than its format.

    Attributes:
        reason: One word for what is wrong.
    """

    def __init__(self, text: str, reason: str = "time") -> None:
        super().__init__(text)
        self.reason = reason


def whole(
    year: int,
    month: int,
    day: int,
    hour: int = 0,
    minute: int = 0,
    second: int = 0,
    *,
    fraction: str = "",
) -> datetime:
    """Return the time that its parts make; 24:00 and a second 60 are where the next begins.

    Raises:
        ValueError: There is none.
    """
    micro = int(f"{fraction:0<6}"[:6]) if fraction else 0
    later = timedelta(0)
    if hour == 24:
        if minute or second or micro:
            raise ValueError("behind 24:00")
        hour, later = 0, timedelta(days=1)
    if second == 60:
        second, micro, later = 59, 0, later + timedelta(seconds=1)
    return datetime(year, month, day, hour, minute, second, micro) + later  # noqa: DTZ001


def zoned(text: str, moment: datetime, zone: tzinfo | None) -> tzinfo:
    """Return what a zone in a text means, behind a time.

    Args:
        text: An offset, or letters.
        moment: The time.
        zone: Where the clock stands: its own letters are known.

    Raises:
        Told: It could mean several zones.
        ValueError: It is no offset.
    """
    name = text.upper()
    if name in UTC_NAMES:
        return UTC
    if name[0] in "+-":
        sign, digits = name[0], name[1:].replace(":", "")
        digits = digits.zfill(len(digits) + len(digits) % 2)  # +2, +2:00
        if int(digits[2:] or 0) > 59:
            raise ValueError(text)
        ahead = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
        return timezone(ahead if sign == "+" else -ahead)
    known = {} if zone is None else offsets(moment, zone)
    for each, ahead in known.items():
        if each.upper() == name:
            return timezone(ahead)
    if known and name in SUMMER | WINTER:
        return timezone((max if name in SUMMER else min)(known.values()))
    bare = zone is not None and not any(map(has_letters, known))
    if bare and name.isalpha() and name not in letters_in_use():
        return zone or UTC  # it has no letters of its own: these only name it
    letters = ", ".join(["UTC", "GMT", "an offset", *known])
    beside = "" if known else " (or `timezone` beside it)"
    raise Told(f"{letters} as the zone{beside}")


def has_letters(name: str) -> bool:
    """Say whether a zone's name for an offset is more than the offset, as it is for many."""
    return any(map(str.isalpha, name))


@cache
def letters_in_use() -> frozenset[str]:
    """Return the letters by which any zone calls one of its offsets now."""
    halves = [datetime(YEAR, month, 1, tzinfo=UTC) for month in (1, 7)]
    zones = (time_zone(name) for name in available_timezones())
    names = {each.astimezone(zone).tzname() or "" for zone in zones for each in halves}
    return frozenset(filter(has_letters, names))


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern, and how it is read.

    Attributes:
        text: As the operator wrote it.
        partial: Whether it is only written, so that parts of a date may be missing.
        fixed: UTC, if the pattern itself says so with a Z, UTC or GMT at its end.
        tells_zone: Whether what it writes means one instant.
        directives: The letters of what it consists of.
        width: How many digits it has, if it has nothing else; a number loses those in front.

    Raises:
        ValueError: It is none, or leaves open what is meant.
    """

    text: str
    partial: bool = False
    fixed: tzinfo | None = field(init=False, default=None)
    tells_zone: bool = field(init=False, default=False)
    width: int | None = field(init=False, default=None)
    directives: tuple[str, ...] = field(init=False, default=())
    _written: str = field(init=False, repr=False)
    _regex: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Look at the pattern."""
        parts = list(_parts(self.text))
        names = [name for name, _ in parts if name not in {"", QUOTED}]
        if not self.partial:
            _check(names)
        fixed = None if {"z", "Z"} & set(names) else _fixed(parts)
        digits = all(name in DIGITS for name, _ in parts)
        for attribute, value in {
            "fixed": fixed,
            "tells_zone": fixed is not None or bool({"z", "Z"} & set(names)),
            "directives": tuple(names),
            "_written": DIRECTIVE.sub(lambda found: found[2] or found[0], self.text),
            "width": sum(DIGITS[name] for name in names) if digits else None,
            "_regex": re.compile(_expression(parts), re.IGNORECASE),
        }.items():
            object.__setattr__(self, attribute, value)

    def read(self, value: str | int, zone: tzinfo | None) -> datetime:
        """Return the time in a text or a number; without a zone, if it tells none.

        Raises:
            ValueError: It is none.
        """
        part = self._part(value)
        moment = _moment(part)
        told = part.get("z") or part.get("Z")
        place = zoned(told, moment, zone) if told else self.fixed
        return moment if place is None else moment.replace(tzinfo=place)

    def tells_day(self, value: str | int) -> bool:
        """Say whether a text or a number that it reads tells a day, or the end of one by 24:00."""
        part = self._part(value)
        return not part.get("I") and part.get("H") in (None, "24")

    def _part(self, value: str | int) -> Mapping[str, Any]:
        """Return what stands in the place of each directive.

        Raises:
            ValueError: The text is another.
        """
        text = " ".join(str(value).split()) if len(str(value)) <= LONGEST_TIME else ""
        if isinstance(value, int) and self.width:
            text = text.zfill(self.width)
        found = self._regex.fullmatch(text)
        if found is None:
            raise ValueError(f"{value!s:.{LONGEST_TIME}}")
        return found.groupdict()

    def write(self, moment: datetime) -> str:
        """Return a time as the pattern has it."""
        return moment.strftime(self._written)


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """Yield the directives of a pattern, as letter and nothing, and what stands between them."""
    for short, long in SHORT.items():
        text = text.replace(f"%{short}", long)
    at = 0
    for found in DIRECTIVE.finditer(text):
        if found.start() > at:
            yield "", text[at : found.start()]
        letter, at = found[1], found.end()
        if letter is None:
            yield QUOTED, found[2]
        elif letter == "%":
            yield "", "%"
        elif letter == "e":
            yield "d", ""
        elif letter in DIGITS or letter in OTHERS:
            yield letter, ""
        elif letter == "s":
            raise ValueError("expected unix in the place of %s")
        else:
            known = "".join([*DIGITS, *OTHERS])
            raise ValueError(f"expected only the directives {known} behind a %")
    if at < len(text):
        yield "", text[at:]


def _check(names: list[str]) -> None:
    have = set(names)
    if len(have) < len(names):
        raise ValueError("expected each directive once")
    year, month = have & {"Y", "y"}, have & {"m", "b", "B"}
    dated = year and ("j" in have or (month and "d" in have))
    if not dated and not {"G", "V", "u"} <= have:
        raise ValueError("expected year, month and day in it")
    if ("I" in have) != ("p" in have):
        raise ValueError("expected %I and %p beside each other, or %H")


def _fixed(parts: list[tuple[str, str]]) -> tzinfo | None:
    """Return the zone that a pattern itself says, by an offset, a Z, UTC or GMT; or None.

    Raises:
        ValueError: It names another zone at its end, by letters that several share.
    """
    name, text = parts[-1] if parts else ("", "")
    word = "" if name else text.strip(" ()[]")
    if found := OFFSET_AT_END.search(word):
        return zoned(found["said"] or found["offset"], EPOCH, None)
    if UTC_AT_END.search(word):
        return UTC
    if re.fullmatch(r"[A-Z]{3,5}", word):
        raise ValueError(
            f"expected %Z in the place of {word}, which several zones are called, and `timezone`"
        )
    return UTC if any(UTC_ANYWHERE.search(each) for name, each in parts if not name) else None


def _expression(parts: list[tuple[str, str]]) -> str:
    found = []
    for at, (name, text) in enumerate(parts):
        near = {parts[place][0] for place in (at - 1, at + 1) if 0 <= place < len(parts)}
        if name in {"", QUOTED}:
            found.append(r"\s+".join(re.escape(each) for each in re.split(r"\s+", text)))
        elif name in OTHERS:
            found.append(f"(?P<{name}>{OTHERS[name]})")
        else:
            least = DIGITS[name] if name in "Yy" or near & {*DIGITS, "f"} else 1
            found.append(rf"(?P<{name}>\s?[0-9]{{{least},{DIGITS[name]}}})")
    return "".join(found)


def _moment(part: Mapping[str, Any]) -> datetime:
    clock = (_hour(part), int(part.get("M") or 0), int(part.get("S") or 0))
    fraction = part.get("f") or ""
    if part.get("G"):
        day = datetime.fromisocalendar(int(part["G"]), int(part["V"]), int(part["u"]))
        return whole(day.year, day.month, day.day, *clock, fraction=fraction)
    year = full_year(part.get("Y") or part["y"])
    if part.get("j"):
        first = whole(year, 1, 1, *clock, fraction=fraction)
        found = first + timedelta(days=int(part["j"]) - 1)
        if int(part["j"]) < 1 or (found - timedelta(days=clock[0] // 24)).year != year:
            raise ValueError("day of the year")
        return found
    month = month_of(part.get("m") or part.get("b") or part["B"])
    return whole(year, month, int(part["d"]), *clock, fraction=fraction)


def full_year(text: str) -> int:
    """Return the year that four digits mean, or the last two of them, as POSIX has it."""
    year = int(text)
    return year if len(text) > 2 else year + (2000 if year < 69 else 1900)


def _hour(part: Mapping[str, Any]) -> int:
    if not part.get("I"):
        return int(part.get("H") or 0)
    hour = int(part["I"])
    if not 1 <= hour <= 12:
        raise ValueError("hour")
    return hour % 12 + (12 if part["p"][0] in "pP" else 0)
