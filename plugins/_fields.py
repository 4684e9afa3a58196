"""What the shipped plugins share to find the fields of a document, and the times in them.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

import re
from collections.abc import Callable
from datetime import datetime, tzinfo
from math import nan
from typing import Any, Final

import jmespath  # type: ignore[import-untyped]  # ships no types
from jmespath.exceptions import JMESPathError  # type: ignore[import-untyped]

Path = Callable[[Any], Any]

# What a number is divided by to become Unix seconds.
UNIX: Final = {"unix": 1, "unix_ms": 10**3, "unix_us": 10**6, "unix_ns": 10**9}
PLAIN: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def optional_path(expression: Any, *, where: str) -> Path | None:
    """Return the function for a path, or None where there is none."""
    return None if expression is None else compile_path(expression, where=where)


def _try(compiled: Any) -> None:
    """Search nothing, because a search recurses as deeply as its expression nests.

    Raises:
        RecursionError: It nests too deeply.
    """
    try:
        compiled.search(None)
    except RecursionError:
        raise
    except Exception:  # noqa: BLE001, S110 -- a function that nothing will not do for
        pass


def compile_path(expression: Any, *, where: str) -> Path:
    """Return a function that finds what a JMESPath expression names, or None.

    Raises:
        ValueError: It is no JMESPath.
    """
    if not isinstance(expression, str) or not expression.strip():
        raise ValueError(f"{where}: expected a JMESPath expression, got {expression!r}")
    if PLAIN.fullmatch(expression):
        return dotted(expression.split("."))
    try:
        compiled = jmespath.compile(expression)
        _try(compiled)
    except JMESPathError as error:
        raise ValueError(f"{where}: expected JMESPath, got {expression!r}: {error}") from None
    except RecursionError:
        text = f"{where}: expected JMESPath, got too many levels of nesting"
        raise ValueError(text) from None

    def search(document: Any) -> Any:
        try:
            return compiled.search(document)
        except JMESPathError:
            return None  # a function met a value of another type in this document

    return search


def dotted(names: list[str]) -> Path:
    """Return a function that walks down plain keys, as JMESPath would, many times faster."""

    def walk(document: Any) -> Any:
        for name in names:
            if not isinstance(document, dict):
                return None
            document = document.get(name)
        return document

    return walk


def null_finder(expression: str) -> Callable[[Any], bool]:
    """Return a function that says whether a document has null where a path leads.

    A source that says null is there and has nothing to tell; one without the key is another
    source than was meant. Only plain keys can tell the two apart, as JMESPath finds null in both.
    """
    if expression == "@":
        return lambda document: document is None
    names = expression.split(".") if PLAIN.fullmatch(expression) else []

    def has_null(document: Any) -> bool:
        for name in names:
            if not isinstance(document, dict) or name not in document:
                return False
            document = document[name]
            if document is None:
                return True
        return False

    return has_null


def parse_time(value: Any, *, time_format: str | None, zone: tzinfo | None) -> Any:
    """Return a time as readings carry it, or, if it is none, something they are refused for.

    Args:
        value: What the document holds.
        time_format: ``unix``, ``unix_ms``, ``unix_us``, ``unix_ns``, a pattern for
            ``strptime``, or None: ISO 8601 for text, Unix seconds for numbers.
        zone: What a time without a zone is in; None leaves it naive.
    """
    try:
        if time_format in UNIX:
            return float(value) / UNIX[time_format]
        if isinstance(value, int | float) and not isinstance(value, bool) and not time_format:
            return value
        found = (
            datetime.strptime(str(value), time_format)  # noqa: DTZ007 -- the zone comes below
            if time_format
            else datetime.fromisoformat(value)
        )
    except (TypeError, ValueError, OverflowError):
        # None would mean "now", so what is missing becomes no number instead.
        return nan if value is None else str(value)
    return found.replace(tzinfo=zone) if found.tzinfo is None and zone else found
