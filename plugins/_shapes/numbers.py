"""Numbers as nearly all are written, read without asking what else they might be."""

import re
from collections.abc import Callable
from typing import Any, Final

from ingestd.plugins._values import ValueReader

PLAIN: Final = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?", re.ASCII).fullmatch

DIGITS: Final = frozenset("-.0123456789")


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


def is_quick(number: Callable[[Any], Any]) -> bool:
    """Say whether ``quick`` has made what reads values so that plain numbers mean themselves."""
    return getattr(number, "__module__", "") == __name__


def means_itself(meaning: ValueReader) -> bool:
    """Say whether plain numbers mean themselves, as written and in texts."""
    return not (
        meaning.no_numbers
        or meaning.nan_is_none
        or any(map(PLAIN, (*meaning.words, *meaning.no_texts)))
        or any(set(unit) <= DIGITS for unit in meaning.units)
        or meaning.number("1.234") != 1.234
    )
