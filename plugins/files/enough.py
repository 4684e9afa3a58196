"""When a run should end though there is more to read, so that it ends well and the next goes on."""

from typing import Any, Final

# The part of its time that a run leaves to what is under way, such as a server that is slow.
RESERVE: Final = 0.2


class Enough:
    """Says when that is.

    Args:
        ctx: The context of the run, which has just begun.
    """

    def __init__(self, ctx: Any) -> None:
        self._ctx, self._had = ctx, ctx.time_left()

    def __bool__(self) -> bool:
        """Whether the daemon is stopping, or the time of the run is nearly over."""
        if self._ctx.stopping:
            return True
        left = self._ctx.time_left()
        return left is not None and left < RESERVE * self._had
