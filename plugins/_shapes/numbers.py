"""Numbers as nearly all are written, read without asking what else they might be."""

import re
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any, Final

import orjson

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
    """Return the numbers in texts, or None if one is more, or less, than a plain number."""
    if max(map(len, texts)) > LONGEST_NUMBER:
        return None
    written = ",".join(texts)
    found = decimal_numbers(written, len(texts))
    return any_numbers(texts, written) if found is None else found


def decimal_numbers(written: str, count: int) -> list[float] | None:
    """Return so many numbers that are written as in JSON and with a fraction, or else None.

    Most are, and reading them so takes a sixth of the time. A whole number loses the sign of its
    zero there.
    """
    try:
        found: list[float] = orjson.loads(f"[{written}]")
    except orjson.JSONDecodeError:
        return None
    return found if len(found) == count and set(map(type, found)) == {float} else None


def any_numbers(texts: Sequence[str], written: str) -> list[float] | None:
    """Return the numbers in texts as ``float`` reads them, or None if it reads more than it should.

    That is what sources do not write, and some of what they write as NaN.
    """
    if not written.isascii() or "_" in written:
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
