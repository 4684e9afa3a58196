"""What the shipped plugins share to read an option that is a mapping of options.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

from collections.abc import Collection, Mapping
from typing import Any

from ingestd.plugins._problems import Gathering, Problems


def keys_of(
    given: Any, where: str, *, known: Collection[str], wrong: Gathering | None = None
) -> dict[str, Any]:
    """Return a mapping whose keys are all known; what is null is left out.

    Args:
        given: What the operator wrote.
        where: The path of the place.
        known: The names of the options that there are.
        wrong: Takes note of other keys, which are left out then.

    Raises:
        ValueError: It is none, or has others. The message has no values: they may be secrets.
    """
    if not isinstance(given, Mapping):
        kind = type(given).__name__
        raise ValueError(  # noqa: TRY004 -- the operator's value, not a caller's type
            f"{where}: expected a mapping of {', '.join(known)}, got {kind}"
        )
    unknown = [
        f"{where}.{key}: unknown option; known here: {', '.join(known)}"
        for key in given
        if key not in known
    ]
    if unknown and wrong is None:
        raise Problems(unknown)
    if wrong is not None:
        wrong.problems += unknown
    return {key: value for key, value in given.items() if value is not None and key in known}


def text_in(given: Mapping[str, Any], name: str, where: str, *, default: str | None = None) -> str:
    """Return a text that is not empty.

    Raises:
        ValueError: It is none, or is missing and has no default.
    """
    value = given.get(name, default)
    if not isinstance(value, str) or not value:
        got = "nothing" if value in (None, "") else type(value).__name__
        raise ValueError(f"{where}.{name}: expected a text, got {got}")
    return value


def choice_in(
    given: Mapping[str, Any], name: str, where: str, *, among: Collection[str], default: str
) -> str:
    """Return one of some words.

    Raises:
        ValueError: It is another.
    """
    value = given.get(name, default)
    if value not in among:
        raise ValueError(f"{where}.{name}: expected {' or '.join(among)}, got {value!r:.80}")
    return str(value)


def texts_in(given: Mapping[str, Any], name: str, where: str) -> dict[str, str]:
    """Return a mapping of texts, which may be written as numbers; empty if it is missing.

    Raises:
        ValueError: It is none.
    """
    value = given.get(name, {})
    if not isinstance(value, Mapping) or not all(
        isinstance(each, str | int | float) and not isinstance(each, bool)
        for each in value.values()
    ):
        raise ValueError(f"{where}.{name}: expected a mapping of texts")
    return {str(key): str(each) for key, each in value.items()}
