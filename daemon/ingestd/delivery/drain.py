"""Sends what waits in the spool, the oldest first, once its store is up again.

This is also what probes a store that is down: a batch that finds it down is spooled, so
there is something here to try it with.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from ingestd.clock import Clock, wait_at_most
from ingestd.delivery.account import Account, Origin
from ingestd.delivery.age import CheckedTime
from ingestd.delivery.burials import Burials
from ingestd.delivery.limits import Limits
from ingestd.delivery.outage import Outage
from ingestd.delivery.sender import Remainder, Sender
from ingestd.delivery.spool import Spool, Spooled
from ingestd.delivery.spoolspace import SpoolSpace
from ingestd.errors import BodyRejected, BodyTooLarge, StateError, StoreError, UnreadableBody
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
        self._time = CheckedTime(self.clock, agreeing=self.limits.clocks_agreeing)
        self.suspects = self.sender.suspects

    def look(self) -> None:
        """Notice whether there is something to do."""
        if self.spool.holds.bodies or self.sender.cancelled.is_set():
            self._backlog.set()
        else:
            self._backlog.clear()

    async def run(self) -> None:
        """Drain until the sender gives up."""
        while True:
            await self._backlog.wait()
            if self.sender.cancelled.is_set():
                return
            try:
                await self._drain_or_wait()
                self.audit()
            except Exception as error:  # noqa: BLE001
                # Border: the disk may fail, and so may we; the live side must not stop for that.
                log = self.log.error if isinstance(error, StateError) else self.log.exception
                log("the spool cannot be drained for now", error=str(error))
                await wait_at_most(self.sender.cancelled, self.limits.disk_retry, clock=self.clock)

    async def _drain_or_wait(self) -> None:
        await self._expire()
        if not self.outage.probe():
            wait = min(max(self.outage.retry_in, 0.01), LOOK_AT_OUTAGE)
            await wait_at_most(self.sender.cancelled, wait, clock=self.clock)
            return
        try:
            idle = not await self._drain_some()
            if self.outage.up:
                await self._try_suspects()
        finally:
            self.spool.check_in()
            self.outage.give_back()
        self.look()
        if idle and self.suspects:  # all that waits is suspect, or behind what is
            wait = min(max(self.suspects.due_in, 0.01), LOOK_AT_OUTAGE)
            await wait_at_most(self.sender.cancelled, wait, clock=self.clock)

    async def _expire(self) -> None:
        now = self._time.now()
        if self.limits.spool_age is None or now is None:
            return
        points = await self.spool.expire(now - self.limits.spool_age)
        if points:
            self.account.drop_from_disk(points)
            self.log.error("spooled points grew too old and were dropped", points=points)

    async def _drain_some(self) -> bool:
        """Send what waits for longest; return whether there was any."""
        spooled, lost = await self.spool.oldest(
            self.limits.points * self.limits.read_ahead, past=self.suspects.ids
        )
        self._lost(lost, "damaged on disk")
        spooled = await self._before_a_correction(spooled)
        sent: list[Spooled] = []
        async with asyncio.TaskGroup() as group:
            removing: asyncio.Task[None] | None = None
            for together in grouped(spooled, self.limits.points):
                if not await self._drained(together, removing):
                    break
                sent += together
                if removing is None or removing.done():
                    removing = group.create_task(
                        self._take_out_all(sent), name=f"ingestd[{self.spool.store}].take-out"
                    )
                if self.sender.cancelled.is_set():
                    break
        return bool(spooled)

    async def _before_a_correction(self, spooled: list[Spooled]) -> list[Spooled]:
        """Return the bodies ahead of the first one that corrects a suspect point."""
        for at, each in enumerate(spooled):
            if self.suspects.may_be_corrected_by(each.body):
                with suppress(UnreadableBody):  # that is found out when it is sent
                    if self.suspects.include(await self.sender.keys(each.body)):
                        return spooled[:at]
        return spooled

    async def _drained(
        self, together: Sequence[Spooled], removing: asyncio.Task[None] | None
    ) -> bool:
        """Send some bodies as one; return whether nothing of them is left."""
        try:
            body = await self.sender.joined([each.body for each in together])
            outcome = await self.sender.send(body, Origin.SPOOL)
        except UnreadableBody:
            if removing is not None:
                await removing
            await self._drain_singly(together)
            return False
        if outcome.left is None and outcome.suspects is None:
            return True
        if removing is not None:
            await removing
        await self._keep(together, body, outcome)
        return False

    async def _drain_singly(self, together: Sequence[Spooled]) -> None:
        """Send bodies one by one, setting aside those that are not of this kind of store."""
        for each in together:
            try:
                outcome = await self.sender.send(each.body, Origin.SPOOL)
            except UnreadableBody as error:
                why = f"not of this kind of store: {error}"
                aside = partial(self.spool.set_aside, [each], why)
                self._lost(await self.space.persist(aside), "spooled for another kind of store")
                continue
            await self._keep([each], each.body, outcome)
            if outcome.left is not None:
                return

    async def _keep(self, together: Sequence[Spooled], body: Body, outcome: Remainder) -> None:
        """Put what is left of some bodies in their place, and let others go past suspects."""
        left = outcome.left or outcome.suspects
        if left is not body:
            await self._take_out(together, body.points, left)
        if outcome.suspects is not None:
            await self._park(together[0].id, outcome.suspects)
            self.log.warning(
                "the store fails over some points and takes others; these are tried again",
                points=outcome.suspects.points,
            )

    async def _park(self, place: int, body: Body) -> None:
        keys = await self.sender.keys(body)
        self.suspects.park(place, body, keys, taken=self.sender.taken)

    async def _try_suspects(self) -> None:
        """Send suspect points again whose time has come, one by one."""
        due = self.suspects.due()
        if not due:
            return
        found = {each.id: each for each in await self.spool.pick(due)}
        for place in due:
            if place not in found:
                self.suspects.forget(place)
            elif self.outage.up and not self.sender.cancelled.is_set():
                await self._try(found[place])

    async def _try(self, spooled: Spooled) -> None:
        """Send the suspect points of one body again; bury them if they failed often enough."""
        place = spooled.id
        others = self.suspects.others_were_taken(place, self.sender.taken)
        if not (others or await self.sender.takes_any()):
            self.suspects.postpone(place)  # there is nothing to tell the two apart by
            return
        burials = Burials()
        try:
            still = await self._still_failing(spooled, burials)
        finally:
            burials.tell(self.log)
        if still is None:
            self.suspects.clear()
            return
        failing, why = still
        if len(failing) < spooled.body.points:  # it takes after all what it has failed over
            self.suspects.clear()
            await self._leave(spooled, failing)
        elif self.suspects.strike(place, self.sender.taken):
            await self.sender.bury([(each, why) for each in failing], Origin.SPOOL)
            await self._leave(spooled, [])

    async def _still_failing(
        self, spooled: Spooled, burials: Burials
    ) -> tuple[list[bytes], str] | None:
        """Return the points that the store still fails over, and why; None if it is down."""
        failing: list[bytes] = []
        why = ""
        singles = await self.sender.singles(spooled.body)
        for at, single in enumerate(singles):
            try:
                error = await self.sender.offer(single)
            except (BodyRejected, BodyTooLarge) as refusal:
                [payload] = await self.sender.payloads(single)
                await self.sender.bury([(payload, str(refusal))], Origin.SPOOL, burials)
                continue
            except StoreError as other:
                await self.sender.failed(other)
                rest = [p for one in singles[at:] for p in await self.sender.payloads(one)]
                await self._leave(spooled, [*failing, *rest])
                return None
            if error is None:
                self.account.to_store(1, Origin.SPOOL)
            else:
                why = f"the store fails over it, and takes others: {error}"
                failing += await self.sender.payloads(single)
        return failing, why

    async def _leave(self, spooled: Spooled, payloads: Sequence[bytes]) -> None:
        """Let only some points of a suspect body stay in the spool."""
        if len(payloads) == spooled.body.points:
            return
        left = await self.sender.body_of(spooled.body, payloads) if payloads else None
        await self._take_out([spooled], spooled.body.points, left)
        if left is None:
            self.suspects.forget(spooled.id)
        else:
            await self._park(spooled.id, left)

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
