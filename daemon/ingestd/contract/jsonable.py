"""What may be given as ``result``: what JSON can hold, of a bounded size. Pure."""

import json
import math
from collections.abc import Iterator
from typing import Any, Final

from ingestd.errors import ResultError

LARGEST_DOCUMENT: Final = 2**20  # bytes
_SCALARS: Final = (type(None), bool, int, str)


def json_text(value: Any, *, where: str) -> str:
    """Return a value made of builtins as JSON.

    Args:
        value: Without references to itself.
        where: What to call it in an error, such as ``result``.

    Raises:
        ResultError: JSON cannot hold it, or it is too large; the message has its path.
    """
    for problem in _problems(value, where):
        raise ResultError(problem)
    try:
        text = json.dumps(value, allow_nan=False)
    except ValueError as error:  # an integer of thousands of digits, for one
        raise ResultError(f"{where}: cannot be kept: {error}") from None
    if len(text) > LARGEST_DOCUMENT:
        most = f"at most {LARGEST_DOCUMENT:,} bytes of JSON"
        raise ResultError(f"{where}: cannot be kept: expected {most}, got {len(text):,}")
    return text


def _problems(value: Any, where: str) -> Iterator[str]:
    """Yield what JSON cannot hold, with its path."""
    if isinstance(value, dict):
        for key, each in value.items():
            if not isinstance(key, str):
                yield f"{where}: cannot be kept: expected text as a key, got {key!r:.40}"
            yield from _problems(each, f"{where}.{key}")
    elif isinstance(value, (list, tuple)):
        for index, each in enumerate(value):
            yield from _problems(each, f"{where}[{index}]")
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield f"{where}: cannot be kept: expected a finite number or None, got {value}"
    elif type(value) not in _SCALARS:
        expected = "expected text, numbers, lists or dicts, as JSON has them"
        yield f"{where}: cannot be kept: {expected}, got {type(value).__name__}"
