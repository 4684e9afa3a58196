"""A plugin's own time: it passes only while the plugin is at work, not while it is waited for."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class OwnTime:
    """How much time a run has, and how much is left of it.

    Args:
        limit: In seconds; None: as much as it takes.
    """

    def __init__(self, limit: float | None) -> None:
        self._left, self._since = limit, 0.0
        self._passes = False

    def left(self) -> float | None:
        """Return how many seconds are left, or None if there is no limit."""
        if self._left is None:
            return None
        passed = asyncio.get_running_loop().time() - self._since if self._passes else 0.0
        return self._left - passed

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Let the time pass until the block ends."""
        self._since, self._passes = asyncio.get_running_loop().time(), True
        try:
            yield
        finally:
            self._left, self._passes = self.left(), False
