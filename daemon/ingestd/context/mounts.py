"""What plugins answer below the daemon's own address: which plugin has which prefix.

A plugin brings its own way to know who may send, so what it answers is outside
the API's. A prefix that was given back stays known: a request there while its
collector is being replaced is answered with "come again", not with "not found".
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from aiohttp import web

from ingestd.errors import PluginError
from ingestd.plugins._mounting import prefix_problem

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


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
        if problem := prefix_problem(prefix):
            raise PluginError(f"mount: {problem}")
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
