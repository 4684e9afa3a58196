"""What the JSON interface says: parts of a boiler, their fields, and what these are now."""

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

Now = tuple[None, str, float]

NO_SENSOR: Final = Decimal(-32768)
WORDS: Final = {"true": Decimal(1), "false": Decimal(0)}


def values_of(document: Mapping[str, Any], *, site: str) -> Iterator[Now]:
    """Yield a reading for each number; what is named or told in words is none."""
    for part, fields in document.items():
        for name, entry in fields.items() if isinstance(fields, Mapping) else ():
            value = value_of(entry)
            if value is not None:
                yield None, f"{site}_{part}_{name}", float(value)


def value_of(entry: Any) -> Decimal | None:
    """Return what a field is, in its unit; None if it is a text, or nothing is connected.

    Older versions write numbers as texts, and all count temperatures in tenths.
    """
    if not isinstance(entry, Mapping) or "length" in entry:
        return None
    value = decimal(entry.get("val"))
    factor = decimal(entry.get("factor", 1))
    return None if value is None or factor is None or value == NO_SENSOR else value * factor


def decimal(value: Any) -> Decimal | None:
    """Return a number, exactly; None if it is none."""
    text = str(value).strip()
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    try:
        found = Decimal(text)
    except InvalidOperation:
        return None
    return found if found.is_finite() else None
