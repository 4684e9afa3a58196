"""What happens when a spool has reached its limit, or the disk fails.

Collectors that keep a position in their source wait, since the source keeps
the data; of the others the oldest spooled points are dropped. On a full disk the
new ones take their place in one transaction, because the room that a delete makes
there belongs to the ballast first. What has to reach the disk for the daemon to go
on is tried until it does.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from ingestd.clock import Clock
from ingestd.delivery.account import Account
from ingestd.delivery.buffer import Buffer
from ingestd.delivery.limits import Limits
from ingestd.delivery.spool import Spool
from ingestd.errors import DiskFull, StateError
from ingestd.model import Body

T = TypeVar("T")


class SpoolSpace:
    """The room that one store's spool has left.

    Attributes:
        exhausted: Whether collectors wait for it.
    """

    def __init__(
        self,
        *,
        buffer: Buffer,
        spool: Spool,
        account: Account,
        limits: Limits,
        clock: Clock,
        log: Any,
    ) -> None:
        self._buffer, self._spool, self._account = buffer, spool, account
        self._limits, self._clock, self._log = limits, clock, log
        self.exhausted = False

    async def spool(self, body: Body, *, droppable: bool) -> bool:
        """Spool a body if there is room, making some if it is droppable; return whether it is."""
        size = len(body.data)
        if droppable and not self._spool.has_room(size):
            await self._drop_oldest(size)
            if not self._spool.has_room(size):
                self._ran_out(self._at_its_limit)
                return False
        try:
            await self._spool.append(body, droppable=droppable)
        except StateError as error:
            self._ran_out(str(error))
            full = isinstance(error, DiskFull)
            return full and droppable and await self._append_over_oldest(body)
        if not self._spool.has_room(1):
            self._ran_out(self._at_its_limit)
        self.look_again()  # the disk may have been full, and is not any more
        return True

    def drop(self, body: Body) -> None:
        """Give up a body in flight that may be dropped, since there is no room for it anywhere."""
        self._ran_out(self._at_its_limit)
        self._account.drop_in_flight(body.points)

    async def persist(self, action: Callable[[], Awaitable[T]]) -> T:
        """Do what needs the disk, however long it takes to have it."""
        while True:
            try:
                return await action()
            except StateError as error:
                self._ran_out(str(error))
                self._account.progress()
                await self._clock.sleep(self._limits.disk_retry)

    def look_again(self) -> None:
        """Let collectors go on if there is room again."""
        room = self._spool.holds.size_bytes <= self._limits.resume_below * self._spool.limit_bytes
        if self.exhausted and room:
            self.exhausted = False
            self._buffer.resume(self._spool.store)
            self._log.info("spool has room again", dropped=self._account.dropped)

    async def _append_over_oldest(self, body: Body) -> bool:
        """Spool a droppable body on a full disk, at the cost of older ones, if that can be."""
        try:
            points = await self._spool.append_over_oldest(body)
        except StateError:  # that the disk has no room has been told
            return False
        self._account.drop_from_disk(points)
        return True

    async def _drop_oldest(self, size_bytes: int) -> None:
        try:
            points = await self._spool.drop_oldest(size_bytes)
        except StateError as error:
            self._ran_out(str(error))
            return
        if points:
            self._ran_out(self._at_its_limit)
            self._account.drop_from_disk(points)

    @property
    def _at_its_limit(self) -> str:
        return f"the spool has reached {self._spool.limit_bytes} bytes"

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
