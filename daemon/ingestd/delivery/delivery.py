"""The stage between a lane and its store: every point ends up somewhere durable.

Theory of operation. There is one ``Delivery`` for each store. It takes batches
from the lane, at most two at a time; beside it a ``Drain`` takes bodies from the
spool, one at a time. Both give them to the same ``Sender``. What becomes of a batch
is told in ``Delivery._make_safe``, and what becomes of a body in ``Sender.send``:

* the store takes the body: its points are *stored*;
* the store is unavailable: the points are *spooled*, and from then on batches go
  straight to the spool until a probe of the drain gets through;
* the store refuses the body: it is halved until the culprits stand alone, and
  those are *dead letters*; a store that names them is believed.

A receipt hears of a batch when all of its points are in one of these three.

Order. Three rules keep an old value from overwriting a new one:

* Fresh batches overtake the backlog, but only with points that lie beyond the spool's
  horizon: an older point may correct one that waits there, so it queues behind it.
* A batch that repeats a point of the one ahead waits for that one, and batches come to
  their end in the order in which they left the lane.
* A body that was stored while something was spooled that it may correct, such as a
  dead letter that is tried again, is spooled as well, behind that.
"""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from ingestd.clock import Clock, wait_at_most
from ingestd.delivery.account import Account, Auditor, Balance, Origin
from ingestd.delivery.buffer import Buffer
from ingestd.delivery.deadletters import DeadLetter, DeadLetters, delete, sendable
from ingestd.delivery.drain import Drain
from ingestd.delivery.former import Adopted, FormerStores, adopt, first_body, needs_adoption
from ingestd.delivery.inflight import InFlight
from ingestd.delivery.lane import Lane
from ingestd.delivery.limits import Limits
from ingestd.delivery.outage import Outage
from ingestd.delivery.preparing import PreparedBatch, prepare
from ingestd.delivery.sender import Sender
from ingestd.delivery.spool import Spool, contents
from ingestd.delivery.spoolspace import SpoolAttempt, SpoolSpace
from ingestd.disk import Database
from ingestd.errors import NotPossible, UnreadableBody
from ingestd.health import StoreFacts
from ingestd.model import EARLIEST_US, MICROSECONDS, Body
from ingestd.sinks import Sink

# A batch looks at the points of the one ahead alone, so there may be no third one.
IN_FLIGHT: Final = 2


@dataclass(kw_only=True)
class Delivery:
    """Carries the points of one store to safety.

    Attributes:
        name: The store's name.
        database: Where the spool and the dead letters are.
        pool: Where bodies are encoded and compressed.
        account: Where the points are.
        former: The stores that have gone, or None where there can be none.
        predecessor: The name that the store had before, or None.
        recovered: Set once it knows what a former one left on disk.
    """

    name: str
    sink: Sink
    buffer: Buffer
    database: Database
    limits: Limits
    pool: Executor
    clock: Clock
    log: Any
    former: FormerStores | None = None
    predecessor: str | None = None

    def __post_init__(self) -> None:
        limits, clock, log = self.limits, self.clock, self.log
        self.recovered = asyncio.Event()
        self.account = Account(clock=clock)
        self.auditor = Auditor(log)
        self.lane = Lane(
            points=limits.points,
            size_bytes=limits.size_bytes,
            linger=limits.linger,
            clock=clock,
        )
        self.spool = Spool(self.database, self.name, limit_bytes=limits.spool_bytes, clock=clock)
        self.dead = DeadLetters(self.database, self.name, clock=clock)
        self.outage = Outage(
            first=limits.first_retry, longest=limits.longest_retry, clock=clock, log=log
        )
        shared = {"account": self.account, "limits": limits, "log": log}
        shared |= {"clock": clock, "outage": self.outage}
        self.space = SpoolSpace(buffer=self.buffer, spool=self.spool, **shared)
        shared["space"] = self.space
        self.sender = Sender(
            sink=self.sink, dead=self.dead, pool=self.pool, others=self._others, **shared
        )
        self.drain = Drain(sender=self.sender, spool=self.spool, audit=self.audit, **shared)

    async def run(self) -> None:
        """Deliver until the lane is closed and empty."""
        await self.recover()
        self.drain.look()
        async with asyncio.TaskGroup() as group:
            group.create_task(self.drain.run(), name=f"ingestd[{self.name}].drain")
            space = self.space.run(self.sender.cancelled)
            group.create_task(space, name=f"ingestd[{self.name}].space")
            await self._live()
            self.cancel()
        await self.sink.close()

    async def recover(self) -> None:
        """Learn what a former delivery left on disk, also under the name that the store had."""
        await self._adopt_predecessor()
        await self.spool.open()
        await self.dead.open()
        if not self.recovered.is_set():
            self.account.inherited = self.spool.holds.points + self.dead.count
            self.recovered.set()

    async def adopt(self, name: str, *, overwrite: bool) -> Adopted:
        """Take over what waits for a store that has gone.

        Args:
            name: That of the other store.
            overwrite: Whether to take also what may be older than what is stored.

        Raises:
            NotPossible: It was made for another kind of store.
            StateError: The database failed.
        """
        await self._check_readable(name)
        waiting = await self.database.read(lambda db: contents(db, name))
        with self.spool.expecting(waiting.horizon_us):
            found = await self.database.write(
                lambda db: adopt(db, self.name, [name], overwrite=overwrite)
            )
            self.spool.joined(found.spooled)
        self.dead.removed(-found.dead)
        self.account.inherited += found.spooled.points + found.dead
        self.drain.look()
        return found

    async def _adopt_predecessor(self) -> None:
        """Take over what the former name of the store has left, and its own if it comes back."""
        if not await self.database.read(lambda db: needs_adoption(db, self.name, self.predecessor)):
            return
        names = [self.name]
        if self.predecessor is not None:
            try:
                await self._check_readable(self.predecessor)
            except NotPossible as error:
                self.log.error("what waits for the former store stays", reason=str(error))
            else:
                names.append(self.predecessor)
        found = await self.space.persist(
            lambda: self.database.write(
                lambda db: adopt(db, self.name, names), on_full="use_ballast"
            )
        )
        if self.former is not None:
            for name in names:
                self.former.forget(name)
        if found.spooled.bodies or found.dead:
            self.log.info(
                "took over what waited for the former store",
                former=self.predecessor,
                points=found.spooled.points,
                dead=found.dead,
            )
        if found.kept_back:
            self.log.warning(
                "what may be older than what is stored was kept back; see ingestd spool",
                points=found.kept_back,
            )

    async def _check_readable(self, name: str) -> None:
        """Refuse bodies that were made for another kind of store.

        Raises:
            NotPossible: They were.
        """
        body = await self.database.read(lambda db: first_body(db, name))
        if body is None:
            return
        try:
            await asyncio.get_running_loop().run_in_executor(self.pool, self.sink.split, body)
        except UnreadableBody as error:
            text = f"{name}: expected what {self.name} can be sent, got that of another kind"
            raise NotPossible(f"{text}: {error}") from error

    def cancel(self) -> None:
        """Stop sending: what is in memory goes to the spool, and what is there stays."""
        self.sender.cancel()
        self.drain.look()
        self.space.wake()

    def hurry(self) -> None:
        """Send what is in memory and on disk now, without waiting for anything."""
        self.lane.hurry()
        self.outage.try_now()
        self.space.try_now()
        self.drain.look()

    async def _others(self) -> Sequence[Body]:
        return await self.spool.sample(past=self.sender.suspects.ids)

    @property
    def stuck(self) -> bool:
        """Whether the delivery has something under way that does not move."""
        patience = self.limits.stalled
        if not self.account.in_flight and self.lane.oldest_age <= patience:
            return False
        return self.clock.monotonic() - self.account.moved_at > patience

    def facts(self) -> StoreFacts:
        """Return what is known of how the store is."""
        return StoreFacts(
            name=self.name,
            down_for=self.outage.down_for,
            error=self.outage.message,
            full=self.space.full,
            spool_error=self.space.failure,
            dead=self.dead.count,
        )

    @property
    def behind(self) -> str:
        """Why the store has enough to do without points of the past, or an empty string."""
        if not self.outage.up:
            return f"store {self.name} is {self.outage.health.value}"
        oldest_at = self.spool.holds.oldest_at
        if self.spooled <= self.sender.suspects.points or oldest_at is None:
            return ""
        # With write_ahead everything passes through the spool, so only what stays there counts.
        if self.limits.write_ahead and self.clock.now() - oldest_at < self.limits.passing:
            return ""
        return f"store {self.name} has a backlog in its spool"

    @property
    def in_memory(self) -> int:
        """How many points are in memory on their way to this store."""
        return self.lane.points + self.account.in_flight

    @property
    def spooled(self) -> int:
        """How many points wait on disk."""
        return self.spool.holds.points - self.account.drained

    @property
    def balance(self) -> Balance:
        """Both sides of the accounting identity."""
        return Balance(
            accepted=self.lane.accepted,
            inherited=self.account.inherited,
            stored=self.account.stored,
            spooled=self.spooled,
            dead=self.dead.count,
            dropped=self.account.dropped,
            in_memory=self.in_memory,
        )

    def audit(self) -> None:
        """Log an error if the points do not add up."""
        self.auditor.look(self.balance)

    async def retry(self, letters: Sequence[DeadLetter]) -> int:
        """Put dead letters into the spool to be sent again; return how many.

        A letter that this kind of store cannot be sent stays where it is: the store's type
        was changed, or no body can hold the point.
        """
        work = partial(sendable, self.sink, letters)
        good, data = await asyncio.get_running_loop().run_in_executor(self.pool, work)
        if len(good) < len(letters):
            self.log.warning(
                "dead letters stay, since this kind of store cannot be sent them",
                points=len(letters) - len(good),
            )
        if not good:
            return 0
        ids = [each.id for each in good]
        # Every point that comes from now on may correct them, so it has to queue behind them.
        now_us = int(self.clock.now() * MICROSECONDS)
        body = Body(data, len(good), EARLIEST_US, now_us)
        with self.spool.expecting(now_us):
            await self.spool.append(body, droppable=False, also=lambda db: delete(db, ids))
        self.dead.removed(len(good))
        self.drain.look()
        return len(good)

    async def purge(self, ids: Sequence[int]) -> int:
        """Forget dead letters; return how many there were."""
        removed = await self.dead.remove(ids)
        self.account.drop_from_disk(removed)
        return removed

    async def _live(self) -> None:
        slots = asyncio.Semaphore(IN_FLIGHT)
        ahead: InFlight | None = None
        async with asyncio.TaskGroup() as group:
            while True:
                await slots.acquire()
                batch = await self.lane.next_batch()
                if batch is None:
                    return
                self.account.to_flight(len(batch))
                flight = InFlight(batch, ahead)
                name = f"ingestd[{self.name}].deliver"
                task = group.create_task(self._deliver(flight), name=name)
                task.add_done_callback(lambda _: slots.release())
                ahead = flight

    async def _deliver(self, flight: InFlight) -> None:
        raw_bytes = 0
        try:
            raw_bytes = await self._make_safe(flight)
        except Exception:  # border: a bug of ours; no cursor passes these points
            self.log.exception("a batch could not be delivered", points=len(flight.batch))
        else:
            flight.batch.settle()
        finally:
            flight.end()
            self.lane.done(flight.batch, raw_bytes=raw_bytes)
            self.audit()

    async def _make_safe(self, flight: InFlight) -> int:
        """Bring every point of a batch somewhere durable; return the size before compression.

        What this kind of store cannot have is a dead letter. What may correct a point in
        the spool goes behind it. The rest is sent, if the store is up: some of it is stored,
        some are dead letters, and what the store does not take now goes to the spool.
        """
        droppable = flight.batch.droppable
        prepared = await self._prepared(flight)
        await self._note_times(prepared)
        if prepared.corrects:
            await flight.its_turn()
        await self.sender.bury(prepared.refused, Origin.FLIGHT)
        sent = [(body, await self._sent(body)) for body in prepared.fresh]
        await flight.its_turn()
        for body, left in sent:
            if left is not None:
                await self._spool(left, droppable=droppable)
            elif self._may_correct(body):  # what it may correct was spooled meanwhile
                self.account.back_to_flight(body.points)
                await self._spool(body, droppable=droppable)
        for body in prepared.behind:
            await self._spool(body, droppable=droppable)
        return prepared.raw_bytes

    async def _note_times(self, prepared: PreparedBatch) -> None:
        """Note, before it is sent, what may correct points in the spool of a former store."""
        bodies = [*prepared.fresh, *prepared.behind]
        if bodies and (former := self.former) is not None:
            first_us = min(each.first_us for each in bodies)
            await self.space.persist(lambda: former.note(self.name, first_us))

    async def _prepared(self, flight: InFlight) -> PreparedBatch:
        work = partial(
            prepare,
            self.sink,
            flight.batch.points,
            size_bytes=self.limits.size_bytes,
            # With write_ahead nothing overtakes, and everything goes to the spool in its turn.
            horizon_us=None if self.limits.write_ahead else self.spool.horizon_us,
            ahead=flight.points_ahead,
        )
        return await asyncio.get_running_loop().run_in_executor(self.pool, work)

    async def _sent(self, body: Body) -> Body | None:
        """Send a fresh body if its store is up; return what is left of it."""
        if not self.outage.up or self.limits.write_ahead or self.sender.cancelled.is_set():
            return body
        return (await self.sender.send(body, Origin.FLIGHT)).left

    def _may_correct(self, body: Body) -> bool:
        """Say whether a body may correct a point that waits in the spool."""
        return not self.spool.is_beyond_horizon(body.first_us)

    async def _spool(self, body: Body, *, droppable: bool) -> None:
        """Spool a body; while there is no room for it, try the store and the disk in turns."""
        left: Body | None = body
        while left is not None:
            self.account.progress()
            attempt = await self.space.spool(left, droppable=droppable)
            if attempt is SpoolAttempt.SPOOLED:
                self.account.to_spool(left.points)
                self.drain.look()
                return
            if self._may_be_sent(left) and self.outage.probe():
                left = (await self.sender.send(left, Origin.FLIGHT)).left
            elif droppable and attempt is SpoolAttempt.FULL:
                self.space.drop(left)
                return
            elif self.outage.up:
                await self.space.pause()
            else:
                await wait_at_most(self.outage.is_up, self.limits.disk_retry, clock=self.clock)

    def _may_be_sent(self, body: Body) -> bool:
        """Say whether a body for which there is no room may go to the store in its stead.

        What may correct a point in the spool must not get ahead of it, even now.
        """
        return not (self._may_correct(body) or self.sender.cancelled.is_set())
