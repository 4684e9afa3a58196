"""The words in a payload that stand for numbers."""

from collections.abc import Mapping
from typing import Any, Final

WORDS: Final = {"on": 1, "off": 0, "true": 1, "false": 0}
YES: Final = ("on", "true", "yes")
NO: Final = ("off", "false", "no")


def words_of(words: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the numbers that words stand for, in lower case.

    YAML reads ``ON: 1`` as a truth, not as a word; it is meant as every word for it.
    """
    found: dict[str, Any] = dict(WORDS)
    for word, number in words.items():
        if isinstance(word, bool):
            found |= dict.fromkeys(YES if word else NO, number)
        else:
            found[str(word).lower()] = number
    return found
