"""Times as ISO 8601 has them, read by Python's parser, which alone would take much else.

It reads `2026-07-01112:30Z` (a digit too many), `2026-07-01+02:00Z` (two zones) and
`2026-07-01T12:30.5Z` (a half minute, of which it makes half a second).

Imported by its full name, so that a copy of a plugin works in any folder.
"""

import re
from datetime import date, datetime, timedelta
from typing import Final

_FRACTION: Final = r"(?:[.,]\d+)?"
_CLOCK: Final = rf"\d\d(?::\d\d(?::\d\d{_FRACTION})?|\d\d(?:\d\d{_FRACTION})?)?"
# Python itself writes offsets with seconds, for zones before there were railways.
_OFFSET: Final = r"(?:Z|[+-]\d\d(?::?[0-5]\d(?::?[0-5]\d(?:\.\d+)?)?)?)"
_DAY: Final = r"\d{4}-(?:\d\d-\d\d|W\d\d-\d)"
_DASHED: Final = rf"-\d\d:\d\d:\d\d{_FRACTION}{_OFFSET}?"  # without seconds it is an offset
_OTHER_DAY: Final = r"\d{4}(?:\d{4}|-?W\d\d(?:-?\d)?)"
WRITTEN: Final = re.compile(
    rf"{_DAY}(?:[T ]{_CLOCK}{_OFFSET}?|{_DASHED})?|{_OTHER_DAY}(?:[T ]{_CLOCK}{_OFFSET}?)?",
    re.ASCII,
)
# By the number of the day in its year, which Python does not know.
NUMBERED: Final = re.compile(
    r"(?P<year>\d{4})(?:-(?P<day>\d{3})|(?P<packed>\d{3})(?=T))"
    rf"(?P<clock>[T ]{_CLOCK}{_OFFSET}?)?",
    re.ASCII,
)
LONGEST_DATE: Final = 10  # characters
# As XML has dates: the midnight that begins it there. Python would take the zone for a clock time.
DATED: Final = re.compile(rf"(?P<day>{_DAY})(?P<zone>Z|[+-]\d\d:?[0-5]\d)", re.ASCII)


def tells_day(text: str) -> bool:
    """Say whether a time as in ISO 8601 is a day that begins: a date alone, or 24:00."""
    return len(text) <= LONGEST_DATE or text[11:13] == "24"


def iso_time(text: str) -> datetime:
    """Return the time that a text means in ISO 8601; naive if it has no zone.

    Raises:
        ValueError: It means none there, or two things.
    """
    if WRITTEN.fullmatch(text):
        return datetime.fromisoformat(text)
    if found := DATED.fullmatch(text):
        return datetime.fromisoformat(f"{found['day']}T00:00{found['zone']}")
    if found := NUMBERED.fullmatch(text):
        first = date(int(found["year"]), 1, 1)
        day = first + timedelta(days=int(found["day"] or found["packed"]) - 1)
        if day.year == first.year:
            return datetime.fromisoformat(f"{day}{found['clock'] or ''}")
    raise ValueError(f"expected a time as in ISO 8601, got {text!r:.80}")
