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
from typing import Any, Final

from ingestd.plugins._walltime import offsets

LONGEST: Final = 100  # characters of a text that can be a time
MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
UTC_NAMES: Final = frozenset({"Z", "UTC", "GMT", "UT"})
# What devices write for summer and for winter time in whichever zone they are.
SUMMER: Final = frozenset({"S", "DST", "SUMMER", "MESZ"})
WINTER: Final = frozenset({"W", "ST", "WINTER", "MEZ"})

OFFSET: Final = r"[+-]\d{2}(?::?\d{2})?"
SHORT: Final = {"F": "%Y-%m-%d", "T": "%H:%M:%S", "R": "%H:%M", "D": "%m/%d/%y"}
DIGITS: Final = {"Y": 4, "y": 2, "m": 2, "d": 2, "H": 2, "I": 2, "M": 2, "S": 2, "j": 3}
OTHERS: Final = {
    "f": r"\d{1,9}",
    "p": r"[ap]\.?m\.?",
    "b": "[a-z]{3,9}",
    "B": "[a-z]{3,9}",
    "a": r"[a-z]{2,9}\.?",
    "A": r"[a-z]{2,9}\.?",
    "G": r"\d{4}",
    "V": r"\d{1,2}",
    "u": r"\d",
    "z": rf"Z|{OFFSET}",
    "Z": "[a-z]{1,6}",
}
DIRECTIVE: Final = re.compile(r"%[-_]?(.)", re.DOTALL)


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
    letters = ", ".join(["UTC", "GMT", "an offset", *known])
    beside = "" if known else " (or `timezone` beside it)"
    raise Told(f"{letters} as the zone{beside}")


def month_of(text: str) -> int:
    """Return the month that digits or an English name mean.

    Raises:
        ValueError: It is none.
    """
    return int(text) if text.isdigit() else MONTHS.index(text[:3].lower()) + 1


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
    _regex: re.Pattern[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Look at the pattern."""
        parts = list(_parts(self.text))
        names = [name for name, _ in parts if name]
        if not self.partial:
            _check(names)
        fixed = None if {"z", "Z"} & set(names) else _fixed(parts)
        digits = all(name in DIGITS for name, _ in parts)
        for attribute, value in {
            "fixed": fixed,
            "tells_zone": fixed is not None or bool({"z", "Z"} & set(names)),
            "directives": tuple(filter(None, names)),
            "width": sum(DIGITS[name] for name in names) if digits else None,
            "_regex": re.compile(_expression(parts), re.IGNORECASE | re.ASCII),
        }.items():
            object.__setattr__(self, attribute, value)

    def read(self, value: str | int, zone: tzinfo | None) -> datetime:
        """Return the time in a text or a number; without a zone, if it tells none.

        Raises:
            ValueError: It is none.
        """
        text = str(value).strip()
        if isinstance(value, int) and self.width:
            text = text.zfill(self.width)
        found = self._regex.fullmatch(text) if len(text) <= LONGEST else None
        if found is None:
            raise ValueError(text[:LONGEST])
        part = found.groupdict()
        moment = _moment(part)
        told = part.get("z") or part.get("Z")
        place = zoned(told, moment, zone) if told else self.fixed
        return moment if place is None else moment.replace(tzinfo=place)

    def write(self, moment: datetime) -> str:
        """Return a time as the pattern has it."""
        return moment.strftime(self.text)


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """Yield the directives of a pattern, as letter and nothing, and what stands between them."""
    for short, long in SHORT.items():
        text = text.replace(f"%{short}", long)
    at = 0
    for found in DIRECTIVE.finditer(text):
        if found.start() > at:
            yield "", text[at : found.start()]
        letter, at = found[1], found.end()
        if letter == "%":
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
    """Return UTC, if the end of a pattern says so.

    Raises:
        ValueError: It names another zone there, by letters that several share.
    """
    name, text = parts[-1] if parts else ("", "")
    word = text.strip(" ()[]")
    if name or not word:
        return None
    if word.upper() in UTC_NAMES:
        return UTC
    if re.fullmatch(r"[A-Z]{3,5}", word):
        raise ValueError(
            f"expected %Z in the place of {word}, which several zones are called, and `timezone`"
        )
    return None


def _expression(parts: list[tuple[str, str]]) -> str:
    found = []
    for at, (name, text) in enumerate(parts):
        near = {parts[place][0] for place in (at - 1, at + 1) if 0 <= place < len(parts)}
        if not name:
            found.append(r"\s+".join(re.escape(each) for each in re.split(r"\s+", text)))
        elif name in OTHERS:
            found.append(f"(?P<{name}>{OTHERS[name]})")
        else:
            least = DIGITS[name] if name in "Yy" or near & {*DIGITS, "f"} else 1
            found.append(rf"(?P<{name}>\s?\d{{{least},{DIGITS[name]}}})")
    return "".join(found)


def _moment(part: Mapping[str, Any]) -> datetime:
    clock = (_hour(part), int(part.get("M") or 0), int(part.get("S") or 0))
    fraction = part.get("f") or ""
    if part.get("G"):
        day = datetime.fromisocalendar(int(part["G"]), int(part["V"]), int(part["u"]))
        return whole(day.year, day.month, day.day, *clock, fraction=fraction)
    if part.get("Y"):
        year = int(part["Y"])
    else:
        year = int(part["y"])
        year += 2000 if year < 69 else 1900  # as POSIX has it
    if part.get("j"):
        first = whole(year, 1, 1, *clock, fraction=fraction)
        found = first + timedelta(days=int(part["j"]) - 1)
        if int(part["j"]) < 1 or (found - timedelta(days=clock[0] // 24)).year != year:
            raise ValueError("day of the year")
        return found
    month = month_of(part.get("m") or part.get("b") or part["B"])
    return whole(year, month, int(part["d"]), *clock, fraction=fraction)


def _hour(part: Mapping[str, Any]) -> int:
    if not part.get("I"):
        return int(part.get("H") or 0)
    hour = int(part["I"])
    if not 1 <= hour <= 12:
        raise ValueError("hour")
    return hour % 12 + (12 if part["p"][0] in "pP" else 0)
