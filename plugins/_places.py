"""Texts of an operator with places in braces, which are filled when something is asked for.

``{since}`` and ``{until}`` stand for the ends of a window, ``{last}`` for the last time before its
end, and ``{since:%Y-%m-%d}`` for one in a notation of its own. Other braces are letters like any,
as long as they hold no single name; ``{{since}}`` is sent as ``{since}``.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

PLACE: Final = re.compile(
    r"\{\{(?P<literal>[A-Za-z_]\w*(?::[^{}]*)?)\}\}"
    r"|\{(?P<name>[A-Za-z_]\w*)(?::(?P<pattern>[^{}]*))?\}"
)
SINCE, UNTIL, LAST = "since", "until", "last"
ENDS: Final = (SINCE, UNTIL, LAST)


@dataclass(frozen=True, slots=True)
class Place:
    """A name in braces.

    Attributes:
        name: Such as that of an end of a window.
        pattern: How it is written there; None: as everywhere.
    """

    name: str
    pattern: str | None


# Returns what is written in a place: None if there is no such thing, a number if it is one.
Write = Callable[[Place], str | int | None]


def filled(text: str, write: Callable[[Place], str]) -> str:
    """Return a text with something in its places."""

    def put(found: re.Match[str]) -> str:
        if found["literal"] is not None:
            return f"{{{found['literal']}}}"
        return write(Place(found["name"], found["pattern"]))

    return PLACE.sub(put, text)


def places_in(text: str, *, where: str, known: Collection[str] = ENDS) -> Iterator[Place]:
    """Yield the places of a text.

    Args:
        text: The text.
        where: What to call it.
        known: The names that there are.

    Raises:
        ValueError: There is another name in braces.
    """
    for found in PLACE.finditer(text):
        if found["literal"] is None:
            if found["name"] not in known:
                *names, last = (f"{{{each}}}" for each in known)
                some = f"{', '.join(names)} or {last}" if names else last
                raise ValueError(
                    f"{where}: expected {some}, or {{{found[0]}}} to "
                    f"send {found[0]} as it stands, got {found[0]}"
                )
            yield Place(found["name"], found["pattern"])


def texts_in(body: Any) -> Iterator[str]:
    """Yield the texts in a value as JSON has it."""
    if isinstance(body, str):
        yield body
    elif isinstance(body, Mapping):
        for value in body.values():
            yield from texts_in(value)
    elif isinstance(body, list | tuple):
        for value in body:
            yield from texts_in(value)


def needed(write: Write, place: Place) -> str | int:
    """Return what is written in a place that cannot be left out.

    Raises:
        ValueError: There is no such end.
    """
    found = write(place)
    if found is None:
        raise ValueError("lookback: expected, to know where the first run begins")
    return found


def json_filled(value: Any, write: Write) -> Any:
    """Return a JSON value with its places filled; a text that is a place for a number is one."""
    if isinstance(value, Mapping):
        return {name: json_filled(each, write) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [json_filled(each, write) for each in value]
    if not isinstance(value, str):
        return value
    whole = PLACE.fullmatch(value)
    if whole and whole["literal"] is None:
        return needed(write, Place(whole["name"], whole["pattern"]))
    return filled(value, lambda place: str(needed(write, place)))
