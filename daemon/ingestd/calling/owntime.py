"""A plugin's own time: it passes only while the plugin is at work, not while it is waited for."""

import asyncio
from typing import Final

STANDS: Final = -1.0  # in the place of an instant


class OwnTime:
    """How much time a run has, and how much is left of it; a context in which that passes.

    Args:
        limit: In seconds; None: as much as it takes.
    """

    __slots__ = ("_left", "_since")

    def __init__(self, limit: float | None) -> None:
        self._left, self._since = limit, STANDS

    def left(self) -> float | None:
        """Return how many seconds are left, or None if there is no limit."""
        if self._left is None or self._since == STANDS:
            return self._left
        return self._left - (asyncio.get_running_loop().time() - self._since)

    def __enter__(self) -> None:
        """Let the time pass."""
        self._since = asyncio.get_running_loop().time()

    def __exit__(self, *_: object) -> None:
        """Let it stand still."""
        self._left, self._since = self.left(), STANDS
