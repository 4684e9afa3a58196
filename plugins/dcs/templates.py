"""The names of series and tags, made of what is known of a source."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

FIELD: Final = re.compile(r"\{([^{}]*)\}")
FIELDS: Final = frozenset(
    {"id", "quantity", "meter", "register", "unit", "serial", "service", "type"}
)
# What makes a source and its values what they are; all else may be edited at the server.
LASTING: Final = frozenset({"id", "quantity"})


@dataclass(frozen=True, slots=True)
class Template:
    """A text with fields in braces.

    Attributes:
        text: The text.
        fields: The names of the fields.
    """

    text: str
    fields: frozenset[str]

    def fill(self, values: Mapping[str, str]) -> str:
        """Return the text with its fields filled."""
        return FIELD.sub(lambda match: values[match[1]], self.text)


def template(text: Any, *, where: str) -> Template:
    """Return a text as a template.

    Raises:
        ValueError: It is no text, or has other fields.
    """
    if not isinstance(text, str) or not text:
        raise ValueError(f"{where}: expected a text such as 'dcs_{{id}}', got {text!r}")
    fields = frozenset(FIELD.findall(text))
    if unknown := sorted(fields - FIELDS):
        raise ValueError(
            f"{where}: expected fields among {', '.join(sorted(FIELDS))}, got {unknown[0]!r}"
        )
    if set(FIELD.sub("", text)) & set("{}"):
        raise ValueError(f"{where}: expected pairs of braces, got {text!r}")
    return Template(text, fields)
