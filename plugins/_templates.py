"""What the shipped plugins share to name series and tags by texts with fields, such as `{meter}`.

The fields are those that a plugin knows; where records decide what there is, see `_shapes`.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from ingestd.plugins._problems import Gathering

FIELD: Final = re.compile(r"\{([^{}]*)\}")


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


def template(text: Any, *, where: str, known: Collection[str], example: str) -> Template:
    """Return a text as a template.

    Args:
        text: What the operator wrote.
        where: The option, for people.
        known: The fields that there are.
        example: A text that would do.

    Raises:
        ValueError: It is no text, or has other fields.
    """
    if not isinstance(text, str) or not text:
        raise ValueError(f"{where}: expected a text such as {example!r}, got {text!r:.80}")
    fields = frozenset(FIELD.findall(text))
    if unknown := sorted(fields - frozenset(known)):
        raise ValueError(
            f"{where}: expected fields among {', '.join(sorted(known))}, got {unknown[0]!r}"
        )
    if set(FIELD.sub("", text)) & set("{}"):
        raise ValueError(f"{where}: expected pairs of braces, got {text!r}")
    return Template(text, fields)


def tag_templates(
    tags: Mapping[str, Any], *, known: Collection[str], example: str
) -> dict[str, Template]:
    """Return the tags as templates.

    Raises:
        ValueError: Some are no templates.
    """
    with Gathering() as wrong:
        read = partial(template, known=known, example=example)
        return {
            name: wrong.read(partial(read, text, where=f"tags.{name}"))
            for name, text in tags.items()
        }
