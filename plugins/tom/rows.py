"""What a row of reduced data says: when, of what, and which numbers.

Since version 3 a TOM has photometry and astrometry in tables of their own, with names of their own;
rows from before stay as brokers and people wrote them until the TOM is told to move them. Both are
read alike, so that a move changes no series.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final

from ingestd.plugins._times import Notation, NoTime, notation

Numbers = dict[str, Any]

# What each quantity is called, the newest name first.
PHOTOMETRY: Final[Mapping[str, Sequence[str]]] = {
    "brightness": ("brightness", "magnitude", "mag"),
    "error": ("brightness_error", "error", "magnitude_error", "mag_err"),
    "limit": ("limit",),
}
ASTROMETRY: Final[Mapping[str, Sequence[str]]] = {
    "ra": ("ra", "right_ascension", "ra_deg"),
    "dec": ("dec", "declination", "dec_deg"),
    "ra_error": ("ra_error", "right_ascension_error", "ra_err"),
    "dec_error": ("dec_error", "declination_error", "dec_err"),
}
KNOWN: Final = {"photometry": PHOTOMETRY, "astrometry": ASTROMETRY}
# What only goes with another quantity; a row that has no more has nothing.
COMPANIONS: Final = frozenset({"error", "ra_error", "dec_error"})
WORDS: Final[Mapping[str, Sequence[str]]] = {
    "band": ("bandpass", "filter", "band", "f"),
    "unit": ("unit",),
    "telescope": ("telescope",),
    "instrument": ("instrument",),
}
ISO: Final = Notation(zone=UTC)
# Where a TOM was changed to give numbers, they are those of its trade.
MJD: Final = notation("days since 1858-11-17T00:00:00Z")
JD: Final = notation("days since 1858-11-16T12:00:00Z")
JD_BEGINS: Final = 2_400_000


@dataclass(frozen=True, slots=True)
class Row:
    """A row of reduced data.

    Attributes:
        kind: The type of its data.
        time: In Unix seconds, or what the daemon refuses for its reason.
        words: What tells its series apart, by the names of fields.
        numbers: Its quantities; empty if it has none.
    """

    kind: str
    time: Any
    words: Mapping[str, str]
    numbers: Numbers


def row_of(row: Mapping[str, Any]) -> Row:
    """Read a row as the API has it."""
    value = row.get("value")
    found = value if isinstance(value, Mapping) else {}
    words = {name: str(first(found, keys) or "") for name, keys in WORDS.items()}
    words["source"] = str(row.get("source_name") or "")
    kind = str(row.get("data_type")).lower()
    return Row(kind, time_of(row.get("timestamp")), words, numbers_of(kind, found))


def time_of(value: Any) -> Any:
    """Return an instant: ISO 8601, in UTC if it says no zone, or a number of days, MJD or JD."""
    if type(value) not in {int, float}:
        return ISO.read(value)
    if value < JD_BEGINS:
        return MJD.read(value)
    return JD.read(value - JD_BEGINS)


def numbers_of(kind: str, value: Mapping[str, Any]) -> Numbers:
    """Return the quantities of a value; of a type that is not known, all that are numbers."""
    names = KNOWN.get(kind)
    if names is None:
        return {name: each for name, each in value.items() if type(each) in {int, float}}
    found = {name: first(value, keys) for name, keys in names.items()}
    given = {name: each for name, each in found.items() if each is not None}
    return given if given.keys() - COMPANIONS else {}


def first(value: Mapping[str, Any], keys: Sequence[str]) -> Any:
    """Return what stands under the first of some keys that has something, or None."""
    return next((value[key] for key in keys if value.get(key) not in (None, "")), None)


def is_time(value: Any) -> bool:
    """Say whether what was read for a time is an instant."""
    return not isinstance(value, NoTime) and isinstance(value, int | float)
