"""Numbers as nearly all are written, read without asking what else they might be."""

import re
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any, Final

from ingestd.plugins._limits import LONGEST_NUMBER
from ingestd.plugins._values import ValueReader

PLAIN: Final = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?", re.ASCII).fullmatch

# What numbers are written with that `float` reads, too.
DIGITS: Final = frozenset("+-.0123456789eE")


def quick(meaning: ValueReader) -> Callable[[Any], Any]:
    """Return what reads values as a reader does, and plain numbers faster if they mean themselves.

    They do unless some say that there is no value, are words, or have another decimal mark.
    """
    slow = meaning.number
    if not means_itself(meaning):
        return slow

    def number(value: Any) -> Any:
        kind = type(value)
        if kind is float or kind is int:
            return value
        return float(value) if kind is str and PLAIN(value) else slow(value)

    return number


def plain_numbers(texts: Sequence[str]) -> list[float] | None:
    """Return the numbers in texts, or None if one is more, or less, than a plain number.

    ``float`` reads what sources do not write, and some of what they write as NaN.
    """
    written = "".join(texts)
    if not written.isascii() or "_" in written or max(map(len, texts)) > LONGEST_NUMBER:
        return None
    try:
        found = list(map(float, texts))
    except ValueError:
        return None
    return found if isfinite(sum(found)) else None


def is_quick(number: Callable[[Any], Any]) -> bool:
    """Say whether ``quick`` has made what reads values so that plain numbers mean themselves."""
    return getattr(number, "__module__", "") == __name__


def means_itself(meaning: ValueReader) -> bool:
    """Say whether plain numbers mean themselves, as written and in texts."""
    return not (
        meaning.no_numbers
        or meaning.nan_is_none
        or any(map(_is_finite, (*meaning.words, *meaning.no_texts)))
        or any(set(unit) <= DIGITS for unit in meaning.units)
        or meaning.number("1.234") != 1.234
    )


def _is_finite(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False
