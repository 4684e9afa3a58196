"""What the shipped plugins share to find the fields of a document.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

import json
import re
from collections.abc import Callable
from typing import Any, Final

import jmespath  # type: ignore[import-untyped]  # ships no types
from jmespath.exceptions import JMESPathError  # type: ignore[import-untyped]

Path = Callable[[Any], Any]

# What people write for a name that JMESPath wants in quotes.
ODD_NAME: Final = re.compile(r"[\w .:/%°-]{1,40}")
# A single name, in which nothing stands for something else.
QUOTED: Final = re.compile(r'"[^"\\\x00-\x1f]+"')
PLAIN: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


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
        raise ValueError(
            f"{where}: expected a JMESPath expression, got {expression!r}{hint(expression)}"
        )
    if names := names_in(expression):
        return dotted(names)
    try:
        compiled = jmespath.compile(expression)
        _try(compiled)
    except JMESPathError as error:
        why = str(error).partition("\n")[0].removesuffix(", for expression:").rstrip(":")
        message = f"{where}: expected JMESPath, got {expression!r}{hint(expression)}: {why}"
        raise ValueError(message) from None
    except RecursionError:
        text = f"{where}: expected JMESPath, got too many levels of nesting"
        raise ValueError(text) from None

    def search(document: Any) -> Any:
        try:
            return compiled.search(document)
        except JMESPathError:
            return None  # a function met a value of another type in this document

    return search


def is_path(expression: str) -> bool:
    """Say whether a text is JMESPath."""
    try:
        compile_path(expression, where="")
    except ValueError:
        return False
    return True


def hint(expression: Any) -> str:
    """Return how to write what looks like a name that is none in JMESPath, for people."""
    if isinstance(expression, int | float) and not isinstance(expression, bool):
        return " (a name of digits is in double quotes within single ones: '\"2\"')"
    if isinstance(expression, str) and ODD_NAME.fullmatch(expression):
        return f" (such a name is in double quotes within single ones: '\"{expression}\"')"
    return ""


def names_in(expression: str) -> list[str]:
    """Return the names that a path is made of; none if it is more than names.

    One of other characters is in quotes, as in ``"Power (kW)"``.
    """
    if PLAIN.fullmatch(expression):
        return expression.split(".")
    return [str(json.loads(expression))] if QUOTED.fullmatch(expression) else []


def dotted(names: list[str]) -> Path:
    """Return a function that walks down plain keys, as JMESPath would, many times faster."""
    if len(names) == 1:
        (only,) = names
        return lambda document: document.get(only) if isinstance(document, dict) else None

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
    names = names_in(expression)

    def has_null(document: Any) -> bool:
        for name in names:
            if not isinstance(document, dict) or name not in document:
                return False
            document = document[name]
            if document is None:
                return True
        return False

    return has_null
