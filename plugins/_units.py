"""Durations and sizes as people write them: a number never stands without its unit."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

_MILLISECONDS: Final = {
    "w": 604_800_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1000,
    "ms": 1,
}
_BYTES: Final = {
    "TiB": 2**40,
    "GiB": 2**30,
    "MiB": 2**20,
    "KiB": 2**10,
    "TB": 10**12,
    "GB": 10**9,
    "MB": 10**6,
    "kB": 10**3,
    "B": 1,
}
# Far beyond any use, and near enough that no clock or counter overflows.
_LONGEST: Final = 36_525 * _MILLISECONDS["d"]
_LARGEST: Final = 2**62
_PART: Final = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?)([A-Za-z]+)")


def duration(text: str) -> float:
    """Return the seconds in a text such as ``5s``, ``1h30m`` or ``250ms``.

    Raises:
        ValueError: Says what was expected.
    """
    total = _total(text, _MILLISECONDS)
    if total is None:
        raise ValueError("expected a duration such as 5s, 2m or 1h")
    if total > _LONGEST:
        raise ValueError("expected a duration of at most 100 years")
    return float(total / 1000)


def size(text: str) -> int:
    """Return the bytes in a text such as ``64MiB`` or ``2GB``.

    Raises:
        ValueError: Says what was expected.
    """
    total = _total(text, _BYTES)
    if total is None:
        raise ValueError("expected a size such as 64MiB or 2GB")
    if total > _LARGEST:
        raise ValueError("expected a size of at most 4 million TiB")
    return int(total)


def format_duration(seconds: float) -> str:
    """Return the text that `duration` reads as these seconds, to the millisecond."""
    return _format(round(seconds * 1000), _MILLISECONDS, zero="0s")


def _total(text: str, units: Mapping[str, int]) -> Decimal | None:
    """Return the sum of the parts, or None if it is not made of numbers with units."""
    if text == "0":
        return Decimal(0)
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    if any(unit not in units for _, unit in parts):
        return None
    return sum((Decimal(number) * units[unit] for number, unit in parts), Decimal(0))


def _format(count: int, units: Mapping[str, int], *, zero: str) -> str:
    text = ""
    for unit, factor in units.items():
        whole, count = divmod(count, factor)
        text += f"{whole}{unit}" if whole else ""
    return text or zero
