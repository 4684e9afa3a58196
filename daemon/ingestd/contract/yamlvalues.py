"""State values to YAML text and back, without ever making an object of another kind.

What may be kept: None, bools, ints, floats, strings, bytes, dates, datetimes,
and dicts, lists, tuples and sets of those. Tuples carry the tag that PyYAML
gives them, so that ``yaml.UnsafeLoader`` and an operator's eyes know it too.
"""

from collections.abc import Hashable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import yaml

from ingestd.errors import ResultError, StateError

if TYPE_CHECKING:
    from yaml import SafeDumper, SafeLoader
else:
    # libyaml's are ten times faster; a PyYAML built without it has only the others.
    SafeDumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

TUPLE_TAG: Final = "tag:yaml.org,2002:python/tuple"
DEEPEST: Final = 60  # levels; the parser and the loader both recurse
SCALARS: Final = (type(None), bool, int, float, str, bytes, date, datetime)


class _Dumper(SafeDumper):
    """Writes tuples too, and spells out what occurs twice instead of linking it."""

    def ignore_aliases(self, data: Any) -> bool:
        """Say that nothing is to be written as a reference."""
        del data
        return True


class _Loader(SafeLoader):
    """Reads tuples too."""


def _represent_tuple(dumper: _Dumper, value: tuple[Any, ...]) -> yaml.Node:
    return dumper.represent_sequence(TUPLE_TAG, value)


def _represent_datetime(dumper: _Dumper, value: datetime) -> yaml.Node:
    # YAML's timestamps know no offsets with seconds in them, as some zones
    # had before 1900: the same instant in UTC will do.
    if (value.utcoffset() or timedelta()) % timedelta(minutes=1):
        value = value.astimezone(UTC)
    return dumper.represent_scalar("tag:yaml.org,2002:timestamp", value.isoformat(sep=" "))


def _construct_tuple(loader: _Loader, node: yaml.SequenceNode) -> tuple[Any, ...]:
    return tuple(loader.construct_sequence(node, deep=True))


_Dumper.add_representer(tuple, _represent_tuple)
_Dumper.add_representer(datetime, _represent_datetime)
_Loader.add_constructor(TUPLE_TAG, _construct_tuple)


def dumps(value: Any, *, where: str) -> str:
    """Return the value as YAML text.

    Args:
        value: What a plugin returned, made of builtins.
        where: What to call it in an error, such as ``state``.

    Raises:
        ResultError: Something in it cannot be kept; the message has its path.
    """
    check(value, where=where)
    text: str = yaml.dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=False)
    return text


def check(value: Any, *, where: str) -> None:
    """Refuse what ``dumps`` could not write.

    Raises:
        ResultError: Something in it cannot be kept; the message has its path.
    """
    for problem in _problems(value, where, ()):
        raise ResultError(problem)


def loads(text: str, *, where: str) -> Any:
    """Return the value that ``dumps`` was given.

    Raises:
        StateError: The text is damaged. The message quotes nothing from it,
            since it may be secret.
    """
    try:
        # _Loader is a SafeLoader with tuples.
        return yaml.load(text, Loader=_Loader)  # noqa: S506
    except yaml.MarkedYAMLError as exc:
        line = f" in line {exc.problem_mark.line + 1}" if exc.problem_mark else ""
        raise StateError(f"{where}: expected YAML, got damaged text{line}") from None
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, RecursionError) as exc:
        problem = f"{where}: expected YAML, got damaged text ({type(exc).__name__})"
        raise StateError(problem) from None


def _problems(value: Any, where: str, outer: tuple[int, ...]) -> Iterator[str]:
    """Yield what stands in the way of keeping a value, with its path."""
    kind = type(value)
    if kind in SCALARS:
        yield from _scalar_problems(value, where)
    elif kind not in (dict, list, tuple, set):
        yield f"{where}: cannot be kept: expected plain YAML values, got {kind.__name__}"
    elif id(value) in outer:
        yield f"{where}: cannot be kept: it contains itself"
    elif len(outer) >= DEEPEST:
        yield f"{where}: cannot be kept: expected at most {DEEPEST} levels of containers, got more"
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
