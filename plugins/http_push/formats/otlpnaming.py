"""Attributes as tags: those of a value, of its scope and of its resource."""

import base64
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ingestd.plugins._limits import is_tag

from .otlpoptions import Choice, Options

SERIES: Final = "series"  # the tag that is the daemon's own
OURS: Final = "exported_series"
ODD: Final = re.compile(r"[^A-Za-z0-9_:]")


class UnusableError(ValueError):
    """A data point cannot be stored."""


def spelled(name: str, options: Options) -> str:
    """Return a name as it is stored."""
    if not options.underscores:
        return name
    plain = ODD.sub("_", name)
    return f"_{plain}" if plain[:1].isdigit() else plain


def chosen(attributes: Iterable[Any], choice: Choice) -> dict[str, str]:
    """Return the attributes that become tags, by the name of the tag; no two have one key."""
    found: dict[str, str] = {}
    for each in attributes:
        name = choice(each.key)
        text = written(each.value) if name else ""
        if text:  # no store keeps a tag that says nothing
            found[name] = text
    return found


def everything(name: str) -> str:
    """Choose every attribute: those of a value tell it from others."""
    return name


def merged(levels: Mapping[str, Mapping[str, str]], options: Options) -> dict[str, str]:
    """Return the tags of a data point.

    Args:
        levels: The tags of the point, of its scope and of its resource, in this order. One whose
            name is taken gets that of its level before it, so that none hides another.

        options: How names are spelled.

    Raises:
        UnusableError: A tag cannot be kept.
    """
    tags: dict[str, str] = {}
    for level, found in levels.items():
        for name, text in found.items():
            tag = spelled(name, options)
            tag = OURS if tag == SERIES else tag
            if tag in tags:
                tag = spelled(f"{level}.{name}", options)
            if tag in tags or not is_tag(tag, text):
                raise UnusableError(
                    f"expected printable attributes of at most 1024 characters, each of another "
                    f"name, got {name!r:.80} with {text!r:.80}"
                )
            tags[tag] = text
    return tags


def written(value: Any) -> str:
    """Return an attribute's value as text."""
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return str(value.string_value)
    if kind is None:
        return ""
    found = plain(value)
    return found if isinstance(found, str) else json.dumps(found, sort_keys=True)


def plain(value: Any) -> Any:
    """Return an attribute's value as what JSON has."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    found = getattr(value, kind)
    if kind == "array_value":
        return [plain(each) for each in found.values]
    if kind == "kvlist_value":
        return {each.key: plain(each.value) for each in found.values}
    return base64.b64encode(found).decode() if kind == "bytes_value" else found
