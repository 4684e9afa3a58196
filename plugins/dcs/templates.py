"""The names of series and tags, made of what is known of a source."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

Template = Callable[[Mapping[str, str]], str]

FIELD: Final = re.compile(r"\{([^{}]*)\}")
FIELDS: Final = frozenset({"id", "quantity", "meter", "register", "unit", "serial"})


def template(text: Any, *, where: str) -> Template:
    """Return a function that fills the fields in braces.

    Raises:
        ValueError: It is no text, or has other fields.
    """
    if not isinstance(text, str) or not text:
        raise ValueError(f"{where}: expected a text such as 'dcs_{{id}}', got {text!r}")
    plain = text
    for name in FIELD.findall(text):
        if name not in FIELDS:
            raise ValueError(
                f"{where}: expected fields among {', '.join(sorted(FIELDS))}, got {name!r}"
            )
        plain = plain.replace(f"{{{name}}}", "")
    if set(plain) & set("{}"):
        raise ValueError(f"{where}: expected pairs of braces, got {text!r}")
    return lambda fields: FIELD.sub(lambda match: fields[match[1]], text)
