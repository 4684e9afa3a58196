"""Influx line protocol, taken apart: ``cpu,host=a usage=1.5,idle=3i 1700000000000000000``.

It is read as InfluxDB 1.6 reads it. Most lines have neither backslashes nor quotes, and are cut
with few calls; the others are scanned (``_linescan``).

Imported by its full name, so that a copy of a plugin works in any folder.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Final

from ingestd.plugins._limits import LONGEST_NAME, LONGEST_NUMBER, is_word
from ingestd.plugins._linescan import (
    COMMA,
    FIELD,
    IN_FIELDS,
    IN_NAMES,
    TEXTS,
    WHITE,
    fields_end,
    fields_in,
    head_end,
    lines_of,
    pair_of,
    unescaped,
)

TIME: Final = re.compile(r"(-?[0-9]{1,20})? *")
FLOAT: Final = re.compile(r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
WHOLE: Final = re.compile(r"(-?[0-9]+)i|([0-9]+)u")
SIGNED: Final = 2**63
UNSIGNED: Final = 2**64
BOOLEANS: Final = {
    **dict.fromkeys(("t", "T", "true", "True", "TRUE"), 1.0),
    **dict.fromkeys(("f", "F", "false", "False", "FALSE"), 0.0),
}
LONGEST_TIME: Final = 20  # characters; 63 bits have less
TEXT: Final = '"'  # what a value begins with that is none for us
TIME_NAME: Final = "time"  # InfluxDB's own: such a tag is refused, such a field left out
# Heads kept while one text is read: lines of a series often follow each other.
HEADS: Final = 10_000


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


class BadLineError(ValueError):
    """A line cannot be read."""


Head = tuple[str, dict[str, str]]


def parsed(text: str, *, unsigned: bool = True) -> Iterator[tuple[int, Line | str]]:
    """Yield each line with its number; one that cannot be read as what is wrong with it.

    Args:
        text: Any number of lines.
        unsigned: Whether ``7u`` is a number; to InfluxDB 1.6 it is none.
    """
    heads: dict[str, Head] = {}
    for number, line in lines_of(text):
        bare = line.lstrip(WHITE).removesuffix("\r")
        if not bare or bare[0] == "#":
            continue
        try:
            yield number, parse(bare, heads, unsigned=unsigned)
        except BadLineError as error:
            yield number, str(error)


def parse(line: str, heads: dict[str, Head], *, unsigned: bool) -> Line:
    """Take a line apart.

    Raises:
        BadLineError: It is none.
    """
    at = head_end(line)
    if at < 0:
        raise BadLineError(f"expected tags and a space, got {line[:40]!r}")
    head = line[:at]
    known = heads.get(head)
    if known is None:
        if len(heads) >= HEADS:
            heads.clear()
        known = heads[head] = head_of(head) if "\\" not in head else odd_head_of(head)
    fields, rest = fields_of(line[at:].lstrip(WHITE), unsigned=unsigned)
    return Line(*known, fields, time_of(rest))


def time_of(rest: str) -> int | None:
    """Return the time that a line ends with, or None if it has none.

    Raises:
        BadLineError: It ends otherwise.
    """
    bare = rest.strip(" ")
    if bare.isdigit() and bare.isascii() and len(bare) <= LONGEST_TIME:
        return int(bare)
    found = TIME.fullmatch(rest.lstrip(WHITE))
    if found is None:
        raise BadLineError(f"expected a time, got {rest[:40]!r}")
    return None if found[1] is None else int(found[1])


def head_of(head: str) -> Head:
    """Return the measurement and the tags that a line without backslashes begins with.

    Raises:
        BadLineError: They are none, or cannot be kept.
    """
    measurement, *written = head.split(",")
    tags = {}
    for each in written:
        name, _, value = each.partition("=")
        if not name or not value or "=" in value[1:]:
            raise BadLineError(f"expected tags and a space, got {head[:80]!r}")
        tags[name] = value
    return checked(measurement, tags, len(written), head)


def odd_head_of(head: str) -> Head:
    """Return the measurement and the tags that a line with backslashes begins with.

    Raises:
        BadLineError: They are none, or cannot be kept.
    """
    measurement, *written = COMMA.split(head)
    pairs = [pair_of(each) for each in written]
    if None in pairs:
        raise BadLineError(f"expected tags and a space, got {head[:80]!r}")
    tags = {
        unescaped(IN_NAMES, name): unescaped(IN_NAMES, value) for name, value in filter(None, pairs)
    }
    return checked(unescaped(IN_FIELDS, measurement), tags, len(written), head)


def checked(measurement: str, tags: dict[str, str], count: int, head: str) -> Head:
    """Return a measurement and its tags if they can be kept.

    Args:
        measurement: The first word.
        tags: What follows it.
        count: How many tags were written.
        head: Where these stood.

    Raises:
        BadLineError: They cannot.
    """
    if not measurement:
        raise BadLineError(f"expected a measurement, got {head[:40]!r}")
    if len(tags) < count:
        raise BadLineError(f"expected each tag once, got {head[:80]!r}")
    if TIME_NAME in tags:
        raise BadLineError(f"expected another name than time for a tag, got {head[:80]!r}")
    short = len(head) <= LONGEST_NAME and head.isprintable()
    if not short and not all(map(is_word, (*tags, *tags.values()))):
        raise BadLineError(f"expected printable tags, got {tags!r:.80}")
    return measurement, tags


def fields_of(text: str, *, unsigned: bool) -> tuple[dict[str, float], str]:
    """Return the numeric fields that a text begins with, and what follows them.

    Raises:
        BadLineError: One is none.
    """
    end = 0
    if '"' not in text and "\\" not in text:
        written, _, rest = text.partition(" ")
        pairs = [each.partition("=")[::2] for each in written.split(",")]
        end = len(text) - len(rest)
    elif (found := TEXTS.match(text)) is not None:
        pairs, end = FIELD.findall(found[0]), found.end()
        pairs = [(name, bare or TEXT) for name, bare in pairs]
    else:
        end, problem = fields_end(text, lambda each: number_of(each, unsigned=unsigned) is not None)
        if problem:
            raise BadLineError(f"{problem}, got {text[:40]!r}")
        pairs = [(unescaped(IN_FIELDS, name), each) for name, each in fields_in(text[:end])]
    fields = {
        name: value_of(name, each, unsigned=unsigned) for name, each in pairs if each[:1] != TEXT
    }
    if TIME_NAME in fields or not fields:
        check_names(name for name, _ in pairs)
        fields.pop(TIME_NAME, None)
    return fields, text[end:]


def check_names(names: Iterable[str]) -> None:
    """Check that a field has another name than the time.

    Raises:
        BadLineError: None has.
    """
    if all(name == TIME_NAME for name in names):
        raise BadLineError("expected a field with another name than time")


def value_of(name: str, written: str, *, unsigned: bool) -> float:
    """Return the value of a field that is no text.

    Raises:
        BadLineError: It is none.
    """
    value = number_of(written, unsigned=unsigned)
    if not name or not written:
        raise BadLineError(f"expected a field, got {f'{name}={written}'[:40]!r}")
    if value is None:
        raise BadLineError(f"{name:.40}: expected a number or a text, got {written[:40]!r}")
    return value


def number_of(text: str, *, unsigned: bool) -> float | None:
    """Return the number that a field's value is, or None if it is none or too large."""
    if len(text) > LONGEST_NUMBER:
        return None
    if FLOAT.fullmatch(text):
        number = float(text)
        return number if isfinite(number) else None
    found = WHOLE.fullmatch(text)
    if found is None:
        return BOOLEANS.get(text)
    if found[1] is not None:
        whole = int(found[1])
        return float(whole) if -SIGNED <= whole < SIGNED else None
    return float(found[2]) if unsigned and int(found[2]) < UNSIGNED else None
