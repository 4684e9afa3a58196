"""The simple value templates of Home Assistant's discovery; nothing of Jinja beyond them.

{{ value }}                                    the payload
{{ value_json.a['b'][0] }}                     what lies there in a JSON payload
{{ value_json.a | float(0) | round(1) }}       float, int, round, is_defined, default
{{ (value_json.a | float / 1000) | round(2) }} times, by, plus or minus a number
"""

import re
from collections.abc import Callable
from math import isfinite
from typing import Any, Final

from ingestd.plugins._jsontext import read_json

LONGEST: Final = 300  # characters; no simple one has more
TOKEN: Final = re.compile(
    r"""\s*(?:(?P<path>value_json|value)(?![\w]) | (?P<name>[A-Za-z_]\w*)
      | (?P<number>-?\d+(?:\.\d+)?)
      | '(?P<text>[^'\\]*)' | "(?P<quoted>[^"\\]*)" | (?P<mark>[.|()\[\],*/+-]))""",
    re.VERBOSE,
)
MOST_DIGITS: Final = 15  # of a float
BRACES: Final = re.compile(r"\s*\{\{-?(.*?)-?\}\}\s*", re.DOTALL)
# What is said of a value that is missing: there is none then.
NO_CHANGE: Final = {"is_defined", "default", "d", "string"}

Value = Callable[[Any], Any]


class Payload:
    """A payload, which is parsed once for all templates that look into it."""

    def __init__(self, payload: bytes) -> None:
        self.text = payload.decode(errors="replace").strip()
        self._payload = payload
        self._parsed: Any = None
        self._read = False

    @property
    def json(self) -> Any:
        """The document in it, or None."""
        if not self._read:
            self._read = True
            try:
                self._parsed = read_json(self._payload)
            except ValueError:
                self._parsed = None
        return self._parsed


def template(text: Any) -> Value:
    """Return what finds the value of a ``Payload`` as a template says; without one it is all.

    Raises:
        ValueError: It is more than a simple template.
    """
    if text is None:
        return lambda payload: payload.text
    inside = BRACES.fullmatch(text) if isinstance(text, str) and len(text) <= LONGEST else None
    if inside is None:
        raise not_simple()
    parser = Parser(tokens_of(inside[1]))
    found = parser.expression()
    if parser.rest:
        raise not_simple()
    return found


def not_simple() -> ValueError:
    """Return the error for all that is more."""
    return ValueError("expected a simple value template")


def tokens_of(text: str) -> list[tuple[str, str]]:
    """Return kind and text of each part of an expression.

    Raises:
        ValueError: There are others.
    """
    found, at, text = [], 0, text.rstrip()
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise not_simple()
        found.append((match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return found


class Parser:
    """Reads the tokens of an expression one after the other."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.rest = tokens

    def take(self, *marks: str) -> str:
        """Return the next mark if it is one of these, or else an empty text."""
        if self.rest and self.rest[0][0] == "mark" and self.rest[0][1] in marks:
            return self.rest.pop(0)[1]
        return ""

    def need(self, *kinds: str) -> str:
        """Return the text of the next token, which is of one of these kinds.

        Raises:
            ValueError: It is of another.
        """
        if not self.rest or self.rest[0][0] not in kinds:
            raise not_simple()
        return self.rest.pop(0)[1]

    def expression(self) -> Value:
        """Read a term, and numbers that it is multiplied with, or that are added to it."""
        found, marks = self.term(), ""
        while mark := self.take("*", "/", "+", "-") or self.signed():
            marks += mark
            if set(marks) & set("*/") and set(marks) & set("+-"):
                raise not_simple()  # which comes first is not for us to say
            found = calculated(found, mark, float(self.need("number")))
        return found

    def signed(self) -> str:
        """Return a plus where the sign of the next number stands for it: `value -1`."""
        kind, text = self.rest[0] if self.rest else ("", "")
        return "+" if kind == "number" and text.startswith("-") else ""

    def term(self) -> Value:
        """Read a path or what is in brackets, with the filters behind it."""
        if self.take("("):
            found = self.expression()
            self.close(")")
        else:
            found = self.path()
        while self.take("|"):
            found = filtered(found, self.need("name"), self.arguments())
        return found

    def path(self) -> Value:
        """Read where a value lies.

        Raises:
            ValueError: It does not begin with the payload.
        """
        whole = self.need("path") == "value"
        steps: list[str | int] = []
        while mark := self.take(".", "["):
            if mark == ".":
                steps.append(self.need("name", "path"))
                continue
            number = self.rest and self.rest[0][0] == "number"
            key = self.need("text", "quoted", "number")
            steps.append(int(key) if number else key)
            self.close("]")
        if whole and steps:
            raise not_simple()
        return (lambda payload: payload.text) if whole else walker(steps)

    def arguments(self) -> list[str]:
        """Read the arguments of a filter."""
        found: list[str] = []
        if not self.take("("):
            return found
        while not self.take(")"):
            found.append(self.need("number", "text", "quoted", "name"))
            self.take(",")
        return found

    def close(self, mark: str) -> None:
        """Read a mark that has to be there.

        Raises:
            ValueError: It is not.
        """
        if not self.take(mark):
            raise not_simple()


def walker(steps: list[str | int]) -> Value:
    """Return what walks into a JSON payload."""

    def walk(payload: Any) -> Any:
        found = payload.json
        for step in steps:
            try:
                found = found[step]
            except (TypeError, LookupError):
                return None
        return found

    return walk


def number_of(value: Any) -> float | None:
    """Return a value as a number, or None."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if isfinite(number) else None


def calculated(found: Value, mark: str, by: float) -> Value:
    """Return what calculates with a value.

    Raises:
        ValueError: It would divide by nothing.
    """
    if mark == "/" and not by:
        raise not_simple()

    def calculate(payload: Any) -> Any:
        number = number_of(found(payload))
        if number is None:
            return None
        if mark in "*/":
            return number * by if mark == "*" else number / by
        return number + by if mark == "+" else number - by

    return calculate


def filtered(found: Value, name: str, arguments: list[str]) -> Value:
    """Return what changes a value as a filter does; what it would say of a missing one is left out.

    Raises:
        ValueError: It is no simple filter.
    """
    if name in NO_CHANGE:
        return found
    if name not in {"float", "int", "round"} or len(arguments) > 1:
        raise not_simple()
    digits = int(arguments[0]) if name == "round" and arguments else 0
    if abs(digits) > MOST_DIGITS:
        raise not_simple()

    def change(payload: Any) -> Any:
        number = number_of(found(payload))
        if number is None or name == "float":
            return number
        return int(number) if name == "int" else round(number, digits)

    return change
