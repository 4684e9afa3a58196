"""What the shipped plugins share to look at all of their params before the first run.

    def check(**params):
        given = Given(run, params)
        given.read(lambda each: duration(each.pause, "pause"))
        return given.problems

The functions that read params for a run are called, so that both say the same; but one after
the other, so that a check tells everything at once.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

from ingestd.plugins._params import duration
from ingestd.plugins._problems import problems_of

# What an annotation takes, and what it is called; texts may be written as numbers.
_KINDS: Final[Mapping[Any, tuple[tuple[type, ...], str]]] = {
    str: ((str, int, float), "a text"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    bool: ((bool,), "true or false"),
    Sequence: ((list, tuple), "a list"),
    Mapping: ((dict,), "a mapping"),
}


class _NotReadable(Exception):
    """A param is missing, or is of the wrong kind."""


class _Values:
    """Params by name, with the defaults of ``run``; those that cannot be read raise."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __getattr__(self, name: str) -> Any:
        if name not in self._values:
            raise _NotReadable
        return self._values[name]


class Given:
    """Params as an operator wrote them.

    Args:
        run: What they are for; its annotations say of which kind each is.
        params: What was written.

    Attributes:
        problems: What is wrong, as texts that begin with the name of a param.
    """

    def __init__(self, run: Callable[..., Any], params: Mapping[str, Any]) -> None:
        self.problems: list[str] = []
        declared = inspect.signature(run).parameters.values()
        defaults = {each.name: each.default for each in declared if each.default is not each.empty}
        hints = get_type_hints(run)
        values = {**defaults, **params}
        for name in params:
            expected = _expected(values[name], hints.get(name, Any))
            if expected:
                # Not the value itself: it may be a secret.
                self.problems.append(f"{name}: expected {expected}, got {_kind(values[name])}")
                del values[name]
        self._values = _Values(values)

    def read(self, read: Callable[[Any], object]) -> None:
        """Note what a reader of some params finds wrong with them.

        Args:
            read: Is given all params as attributes, and raises ValueError.
        """
        try:
            read(self._values)
        except _NotReadable:
            return
        except ValueError as error:
            # Several readers may need one param.
            self.problems += [each for each in problems_of(error) if each not in self.problems]
        except (TypeError, AttributeError, LookupError, RecursionError) as error:
            # The run would fail as well, in the same place.
            self.problems.append(f"{type(error).__name__}: {error}")

    def readable(self, name: str) -> bool:
        """Say whether a param has a value, and of the right kind."""
        return name in self._values

    def durations(self, *names: str) -> None:
        """Note which of some params are no durations; what may be left out may be missing."""
        for name in names:
            self.read(partial(_duration, name))


def _duration(name: str, values: Any) -> None:
    value = getattr(values, name)
    if value is not None:
        duration(value, name)


def _expected(value: Any, hint: Any) -> str:
    """Return what was expected in the place of a value, or nothing if it fits."""
    options = (
        get_args(hint)
        if isinstance(hint, types.UnionType) or get_origin(hint) is Union
        else (hint,)
    )
    if Any in options or (value is None and type(None) in options):
        return ""
    wanted = [get_origin(each) or each for each in options if each is not type(None)]
    kinds = [_KINDS[each] for each in wanted if each in _KINDS]
    if len(kinds) < len(wanted):
        return ""
    if any(_fits(value, accepted) for accepted, _ in kinds):
        return ""
    return " or ".join(name for _, name in kinds)


def _fits(value: Any, accepted: tuple[type, ...]) -> bool:
    return isinstance(value, accepted) and (type(value) is not bool or bool in accepted)


def _kind(value: Any) -> str:
    for accepted, name in (*_KINDS.values(), ((type(None),), "nothing")):
        if type(value) in accepted:
            return name if not isinstance(value, int | float) or type(value) is bool else "a number"
    return f"a {type(value).__name__}"
