"""Influx line protocol, taken apart: ``cpu,host=a usage=1.5,idle=3i 1700000000000000000``.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

from ingestd.plugins._limits import LONGEST_NUMBER, is_word

# A backslash takes the special meaning from what follows.
MEASUREMENT: Final = re.compile(r"((?:[^\\, \n]|\\.)+)")
TAG: Final = re.compile(r",((?:[^\\,= \n]|\\.)+)=((?:[^\\,= \n]|\\.)+)")
FIELD: Final = re.compile(
    r'((?:[^\\,= \n]|\\.)+)=(?:"((?:[^"\\]|\\[\s\S])*)"|([^", \r\n]+))(,|[ ]+|(?=\r?\n)|(?=\r?\Z))'
)
TIME: Final = re.compile(r"(-?\d{1,20})?[ \t]*(?:\r?\n|\r?\Z)")
NUMBER: Final = re.compile(r"([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)([iu]?)")
BOOLEANS: Final = {
    **dict.fromkeys(("t", "T", "true", "True", "TRUE"), 1.0),
    **dict.fromkeys(("f", "F", "false", "False", "FALSE"), 0.0),
}
ESCAPED: Final = re.compile(r"\\([,= \\])")


@dataclass(frozen=True, slots=True)
class Line:
    """One line, taken apart.

    Attributes:
        measurement: Its first word.
        tags: Name to text.
        fields: Name to number; texts are left out, since no series holds any.
        time: In the unit of the request, or None.
    """

    measurement: str
    tags: dict[str, str]
    fields: dict[str, float]
    time: int | None


def parsed(text: str) -> Iterator[tuple[int, Line | str]]:
    """Yield each line with its number; one that cannot be read as what is wrong with it."""
    at, number = 0, 1
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        start = text[at : min(end, at + 1)]
        if not text[at:end].strip() or start == "#":
            at, number = end + 1, number + 1
            continue
        line, after = parse(text, at)
        yield number, line
        if isinstance(line, str):
            after = end + 1
        number += text.count("\n", at, after)
        at = after


def parse(text: str, at: int) -> tuple[Line | str, int]:
    """Return the line that begins there, and where the next one does; a text may span lines."""
    head = MEASUREMENT.match(text, at)
    if head is None:
        return f"expected a measurement, got {text[at : at + 40]!r}", at
    position, tags = head.end(), {}
    while (tag := TAG.match(text, position)) is not None:
        tags[plain(tag[1])], position = plain(tag[2]), tag.end()
    if text[position : position + 1] != " ":
        return f"expected tags and a space, got {text[position : position + 40]!r}", at
    while text[position : position + 1] == " ":
        position += 1
    fields, position, problem = parse_fields(text, position)
    time = TIME.match(text, position)
    if problem or time is None:
        return problem or f"expected a time, got {text[position : position + 40]!r}", at
    if not all(map(is_word, (*tags, *tags.values()))):
        return f"expected printable tags, got {tags!r:.80}", at
    stamp = None if time[1] is None else int(time[1])
    return Line(plain(head[1]), tags, fields, stamp), time.end()


def parse_fields(text: str, at: int) -> tuple[dict[str, float], int, str]:
    """Return the numeric fields, where they end, and what is wrong with them."""
    fields: dict[str, float] = {}
    while True:
        field = FIELD.match(text, at)
        if field is None:
            return fields, at, f"expected a field, got {text[at : at + 40]!r}"
        name, quoted, bare, follows = field.groups()
        if quoted is None:
            value = number_of(bare)
            if value is None:
                return fields, at, f"{plain(name)}: expected a number or a text, got {bare!r:.40}"
            fields[plain(name)] = value
        at = field.end()
        if follows != ",":
            return fields, at, ""


def number_of(text: str) -> float | None:
    """Return the number that a field's value is, or None if it is none or too large."""
    found = NUMBER.fullmatch(text) if len(text) <= LONGEST_NUMBER else None
    number = float(found[1]) if found else BOOLEANS.get(text)
    return number if number is not None and isfinite(number) else None


def plain(text: Any) -> str:
    """Return a name without the backslashes before special characters."""
    return ESCAPED.sub(r"\1", text) if "\\" in text else text
