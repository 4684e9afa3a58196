"""What a plugin may offer beside ``run``: to be allowed by a person, once, what it then does alone.

``authorize(*, ctx, tell, **params)`` is a coroutine function of the plugin's own module. It gets
the params as a run would, without what the plugin remembers; tells the person with ``tell(text)``
where to go and what to do there; waits until that is done; and returns what is to be hidden from
then on, which its runs get.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Final

AUTHORIZE: Final = "authorize"

Authorize = Callable[..., Awaitable[Any]]


def authorize_of(module: object) -> Authorize | None:
    """Return the function by which a plugin's module is authorized, or None."""
    found = getattr(module, AUTHORIZE, None)
    if not inspect.iscoroutinefunction(found):
        return None
    if found.__module__ != getattr(module, "__name__", None):
        return None
    return found if {"ctx", "tell"} <= set(inspect.signature(found).parameters) else None
