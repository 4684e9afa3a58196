"""What plugins answer below the daemon's own address: which plugin has which prefix.

A plugin brings its own way to know who may send, so what it answers is outside
the API's. A prefix that was given back stays known: a request there while its
collector is being replaced is answered with "come again", not with "not found".
"""

import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

from aiohttp import web

from ingestd.errors import PluginError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PREFIX: Final = re.compile(r"(/[A-Za-z0-9._~-]+)+")
# What the daemon answers itself, now or in a later version.
OURS: Final = frozenset(
    {"api", "metrics", "livez", "readyz", "healthz", "openapi.json", "static", "ui"}
)


class Mounts:
    """The prefixes that plugins answer.

    Attributes:
        address: Where the API is, as ``http://host:port`` or ``unix:/path``; empty while
            there is none.
    """

    def __init__(self) -> None:
        self.address = ""
        self._handlers: dict[str, Handler | None] = {}

    @contextmanager
    def mounted(self, prefix: str, handler: Handler) -> Iterator[str]:
        """Hand every request below a prefix to a handler until the context ends.

        The context gives the address of the API.

        Raises:
            PluginError: There is no API, or the prefix is no such or taken.
        """
        self._check(prefix)
        self._handlers[prefix] = handler
        try:
            yield self.address
        finally:
            self._handlers[prefix] = None

    def find(self, path: str) -> tuple[bool, Handler | None]:
        """Say whether a path is below a prefix, and who answers it at the moment."""
        for prefix, handler in self._handlers.items():
            if path == prefix or path.startswith(f"{prefix}/"):
                return True, handler
        return False, None

    def _check(self, prefix: str) -> None:
        if not self.address:
            raise PluginError(f"mount {prefix!r}: expected a daemon.listen to mount on, got 'off'")
        if not isinstance(prefix, str) or not PREFIX.fullmatch(prefix):
            raise PluginError(f"mount: expected a path such as /push, got {prefix!r}")
        if is_ours(prefix):
            raise PluginError(f"mount {prefix!r}: expected a path that the daemon does not answer")
        for other, handler in list(self._handlers.items()):
            if not f"{prefix}/".startswith(f"{other}/") and not f"{other}/".startswith(
                f"{prefix}/"
            ):
                continue
            if handler is not None:
                raise PluginError(
                    f"mount {prefix!r}: expected a path of its own, got one that {other!r} covers"
                )
            del self._handlers[other]


def is_ours(path: str) -> bool:
    """Say whether a path is one that the daemon answers itself, or might."""
    first = path.split("/")[1:2]
    return first in ([], [""]) or first[0] in OURS
