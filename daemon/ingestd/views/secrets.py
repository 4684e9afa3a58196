"""Keeps what is told free of secrets."""

from collections.abc import Mapping
from typing import Any, Final

from ingestd.redaction import Redactor

# The operator's own names. A password such as "mqtt" must not make them unusable.
NAMES: Final = frozenset({"name", "collector", "store", "plugin", "type", "series"})


def without_secrets(value: Any, redactor: Redactor) -> Any:
    """Return an answer as JSON has it, with every known secret masked in its texts.

    Numbers stay: those of a state have been looked at, and a run's number that
    happens to be a PIN in the configuration is still that run's number.
    """
    if isinstance(value, str):
        return redactor.text(value)
    if isinstance(value, Mapping):
        return {
            redactor.text(key): each if key in NAMES else without_secrets(each, redactor)
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [without_secrets(each, redactor) for each in value]
    return value
