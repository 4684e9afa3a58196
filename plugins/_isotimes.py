"""Times as ISO 8601 has them, read by Python's parser, which alone would take much else.

It reads `2026-07-01112:30Z` (a digit too many), `2026-07-01+02:00Z` (two zones) and
`2026-07-01T12:30.5Z` (a half minute, of which it makes half a second). What nearly all sources
write is looked at first, in columns at little cost for each text.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

import re
from collections.abc import Sequence
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
# What stands between the digits of most times, by its place.
_MARKS: Final = ((4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":"))
_BARE: Final = 19  # the length of a time without its zone


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


def alike(texts: Sequence[str]) -> bool:
    """Say whether all texts are written as most times are, and in one way.

    Then Python's parser may read them: `2026-07-01T12:30:15`, with an offset or a `Z`
    behind it, which may have decimals of a second before it.
    """
    size = len(texts[0])
    if set(map(len, texts)) != {size} or size <= _BARE:
        return False
    joined, count = "".join(texts), len(texts)
    marks = all(joined[at::size] == mark * count for at, mark in _MARKS)
    return marks and _ends_alike(joined, size, count)


def _ends_alike(joined: str, size: int, count: int) -> bool:
    """Say whether what stands behind the seconds is a zone, perhaps behind decimals."""
    if size == _BARE + 6 and joined[_BARE + 3 :: size] == ":" * count:
        minutes = set(joined[_BARE + 4 :: size])
        return set(joined[_BARE::size]) <= {"+", "-"} and minutes <= set("012345")
    if joined[size - 1 :: size] != "Z" * count:
        return False
    if size == _BARE + 1:
        return True
    decimals = "".join(joined[at::size] for at in range(_BARE + 1, size - 1))
    return joined[_BARE::size] == "." * count and decimals.isascii() and decimals.isdecimal()
