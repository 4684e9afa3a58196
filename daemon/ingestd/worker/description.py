"""What an imported ``run`` is: which of three kinds, and what it declares."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from ingestd.errors import PluginLoadError
from ingestd.worker.source import Source


class Kind(Enum):
    """The three kinds of ``run``."""

    FUNCTION = "function"
    COROUTINE = "coroutine"
    GENERATOR = "async generator"


@dataclass(frozen=True)
class Parameters:
    """What ``run`` declares.

    Attributes:
        names: Everything that can be passed by name.
        required: Those without a default.
        accepts_any: Whether there is a ``**kwargs`` for all others.
    """

    names: tuple[str, ...]
    required: tuple[str, ...]
    accepts_any: bool


@dataclass(frozen=True)
class Description:
    """What a plugin says about itself."""

    kind: Kind
    parameters: Parameters
    doc: str


def describe(run: Callable[..., Any], doc: str, source: Source) -> Description:
    """Say what an imported ``run`` is.

    Raises:
        PluginLoadError: It is something that cannot be a ``run``.
    """
    target: Any = inspect.unwrap(run)
    while isinstance(target, functools.partial):
        target = inspect.unwrap(target.func)
    if not inspect.isroutine(target):
        target = type(target).__call__
    if inspect.isgeneratorfunction(target):
        raise PluginLoadError(plain_generator(source.path))
    kind = Kind.FUNCTION
    if inspect.isasyncgenfunction(target):
        kind = Kind.GENERATOR
    elif inspect.iscoroutinefunction(target):
        kind = Kind.COROUTINE
    return Description(kind, _parameters(run, source.path), doc)


def plain_generator(where: object) -> str:
    """Say why a generator that is not asynchronous cannot be a ``run``."""
    return (
        f"{where}: run must be a function that returns a dict, or `async def` in order to yield, "
        "got a plain generator"
    )


def _parameters(run: Callable[..., Any], path: Path) -> Parameters:
    try:
        declared = inspect.signature(run).parameters.values()
    except (TypeError, ValueError):  # written in C: Python cannot tell
        return Parameters((), (), accepts_any=True)
    unnamed = [each.name for each in declared if each.kind is each.POSITIONAL_ONLY]
    if unnamed:
        raise PluginLoadError(positional_only(path, unnamed[0]))
    named = [
        each for each in declared if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
    ]
    return Parameters(
        tuple(each.name for each in named),
        tuple(each.name for each in named if each.default is each.empty),
        accepts_any=any(each.kind is each.VAR_KEYWORD for each in declared),
    )


def positional_only(where: object, name: str) -> str:
    """Say why a parameter cannot be passed."""
    return f"{where}: run must take its parameters by name, got the positional-only {name!r}"
