"""Names of series from what devices call their values, and their units."""

import re
from collections.abc import Iterator
from typing import Any, Final

DEEPEST: Final = 8  # levels of nesting; no device has more
# Units that would be unclear, or no word, as they are written.
SPELT: Final = {
    "°C": "celsius",
    "℃": "celsius",
    "°F": "fahrenheit",
    "℉": "fahrenheit",
    "%": "percent",
    "°": "degrees",
}
LETTERS: Final = str.maketrans(
    {"²": "2", "³": "3", "µ": "u", "μ": "u", "Ω": "ohm", "°": "deg", "€": "EUR", "%": "percent"}
)
NO_WORD: Final = re.compile(r"\W+")


def word(text: str) -> str:
    """Return a text as a part of a name: letters, digits and `_`."""
    return NO_WORD.sub("_", text).strip("_")


def unit_word(unit: Any) -> str:
    """Return a unit as series have it behind their names; empty if there is none.

    Capitals stay, because they mean something: `mW` and `MW`.
    """
    text = unit.strip() if isinstance(unit, str) else ""
    return SPELT.get(text) or word(text.replace("/", " per ").translate(LETTERS))


def leaves(held: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield what an object holds, however deep, with the names that lead there.

    The elements of a list are numbered from 1.
    """
    if not isinstance(held, dict | list):
        yield path, held
    elif len(path) < DEEPEST:
        inside = held.items() if isinstance(held, dict) else enumerate(held, 1)
        for name, each in inside:
            yield from leaves(each, *path, str(name))


def joined(*parts: str) -> str:
    """Return the parts of a name that are not empty, joined."""
    return "_".join(part for part in parts if part)
