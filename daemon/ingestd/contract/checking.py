"""What a plugin may offer beside ``run``: a look at its params before the first run.

``check(**params)`` is an ordinary function of the plugin's own module, and takes
any name. It gets the params as a run would, without what the plugin remembers and
without ``ctx``; asks no server; and raises ValueError, or returns or yields problems
as texts, each of them ``param: what was expected, what was got``. A path such as
``devices[0].port`` leads to the line that it is about. A text that begins with ``note: `` is no
problem, but what ``ingestd check`` tells besides.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

NAME: Final = "check"
NOTE: Final = "note: "
MOST_PROBLEMS: Final = 100  # of one collector
LONGEST_PROBLEM: Final = 2000  # characters

Check = Callable[..., object]


def check_of(module: object) -> Check | None:
    """Return the check that a plugin's module offers, or None.

    Another function of the name, with params of its own or from elsewhere, is none.
    """
    found = getattr(module, NAME, None)
    if not inspect.isfunction(found) or found.__module__ != getattr(module, "__name__", None):
        return None
    if inspect.iscoroutinefunction(found) or inspect.isasyncgenfunction(found):
        return None
    kinds = {each.kind for each in inspect.signature(found).parameters.values()}
    return found if kinds == {inspect.Parameter.VAR_KEYWORD} else None


def problems_of(check: Check, params: Mapping[str, Any]) -> list[str]:
    """Return what a check says is wrong; a check that fails itself has found something, too."""
    try:
        told = check(**params)
        found = [told] if isinstance(told, str) else told if isinstance(told, Iterable) else ()
        return [_text(each) for each in itertools.islice(found, MOST_PROBLEMS)]
    except ValueError as error:
        return [_text(error)]
    except Exception as error:  # noqa: BLE001 -- the border to foreign code
        return [f"check failed: {type(error).__name__}: {_text(error)}"]


def _text(problem: object) -> str:
    return str(problem)[:LONGEST_PROBLEM]
