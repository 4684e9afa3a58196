"""Requests as the operator wrote them."""

from collections.abc import Mapping, Sequence
from typing import Any


def query_of(query: Mapping[str, Any] | None, *, where: str = "query") -> dict[str, Sequence[str]]:
    """Return the texts of each name; a list is written as several of one name, null is left out.

    Raises:
        ValueError: A value can stand in no address.
    """
    found: dict[str, Sequence[str]] = {}
    for name, value in (query or {}).items():
        values = value if isinstance(value, list | tuple) else [value]
        texts = [text_of(each, where=f"{where}.{name}") for each in values if each is not None]
        if texts:
            found[str(name)] = tuple(texts)
    return found


def text_of(value: Any, *, where: str) -> str:
    """Return a value as it stands in an address.

    Raises:
        ValueError: It is a list or a mapping.
    """
    if isinstance(value, list | tuple | Mapping):
        raise ValueError(  # noqa: TRY004 -- the operator's value, not a caller's type
            f"{where}: expected a text, a number, true, false, null or a list of these, "
            f"got {type(value).__name__}"
        )
    return str(value).lower() if isinstance(value, bool) else str(value)
