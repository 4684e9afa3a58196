"""Sends what waits in the spool, the oldest first, once its store is up again.

This is also what probes a store that is down: a batch that finds it down is spooled, so
there is something here to try it with.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from ingestd.clock import Clock, wait_at_most
from ingestd.delivery.account import Account, Origin
from ingestd.delivery.limits import Limits
from ingestd.delivery.outage import Outage
from ingestd.delivery.sender import Sender
from ingestd.delivery.spool import Spool, Spooled
from ingestd.delivery.spoolspace import SpoolSpace
from ingestd.errors import StateError, UnreadableBody
from ingestd.model import Body

# A batch that finds no room in the spool may find the store up before the backoff is over.
LOOK_AT_OUTAGE: Final = 1.0  # seconds


@dataclass(kw_only=True)
class Drain:
    """The way from the spool to the store: one request at a time.

    The next body leaves while those before it are being deleted.

    Attributes:
        audit: Called after each turn, when the numbers should add up.
    """

    sender: Sender
    spool: Spool
    outage: Outage
    space: SpoolSpace
    account: Account
    limits: Limits
    audit: Callable[[], None]
    clock: Clock
    log: Any

    def __post_init__(self) -> None:
        self._backlog = asyncio.Event()

    def look(self) -> None:
        """Notice whether there is something to do."""
        if self.spool.holds.bodies or self.sender.giving_up.is_set():
            self._backlog.set()
        else:
            self._backlog.clear()

    async def run(self) -> None:
        """Drain until the sender gives up."""
        while True:
            await self._backlog.wait()
            if self.sender.giving_up.is_set():
                return
            try:
                await self._drain_or_wait()
                self.audit()
            except Exception as error:  # noqa: BLE001
                # Border: the disk may fail, and so may we; the live side must not stop for that.
                log = self.log.error if isinstance(error, StateError) else self.log.exception
                log("the spool cannot be drained for now", error=str(error))
                await wait_at_most(self.sender.giving_up, self.limits.disk_retry, clock=self.clock)

    async def _drain_or_wait(self) -> None:
        await self._expire()
        if not self.outage.probe():
            wait = min(max(self.outage.retry_in, 0.01), LOOK_AT_OUTAGE)
            await wait_at_most(self.sender.giving_up, wait, clock=self.clock)
            return
        try:
            await self._drain_some()
        finally:
            self.spool.check_in()
            self.outage.give_back()
        self.look()

    async def _expire(self) -> None:
        if self.limits.spool_age is None:
            return
        points = await self.spool.expire(self.clock.now() - self.limits.spool_age)
        if points:
            self.account.drop_from_disk(points)
            self.log.error("spooled points grew too old and were dropped", points=points)

    async def _drain_some(self) -> None:
        spooled, lost = await self.spool.oldest(self.limits.points * self.limits.read_ahead)
        self._lost(lost, "damaged on disk")
        sent: list[Spooled] = []
        async with asyncio.TaskGroup() as group:
            removing: asyncio.Task[None] | None = None
            for together in grouped(spooled, self.limits.points):
                if not await self._drained(together, removing):
                    return
                sent += together
                if removing is None or removing.done():
                    removing = group.create_task(
                        self._take_out_all(sent), name=f"ingestd[{self.spool.store}].take-out"
                    )
                if self.sender.giving_up.is_set():
                    return

    async def _drained(
        self, together: Sequence[Spooled], removing: asyncio.Task[None] | None
    ) -> bool:
        """Send some bodies as one; return whether nothing of them is left."""
        try:
            body = await self.sender.joined([each.body for each in together])
            left = await self.sender.send(body, Origin.SPOOL)
        except UnreadableBody:
            if removing is not None:
                await removing
            await self._drain_singly(together)
            return False
        if left is not None and left is not body:
            if removing is not None:
                await removing
            await self._take_out(together, body.points, left)
        return left is None

    async def _drain_singly(self, together: Sequence[Spooled]) -> None:
        """Send bodies one by one, setting aside those that are not of this kind of store."""
        for each in together:
            try:
                left = await self.sender.send(each.body, Origin.SPOOL)
            except UnreadableBody as error:
                why = f"not of this kind of store: {error}"
                aside = partial(self.spool.set_aside, [each], why)
                self._lost(await self.space.persist(aside), "spooled for another kind of store")
                continue
            if left is not each.body:
                await self._take_out([each], each.body.points, left)
            if left is not None:
                return

    async def _take_out_all(self, sent: list[Spooled]) -> None:
        """Take what was sent out of the spool, and what is sent meanwhile at one go."""
        while sent:
            some = sent[:]
            sent.clear()
            await self._take_out(some, sum(each.body.points for each in some), None)

    async def _take_out(self, spooled: Sequence[Spooled], points: int, left: Body | None) -> None:
        await self.space.persist(lambda: self.spool.replace(spooled, left))
        self.account.out_of_spool(points - (left.points if left else 0))
        self.space.look_again()

    def _lost(self, points: int, why: str) -> None:
        if points:
            self.account.drop_from_disk(points)
            self.log.error("spooled points were set aside", points=points, reason=why)


def grouped(spooled: Sequence[Spooled], points: int) -> Iterator[list[Spooled]]:
    """Put small bodies together until they hold about so many points."""
    group: list[Spooled] = []
    held = 0
    for each in spooled:
        if group and held + each.body.points > points:
            yield group
            group, held = [], 0
        group.append(each)
        held += each.body.points
    if group:
        yield group
