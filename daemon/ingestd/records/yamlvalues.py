"""State values to YAML text and back, without ever making an object of another kind.

Tuples carry the tag that PyYAML gives them, so that ``yaml.UnsafeLoader`` and an
operator's eyes know it too.
"""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import yaml

from ingestd.contract import check_keepable
from ingestd.errors import StateError

if TYPE_CHECKING:
    from yaml import SafeDumper, SafeLoader
else:
    # libyaml's are ten times faster; a PyYAML built without it has only the others.
    SafeDumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

TUPLE_TAG: Final = "tag:yaml.org,2002:python/tuple"


class _Dumper(SafeDumper):
    """Writes tuples too, and spells out what occurs twice instead of linking it."""

    def ignore_aliases(self, data: Any) -> bool:
        """Say that nothing is to be written as a reference."""
        del data
        return True


class _Loader(SafeLoader):
    """Reads what a SafeLoader does, and tuples."""


def _represent_tuple(dumper: _Dumper, value: tuple[Any, ...]) -> yaml.Node:
    return dumper.represent_sequence(TUPLE_TAG, value)


def _represent_datetime(dumper: _Dumper, value: datetime) -> yaml.Node:
    # YAML's timestamps know no offsets with seconds in them, as some zones
    # had before 1900: the same instant in UTC will do.
    if (value.utcoffset() or timedelta()) % timedelta(minutes=1):
        value = value.astimezone(UTC)
    return dumper.represent_scalar("tag:yaml.org,2002:timestamp", value.isoformat(sep=" "))


def _construct_tuple(loader: _Loader, node: yaml.SequenceNode) -> tuple[Any, ...]:
    return tuple(loader.construct_sequence(node))


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
    check_keepable(value, where=where)
    text: str = yaml.dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=False)
    return text


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
