"""What happens when a spool has reached its limit, or the disk is full.

Collectors that keep a position in their source wait, since the source keeps
the data; of the others the oldest spooled points are dropped. What has to reach
the disk for the daemon to go on is tried until it does.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from ingestd.buffer import Buffer
from ingestd.clock import Clock
from ingestd.errors import DiskFull
from ingestd.model import Body
from ingestd.spool import Spool
from ingestd.tally import Tally

FULL_RETRY: Final = 5.0  # seconds
RESUME_BELOW: Final = 0.9  # of the spool's limit


class Headroom:
    """The room that one store's spool has left.

    Attributes:
        exhausted: Whether collectors wait for it.
    """

    def __init__(
        self, *, buffer: Buffer, spool: Spool, tally: Tally, clock: Clock, log: Any
    ) -> None:
        self._buffer, self._spool, self._tally = buffer, spool, tally
        self._clock, self._log = clock, log
        self.exhausted = False

    async def spool(self, body: Body, *, droppable: bool) -> bool:
        """Spool a body, or drop it if it may be; return whether either is done."""
        size = len(body.data)
        if droppable and not self._spool.has_room(size):
            await self._drop_oldest(size)
            if not self._spool.has_room(size):
                return self._drop(body.points)
        try:
            await self._spool.append(body, droppable=droppable)
        except DiskFull as error:
            self._ran_out(str(error))
            return droppable and not await self._drop_oldest(size) and self._drop(body.points)
        if not self._spool.has_room(1):
            self._ran_out(f"the spool has reached {self._spool.limit_bytes} bytes")
        self.look_again()  # the disk may have been full, and is not any more
        return True

    async def persist(self, action: Callable[[], Awaitable[None]]) -> None:
        """Do what needs a little room on disk, however long it takes to have some."""
        while True:
            try:
                return await action()
            except DiskFull as error:
                self._ran_out(str(error))
                self._tally.moved(self._clock)
                await self._clock.sleep(FULL_RETRY)

    def look_again(self) -> None:
        """Let collectors go on if there is room again."""
        room = self._spool.holds.size_bytes <= RESUME_BELOW * self._spool.limit_bytes
        if self.exhausted and room:
            self.exhausted = False
            self._buffer.resume(self._spool.store)
            self._log.info("spool has room again", dropped=self._tally.dropped)

    def _ran_out(self, why: str) -> None:
        if self.exhausted:
            return
        self.exhausted = True
        self._buffer.pause(self._spool.store)
        self._log.error(
            "spool full: collectors with a cursor wait, the others lose their oldest readings",
            reason=why,
            points=self._spool.holds.points,
        )

    async def _drop_oldest(self, size_bytes: int) -> int:
        points = await self._spool.drop_oldest(size_bytes)
        self._tally.dropped += points
        return points

    def _drop(self, points: int) -> bool:
        self._tally.dropped += points
        return True
