"""What happens when a spool has reached its limit, or the disk fails.

Collectors that keep a position in their source wait, since the source keeps
the data; of the others the oldest spooled points are dropped. On a full disk the
new ones take their place in one transaction, because the room that a delete makes
there belongs to the ballast first. What has to reach the disk for the daemon to go
on is tried until it does.

Theory of operation. Collectors wait for as long as there is a *want*, and each want
knows what ends it:

* ``LIMIT``, the spool is at its limit: it has shrunk, or the limit was raised;
* ``SPOOLING``, the disk did not take a body: it takes one, or a small write of our own,
  or the store is up, so that nothing has to be spooled;
* ``PERSISTING``, the disk did not take what the daemon cannot go on without: it does.

They are looked at when any of this may have happened, and by the clock.

A database that fails for another reason says nothing about room: nothing is dropped for
it, and what may be dropped waits as everything else does.
"""

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import Any, Final, TypeVar

from ingestd.clock import Clock, wait_at_most
from ingestd.delivery.account import Account
from ingestd.delivery.buffer import Buffer
from ingestd.delivery.limits import Limits
from ingestd.delivery.outage import Outage
from ingestd.delivery.spool import Spool
from ingestd.errors import DiskFull, StateError
from ingestd.model import Body
from ingestd.tasks import first_of

T = TypeVar("T")

FULL: Final = "spool full: collectors with a cursor wait, the others lose their oldest readings"
FAILING: Final = "spool fails: collectors wait until the state database can be written"


class Want(Enum):
    """What collectors wait for."""

    LIMIT = "limit"
    SPOOLING = "spooling"
    PERSISTING = "persisting"


class SpoolAttempt(Enum):
    """How an attempt to spool a body ended."""

    SPOOLED = auto()
    FULL = auto()
    FAILED = auto()


class SpoolSpace:
    """The room that one store's spool has left.

    Attributes:
        failure: Why nothing can be written although there may be room, or an empty string.
    """

    def __init__(
        self,
        *,
        buffer: Buffer,
        spool: Spool,
        outage: Outage,
        account: Account,
        limits: Limits,
        clock: Clock,
        log: Any,
    ) -> None:
        self._buffer, self._spool, self._outage = buffer, spool, outage
        self._account, self._limits = account, limits
        self._clock, self._log = clock, log
        self.failure = ""
        self._wants: set[Want] = set()
        self._told: set[str] = set()
        self._persisting = 0  # that have failed and are tried again
        self._has_want, self._nudge = asyncio.Event(), asyncio.Event()

    @property
    def exhausted(self) -> bool:
        """Whether collectors wait for it."""
        return bool(self._wants)

    @property
    def full(self) -> bool:
        """Whether collectors wait for room, on the disk or below the spool's limit."""
        return Want.LIMIT in self._wants or (self.exhausted and not self.failure)

    async def run(self, until: asyncio.Event) -> None:
        """Look by the clock whether collectors may go on, until an event comes."""
        while not until.is_set():
            if not self.exhausted:
                await self._has_want.wait()
            if until.is_set():
                return
            await first_of(self.pause(), until)
            if until.is_set():
                return
            await self._look_at_disk()
            self.look_again()

    def try_now(self) -> None:
        """Cut every pause short: something has changed, or a person wants to know."""
        self._nudge.set()
        self._nudge.clear()
        self.look_again()

    async def pause(self) -> None:
        """Wait before the disk is tried again, until something changes or for a while."""
        await wait_at_most(self._nudge, self._limits.disk_retry, clock=self._clock)

    def wake(self) -> None:
        """Let ``run`` notice that its event has come."""
        self.try_now()
        self._has_want.set()

    async def spool(self, body: Body, *, droppable: bool) -> SpoolAttempt:
        """Spool a body if there is room, making some if it is droppable."""
        try:
            return await self._spooled(body, droppable=droppable)
        except StateError as error:
            self._ran_out(Want.SPOOLING, error)
            return SpoolAttempt.FULL if isinstance(error, DiskFull) else SpoolAttempt.FAILED

    async def _spooled(self, body: Body, *, droppable: bool) -> SpoolAttempt:
        size = len(body.data)
        if droppable and not self._spool.has_room(size):
            await self._drop_oldest(size)
            if not self._spool.has_room(size):
                self._ran_out(Want.LIMIT, self._at_its_limit)
                return SpoolAttempt.FULL
        try:
            await self._spool.append(body, droppable=droppable)
        except DiskFull as error:
            if not droppable:
                raise
            self._ran_out(Want.SPOOLING, error)
            # It takes the place of older ones, and the disk is as full as it was.
            self._account.drop_from_disk(await self._spool.append_over_oldest(body))
            return SpoolAttempt.SPOOLED
        self._end(Want.SPOOLING)
        if not self._spool.has_room(1):
            self._ran_out(Want.LIMIT, self._at_its_limit)
        self.look_again()
        return SpoolAttempt.SPOOLED

    def drop(self, body: Body) -> None:
        """Give up a body in flight that may be dropped, since there is no room for it anywhere."""
        self._account.drop_in_flight(body.points)

    async def persist(self, action: Callable[[], Awaitable[T]]) -> T:
        """Do what needs the disk, however long it takes to have it."""
        failed = False
        try:
            while True:
                try:
                    return await action()
                except StateError as error:
                    self._persisting += not failed
                    failed = True
                    self._ran_out(Want.PERSISTING, error)
                    self._account.progress()
                await self.pause()
        finally:
            self._persisting -= failed
            if failed and not self._persisting:
                self._end(Want.PERSISTING)

    def look_again(self) -> None:
        """Let collectors go on if what they wait for has come."""
        if self._spool.holds.size_bytes <= self._limits.resume_below * self._spool.limit_bytes:
            self._end(Want.LIMIT)
        if self._outage.up:
            self._end(Want.SPOOLING)

    async def _look_at_disk(self) -> None:
        """See whether the disk takes a small write again, if that is what is waited for."""
        if Want.SPOOLING not in self._wants:
            return
        try:
            await self._spool.try_disk()
        except StateError:
            return  # that it fails has been told
        self._end(Want.SPOOLING)

    async def _drop_oldest(self, size_bytes: int) -> None:
        points = await self._spool.drop_oldest(size_bytes)
        if points:
            self._ran_out(Want.LIMIT, self._at_its_limit)
            self._account.drop_from_disk(points)

    @property
    def _at_its_limit(self) -> str:
        return f"the spool has reached {self._spool.limit_bytes} bytes"

    def _ran_out(self, want: Want, why: str | StateError) -> None:
        self._wants.add(want)
        self._has_want.set()
        failing = isinstance(why, StateError) and not isinstance(why, DiskFull)
        self.failure = str(why) if failing else ""
        self._buffer.pause(self._spool.store, "cannot be written" if failing else "is full")
        event = FAILING if failing else FULL
        if event not in self._told:
            self._told.add(event)
            self._log.error(event, reason=str(why), points=self._spool.holds.points)

    def _end(self, want: Want) -> None:
        if want not in self._wants:
            return
        self._wants.discard(want)
        if self._wants <= {Want.LIMIT}:  # the disk took what was to be written
            self.failure = ""
        if not self._wants:
            self._told.clear()
            self._has_want.clear()
            self._buffer.resume(self._spool.store)
            self._log.info("spool has room again", dropped=self._account.dropped)
