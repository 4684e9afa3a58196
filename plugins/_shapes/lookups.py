"""What finds a part of a reading: in a record, in what is around it, or among keys."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ingestd.plugins._fields import Path, compile_path

from .records import EVERYTHING, WHOLE, Node, Records

KEY: Final = "key"
PLACE: Final = "list_index"  # a name that hardly any source has for a field
PARENT: Final = re.compile(r"((?:parent\.)+)(.+)", re.DOTALL)
FIELD: Final = re.compile(r'[A-Za-z_]\w*|"(?P<quoted>[^"\\]+)"')


@dataclass(frozen=True, slots=True)
class Lookup:
    """What finds one thing.

    Attributes:
        own: Finds it in a record; None if it is not there alone.
        node: Finds it with what is around the record.
        field: The name of the field that it is, if it is one of an object.
    """

    own: Path | None
    node: Callable[[Node], Any]
    field: str | None = None


def lookup_of(expression: Any, records: Records, *, where: str) -> Lookup:
    """Read a path: JMESPath in a record, a key, or a path in what is around.

    A field of the record itself goes before ``key``, ``list_index`` and ``parent``.

    Raises:
        ValueError: It is none.
    """
    if isinstance(expression, str):
        if (place := records.place_of(expression)) is not None:
            return Lookup(None, lambda node: key_above(node, place))
        if expression == KEY:
            return Lookup(None, key_of)
        if expression == PLACE:
            return Lookup(None, place_of)
        if found := PARENT.fullmatch(expression):
            return parent_lookup(found[1].count("."), found[2], where=where)
    own = itself if expression == WHOLE else compile_path(expression, where=where)
    found = FIELD.fullmatch(expression)
    field = None if found is None else found["quoted"] or expression
    return Lookup(own, lambda node: own(node.value), field)


def parent_lookup(levels: int, expression: str, *, where: str) -> Lookup:
    """Return what finds a path in an object so many levels around a record.

    Raises:
        ValueError: It is no path.
    """
    inner = lookup_of(expression, EVERYTHING, where=where).node
    own = compile_path("parent." * levels + expression, where=where)

    def find(node: Node) -> Any:
        if isinstance(node.value, dict) and "parent" in node.value:
            return own(node.value)
        above: Node | None = node
        for _ in range(levels):
            above = above.parent if above else None
        return beside(node, inner(above)) if above else None

    return Lookup(None, find)


def beside(node: Node, found: Any) -> Any:
    """Return what stands for a record in a list of the same length around it, such as its time."""
    if isinstance(found, list) and node.place is not None and len(found) == node.count:
        return found[node.place]
    return found


def itself(record: Any) -> Any:
    """Return the record."""
    return record


def key_of(node: Node) -> Any:
    """Return the field ``key`` of a record, or else the key under which it was found."""
    if isinstance(node.value, dict) and KEY in node.value:
        return node.value[KEY]
    return node.key


def place_of(node: Node) -> Any:
    """Return the field ``list_index`` of a record, or else its place in its list, from 0."""
    if isinstance(node.value, dict) and PLACE in node.value:
        return node.value[PLACE]
    return node.place


def key_above(node: Node, levels: int) -> Any:
    """Return the key of what is so many levels around a record."""
    above: Node | None = node
    for _ in range(levels):
        above = above.parent if above else None
    return above.key if above else None
