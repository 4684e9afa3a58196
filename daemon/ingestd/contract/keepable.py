"""What may be kept in a state: plain values that YAML text can hold, nested not too deeply.

That is None, bools, ints, floats, strings, bytes, dates, datetimes, and dicts,
lists, tuples and sets of those.
"""

from collections.abc import Hashable, Iterator
from datetime import date, datetime
from typing import Any, Final

from ingestd.errors import ResultError

DEEPEST_STATE: Final = 60  # levels; the parser and the loader both recurse
SCALARS: Final = (type(None), bool, int, float, str, bytes, date, datetime)


def check_keepable(value: Any, *, where: str) -> None:
    """Refuse a value that cannot be kept.

    Args:
        value: What a plugin returned, made of builtins.
        where: What to call it in an error, such as ``state``.

    Raises:
        ResultError: Something in it cannot be kept; the message has its path.
    """
    for problem in _problems(value, where, ()):
        raise ResultError(problem)


def _problems(value: Any, where: str, outer: tuple[int, ...]) -> Iterator[str]:
    """Yield what stands in the way of keeping a value, with its path."""
    kind = type(value)
    if kind in SCALARS:
        yield from _scalar_problems(value, where)
    elif kind not in (dict, list, tuple, set):
        yield f"{where}: cannot be kept: expected plain YAML values, got {kind.__name__}"
    elif id(value) in outer:
        yield f"{where}: cannot be kept: it contains itself"
    elif len(outer) >= DEEPEST_STATE:
        most = f"at most {DEEPEST_STATE} levels of containers"
        yield f"{where}: cannot be kept: expected {most}, got more"
    else:
        for path, part in _parts(value, where):
            yield from _problems(part, path, (*outer, id(value)))


def _scalar_problems(value: Any, where: str) -> Iterator[str]:
    try:
        if isinstance(value, str):
            value.encode()
        elif isinstance(value, int):
            str(value)
    except UnicodeEncodeError:
        yield f"{where}: cannot be kept: expected text, got a lone surrogate in it"
    except ValueError:
        size = f"an int of {value.bit_length()} bits"
        yield f"{where}: cannot be kept: expected fewer digits, got {size}"


def _parts(value: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Yield the path and value of everything directly inside a container."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield f"{where} key", key
            yield _path_of(where, key), item
    else:
        for index, item in enumerate(value):
            yield f"{where}[{index}]", item


def _path_of(where: str, key: Hashable) -> str:
    return f"{where}.{key}" if isinstance(key, str) else f"{where}[{key!r:.40}]"
