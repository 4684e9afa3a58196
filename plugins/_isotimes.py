"""Times as ISO 8601 has them, read by Python's parser, which alone would take much else.

It reads `2026-07-01112:30Z` (a digit too many), `2026-07-01+02:00Z` (two zones) and
`2026-07-01T12:30.5Z` (a half minute, of which it makes half a second).

Imported by its full name, so that a copy of a plugin works in any folder.
"""

import re
from datetime import datetime
from typing import Final

_FRACTION: Final = r"(?:[.,]\d+)?"
_CLOCK: Final = rf"\d\d(?::\d\d(?::\d\d{_FRACTION})?|\d\d(?:\d\d{_FRACTION})?)?"
# Python itself writes offsets with seconds, for zones before there were railways.
_OFFSET: Final = r"(?:Z|[+-]\d\d(?::?[0-5]\d(?::?[0-5]\d(?:\.\d+)?)?)?)"
_DAY: Final = r"\d{4}-(?:\d\d-\d\d|W\d\d-\d)"
_DASHED: Final = rf"-\d\d:\d\d:\d\d{_FRACTION}{_OFFSET}?"  # without seconds it is an offset
_OTHER_DAY: Final = r"\d{4}(?:\d{4}|-?W\d\d(?:-?\d)?)"
WRITTEN: Final = re.compile(
    rf"{_DAY}(?:[T ]{_CLOCK}{_OFFSET}?|{_DASHED})?|{_OTHER_DAY}(?:T{_CLOCK}{_OFFSET}?)?",
    re.ASCII,
)
# As XML has dates: the midnight that begins it there. Python would take the zone for a clock time.
DATED: Final = re.compile(rf"(?P<day>{_DAY})(?P<zone>Z|[+-]\d\d:?[0-5]\d)", re.ASCII)


def iso_time(text: str) -> datetime:
    """Return the time that a text means in ISO 8601; naive if it has no zone.

    Raises:
        ValueError: It means none there, or two things.
    """
    if WRITTEN.fullmatch(text):
        return datetime.fromisoformat(text)
    if found := DATED.fullmatch(text):
        return datetime.fromisoformat(f"{found['day']}T00:00{found['zone']}")
    raise ValueError(f"expected a time as in ISO 8601, got {text!r:.80}")
