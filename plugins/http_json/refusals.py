"""Answers that are well by their status, and say in the document that something went wrong."""

from collections.abc import Callable
from typing import Any

from ingestd.plugins._fields import compile_path
from ingestd.plugins._shapes import shown

# Returns what a document says of a failure; empty if it says nothing of one.
Refusal = Callable[[Any], str]


def refusal_of(error: Any) -> Refusal | None:
    """Read the ``error`` option.

    Raises:
        ValueError: It is no path.
    """
    if error is None:
        return None
    find = compile_path(error, where="error")

    def refusal(document: Any) -> str:
        found = find(document)
        if not found:  # null, an empty text or list, false, or the code 0
            return ""
        return found[:200] if isinstance(found, str) else shown(found)

    return refusal
