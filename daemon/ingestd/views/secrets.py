"""Keeps what is told free of secrets."""

import re
from collections.abc import Mapping
from typing import Any, Final

from ingestd.redaction import Redactor, is_time

# The operator's own names. A password such as "mqtt" must not make them unusable.
NAMES: Final = frozenset({"name", "collector", "store", "plugin", "type", "series"})
# What stands here is a word of ours, such as "failed"; a plugin's own text would be longer.
WORDS: Final = frozenset({"outcome", "status", "state", "health", "version", "kind"})
_WORD: Final = re.compile(r"[a-z][a-z _-]{0,15}")


def without_secrets(value: Any, redactor: Redactor, *, owner: str = "") -> Any:
    """Return an answer as JSON has it, with every known secret masked in its texts.

    Keys and times stay, for they are no secrets but what an answer is made of. So do
    numbers: those of a state have been looked at, and a run's number that
    happens to be a PIN in the configuration is still that run's number.

    Args:
        value: The answer.
        redactor: Knows the secrets.
        owner: The collector that it is about; a mapping in it may name another.
    """
    if isinstance(value, str):
        return value if is_time(value) else redactor.text(value, owner=owner)
    if isinstance(value, Mapping):
        named = value.get("collector")
        owner = named if isinstance(named, str) else owner
        return {
            key: each if _is_ours(key, each) else without_secrets(each, redactor, owner=owner)
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [without_secrets(each, redactor, owner=owner) for each in value]
    return value


def _is_ours(key: str, value: Any) -> bool:
    if key in NAMES:
        return True
    return key in WORDS and isinstance(value, str) and _WORD.fullmatch(value) is not None
