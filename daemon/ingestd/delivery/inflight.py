"""The order in which batches come to their end: that in which they left the lane."""

import asyncio
from collections.abc import Sequence

from ingestd.model import Batch, Point


class InFlight:
    """A batch on its way; it comes to its end after the one ahead of it.

    Args:
        batch: The points.
        ahead: The one ahead, or None.
    """

    def __init__(self, batch: Batch, ahead: "InFlight | None") -> None:
        self.batch = batch
        self._ahead = ahead
        self._over = asyncio.Event()

    @property
    def points_ahead(self) -> Sequence[Point]:
        """The points that are still under way ahead of these."""
        return self._ahead.batch.points if self._ahead is not None else ()

    async def its_turn(self) -> None:
        """Return when the one ahead has come to its end."""
        if self._ahead is not None:
            await self._ahead._over.wait()  # noqa: SLF001 -- of the same class

    def end(self) -> None:
        """Let the one behind come to its end, and forget the one ahead."""
        self._over.set()
        self._ahead = None
