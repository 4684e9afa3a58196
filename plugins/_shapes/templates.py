"""Texts with ``{…}`` in them, filled from records."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ingestd.plugins._fields import is_path

from .lookups import Lookup, lookup_of
from .records import Node, Records

FIELD: Final = re.compile(r'\{((?:[^{}"]|"[^"]*")*)\}')
# What a field that is known before any record comes is not.
NOT_FIXED: Final = object()
Fixed = Callable[[str], Any]


def nothing_fixed(_: str) -> Any:
    """Say of every field that it depends on the record."""
    return NOT_FIXED


@dataclass(frozen=True, slots=True)
class Template:
    """A text, and what is put into it.

    Attributes:
        texts: What stands before, between and behind the fields.
        lookups: What finds the field between two texts.
    """

    texts: tuple[str, ...]
    lookups: tuple[Lookup, ...]

    @property
    def scoped(self) -> bool:
        """Whether it needs more than the record itself."""
        return any(each.own is None for each in self.lookups)

    def compiled(self, *, scoped: bool) -> str | Callable[[Any], str]:
        """Return the text if it is always the same, or else what fills it.

        It is empty as soon as one of its parts is missing: half a name would be another series.

        Args:
            scoped: Whether it is filled from nodes, or from records.
        """
        if not self.lookups:
            return self.texts[0]
        finds = [each.node if scoped else each.own for each in self.lookups]
        if len(finds) == 1 and finds[0] is not None:
            return one_field(self.texts[0], finds[0], self.texts[1])
        return many_fields(self.texts, [find for find in finds if find is not None])


def one_field(before: str, find: Callable[[Any], Any], behind: str) -> Callable[[Any], str]:
    """Return what fills the one field of a text."""

    def fill(record: Any) -> str:
        value = find(record)
        if value is None or isinstance(value, dict | list):
            return ""
        return f"{before}{value}{behind}"

    return fill


def many_fields(texts: tuple[str, ...], finds: list[Callable[[Any], Any]]) -> Callable[[Any], str]:
    """Return what fills the fields of a text."""

    def fill(record: Any) -> str:
        values = [find(record) for find in finds]
        if any(value is None or isinstance(value, dict | list) for value in values):
            return ""
        words = [str(value) for value in values]
        return "".join(text + word for text, word in zip(texts, [*words, ""], strict=True))

    return fill


def template_of(text: Any, records: Records, *, fixed: Fixed, where: str) -> Template:
    """Read a template.

    Args:
        text: What the operator wrote.
        records: Where the records are: it may have names for keys.
        fixed: Tells the value of a field that no record decides, None if it is missing.
        where: The option, for people.

    Raises:
        ValueError: It is no text, or a field is no path.
    """
    if not isinstance(text, str) or not text:
        raise ValueError(f"{where}: expected a text such as '{{site}}_power', got {text!r}")
    parts = FIELD.split(text)
    texts, lookups = [parts[0]], []
    for field, following in zip(parts[1::2], parts[2::2], strict=True):
        known = NOT_FIXED if field in records.names else fixed(field)
        if known is NOT_FIXED:
            lookups.append(lookup_of(field, records, where=where))
            texts.append(following)
        elif known is None:
            lookups.append(Lookup(missing, missing))
            texts.append(following)
        else:
            texts[-1] += f"{known}{following}"
    return Template(tuple(texts), tuple(lookups))


def missing(_: Node | Any) -> None:
    """Find nothing."""


def is_template(text: Any) -> bool:
    """Say whether what may be a path is a template instead: it begins with a field."""
    return isinstance(text, str) and FIELD.match(text) is not None and not is_path(text)


def lookup_by(template: Template) -> Lookup:
    """Return what finds a text by filling a template that has fields; nothing if one is missing."""

    def found(*, scoped: bool) -> Callable[[Any], Any]:
        fill = template.compiled(scoped=scoped)
        if isinstance(fill, str):
            return lambda _: fill or None
        return lambda record: fill(record) or None

    return Lookup(None if template.scoped else found(scoped=False), found(scoped=True))
