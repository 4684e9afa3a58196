"""Texts that say themselves which time they mean: which there are, and what their parts make.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any, Final

from ingestd.plugins._months import month_of
from ingestd.plugins._patterns import OFFSET, UTC_NAMES, full_year, whole, zoned
from ingestd.plugins._walltime import time_zone

DIGITS: Final = re.compile(r"[-+]?\d+(?:[.,]\d*)?")
DOTNET: Final = re.compile(r"\\?/Date\((-?\d{1,17})(?:[+-]\d{4})?\)\\?/")
_CLOCK: Final = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d+))?)?"
)
_ZONE: Final = rf"(?:(?:UTC|GMT)(?=[+-]))?(?P<offset>Z|{OFFSET})?\s*(?P<name>[A-Z]{{1,6}})?"
_WORDY: Final = r"(?P<name>[A-Z]{1,6})?(?P<offset>[+-]\d{2}:?\d{2})?(?:\s*\([^()]*\))?"
_DAY: Final = r"[A-Z]{3,9},?\s+"
# ISO 8601 and what is written in its place: with slashes, single digits, 24:00, a zone in words.
ISO: Final = re.compile(
    r"(?P<year>\d{4})(?P<dash>[-/.])(?P<month>\d{1,2})(?P=dash)(?P<day>\d{1,2})"
    rf"(?:(?:[T_]|,?\s+){_CLOCK}\s*"
    rf"(?:{_ZONE}\s*(?:\[(?P<zone>[\w/+-]+)\])?|(?P<region>[A-Z_]+/[\w/+-]+)))?",
    re.IGNORECASE | re.ASCII,
)
# As mails, and HTTP, have it; as JavaScript's Date; as C's asctime and the command date.
WORDED: Final = tuple(
    re.compile(each, re.IGNORECASE | re.ASCII)
    for each in (
        rf"(?:{_DAY})?(?P<day>\d{{1,2}})[\s-](?P<month>[A-Z]{{3}})[\s-](?P<year>\d{{4}}|\d{{2}})\s+{_CLOCK}\s*{_WORDY}",
        rf"{_DAY}(?P<month>[A-Z]{{3}})\s+(?P<day>\d{{1,2}}),?\s+(?P<year>\d{{4}})\s+{_CLOCK}\s*{_WORDY}",
        rf"{_DAY}(?P<month>[A-Z]{{3}})\s+(?P<day>\d{{1,2}})\s+{_CLOCK}\s+(?:(?P<name>[A-Z]{{1,6}})\s+)?(?P<year>\d{{4}})",
    )
)
# A span of ISO 8601 tells when it begins.
SPAN: Final = re.compile(
    r"(?P<begin>\d{4}-?\d\d-?\d\d[T ][^/]+)/(?:P[\dTYMWDHS.,]+|\d[^/]*|\.\.)", re.ASCII
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


def made(part: Mapping[str, Any], time_format: str | None, around: tzinfo | None) -> datetime:
    """Return the time that the parts of a text make; without a zone, if they tell none.

    Args:
        part: What one of the expressions has found.
        time_format: As the operator wrote it: mails have letters that mean nothing elsewhere.
        around: The zone of the source, whose letters are known, or None.

    Raises:
        Told: It says a zone by letters that name several.
        ValueError: There is no such time.
    """
    clock = (int(part["hour"] or 0), int(part["minute"] or 0), int(part["second"] or 0))
    moment = whole(
        full_year(part["year"]), month_of(part["month"]), int(part["day"]), *clock,
        fraction=part["fraction"] or "",
    )  # fmt: skip
    name = part["name"]
    if offset := part.get("offset"):  # what else is said only explains it
        placed = moment.replace(tzinfo=zoned(offset, moment, None))
        if "zone" in part:
            check_agreement(placed, offset, letters=name, zone=part["zone"])
        return placed
    if zone := part.get("zone") or part.get("region"):
        return moment.replace(tzinfo=time_zone(zone))
    if name and time_format == "rfc2822" and name.upper() in MAIL_ZONES:
        return moment.replace(tzinfo=timezone(timedelta(hours=MAIL_ZONES[name.upper()])))
    return moment.replace(tzinfo=zoned(name, moment, around)) if name else moment


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
