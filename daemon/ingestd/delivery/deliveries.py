"""The deliveries of all stores: started, replaced and ended."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any

from ingestd.clock import Clock
from ingestd.config import BufferConfig, StoreConfig
from ingestd.delivery import deadletters
from ingestd.delivery.buffer import Buffer
from ingestd.delivery.delivery import Delivery
from ingestd.delivery.former import OLDER, Adopted, FormerStores, drop
from ingestd.delivery.limits import STALLED, Limits
from ingestd.disk import Database
from ingestd.errors import NotNow, NotPossible
from ingestd.model import StoredPoint
from ingestd.sinks import Sink
from ingestd.tasks import Task, Tasks, first_of

MakeSink = Callable[[StoreConfig], Sink]


class Deliveries:
    """One delivery for each store, by the store's name."""

    def __init__(
        self,
        *,
        make_sink: MakeSink,
        buffer: Buffer,
        database: Database,
        pool: Executor,
        tasks: Tasks,
        clock: Clock,
        log: Any,
    ) -> None:
        self._make_sink, self._buffer, self._database = make_sink, buffer, database
        self._pool, self._tasks, self._clock, self._log = pool, tasks, clock, log
        self.former = FormerStores(database)
        self.by_store: dict[str, Delivery] = {}
        self._running: dict[str, Task] = {}
        self._ending: set[Task] = set()
        self._sorting = asyncio.Lock()

    def make(self, store: StoreConfig, limits: BufferConfig) -> Delivery:
        """Make a delivery, to be started."""
        batch = store.batch
        return Delivery(
            name=store.name,
            sink=self._make_sink(store),
            buffer=self._buffer,
            database=self._database,
            limits=Limits(
                points=batch.points,
                size_bytes=batch.bytes,
                linger=batch.linger,
                longest_retry=store.retry_max,
                write_ahead=store.write_ahead,
                spool_bytes=limits.spool_bytes,
                spool_age=limits.spool_age,
                stalled=store.timeout + STALLED,
            ),
            pool=self._pool,
            clock=self._clock,
            log=self._log.bind(store=store.name),
            former=self.former,
            predecessor=store.former,
        )

    def start(self, delivery: Delivery) -> None:
        """Begin to deliver to a store, in the place of the delivery it had."""
        name = delivery.name
        before, ended = self.by_store.get(name), self._running.get(name)
        predecessor = self._running.get(delivery.predecessor or "")
        self.by_store[name] = delivery
        self.former.forget(name)  # the mark that it has on disk stays until its spool is taken over
        self._lead_to_stores()

        async def deliver() -> None:
            if before is not None:
                _stop(before)
            if ended is not None:
                await asyncio.wait({ended})
                # It may have found its spool full; this one finds out for itself.
                self._buffer.resume(name)
            if predecessor is not None:  # what it had in memory is in its spool by then
                await asyncio.wait({predecessor})
            await delivery.run()

        task = self._running[name] = self._tasks.start(f"{name}.deliver", deliver)
        task.add_done_callback(partial(self._forget, name))

    def _forget(self, name: str, task: Task) -> None:
        """Let go of a delivery that has ended, unless another one has its place."""
        if self._running.get(name) is task:
            del self._running[name]

    async def wait_recovered(self, *, within: float) -> None:
        """Return when it is known what waits on disk for every store, or after a while.

        Args:
            within: How long to wait, in seconds.
        """
        waits = [asyncio.ensure_future(each.recovered.wait()) for each in self.by_store.values()]
        if waits:
            _, late = await asyncio.wait(waits, timeout=within)
            for wait in late:
                wait.cancel()

    def limit(self, limits: BufferConfig) -> None:
        """Keep to other limits from now on."""
        for delivery in self.by_store.values():
            delivery.spool.limit_bytes = limits.spool_bytes
            delivery.limits.spool_age = limits.spool_age
        self.hurry()

    def hurry(self) -> None:
        """Send what waits anywhere now: a person asks for it, or has mended something."""
        for delivery in self.by_store.values():
            delivery.hurry()

    def remove(self, name: str, *, beside: Collection[str] = ()) -> None:
        """Stop delivering to a store; what is in memory for it goes to its spool.

        Args:
            name: That of the store.
            beside: The stores that were configured together with it, and still are.
        """
        delivery = self.by_store.pop(name)
        self._lead_to_stores()
        self._buffer.resume(name)
        _stop(delivery)
        if name not in self._buffer.successors:
            self.former.removed(name, beside)
            ended = self._running.get(name)
            task = self._tasks.start(f"{name}.end", partial(self._note_end, name, ended))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def wait_ended(self, *, within: float) -> None:
        """Return when what stores that were removed have left is on disk, or after a while.

        Args:
            within: How long to wait, in seconds.
        """
        if self._ending:
            await asyncio.wait(self._ending, timeout=within)

    async def _note_end(self, name: str, ended: Task | None) -> None:
        """Note what a store that was removed has left, unless it came back."""
        if ended is not None:
            await asyncio.wait({ended})
        if name not in self.by_store:
            await self.former.ended(name)

    def _lead_to_stores(self) -> None:
        """Have the buffer give points to the stores there are now, whatever they were called."""
        stores = self.by_store
        self._buffer.lanes = {name: each.lane for name, each in stores.items()}
        self._buffer.successors = {
            each.predecessor: name
            for name, each in stores.items()
            if each.predecessor is not None and each.predecessor not in stores
        }

    async def stop(self, *, patience: float, hurry: asyncio.Event) -> None:
        """Deliver what is in memory, for a while; spool the rest."""
        for delivery in self.by_store.values():
            delivery.lane.close()
        running = set(self._running.values())
        if not running:
            return
        await first_of(asyncio.wait(running), hurry, within=patience)
        for delivery in self.by_store.values():
            delivery.cancel()
        await asyncio.wait(running, timeout=patience)

    async def read(
        self, series: str, *, start_us: int, end_us: int, tags: Mapping[str, str]
    ) -> list[StoredPoint]:
        """Read points back from the first store."""
        first = next(iter(self.by_store.values()))
        return await first.sink.read(series, start_us=start_us, end_us=end_us, tags=dict(tags))

    async def move(self, name: str, store: str, *, overwrite: bool = False) -> Adopted:
        """Give a store what waits for one that is not configured any more.

        Args:
            name: That of the one that has gone.
            store: That of the one that takes it.
            overwrite: Whether it takes also what may be older than what is stored.

        Raises:
            NotPossible: The first is configured, or its kind is another.
            NotNow: The second is not configured.
            StateError: The database failed.
        """
        self._check_former(name)
        if name.endswith(OLDER) and not overwrite:
            raise NotPossible(
                f"{name}: may be older than what is stored, expected to be told to overwrite that"
            )
        async with self._sorting:
            if store not in self.by_store:
                known = ", ".join(self.by_store) or "none"
                raise NotNow(f"{store}: expected a configured store, known: {known}")
            delivery = self.by_store[store]
            await delivery.recovered.wait()
            found = await delivery.adopt(name, overwrite=overwrite)
        self.former.forget(name)
        return found

    async def drop(self, name: str) -> int:
        """Delete what waits for a store that is not configured any more; return its points.

        Raises:
            NotPossible: It is configured.
            StateError: The database failed.
        """
        self._check_former(name)
        async with self._sorting:
            points = await self._database.write(lambda db: drop(db, name), on_full="use_ballast")
        self.former.forget(name)
        return points

    def _check_former(self, name: str) -> None:
        if name in self.by_store:
            raise NotPossible(f"{name}: expected a former store, got one that is configured")

    async def retry(self, store: str, ids: Sequence[int] | None = None) -> int:
        """Put dead letters into the spool of their store to be sent again; return how many.

        This is the one place that decides it, for a daemon and for a command that is one for
        a moment. A letter that the store's kind cannot be sent stays.

        Args:
            store: The store.
            ids: The letters' numbers; by default all that are there now.

        Raises:
            NotNow: There is no such store any more.
            StateError: The database failed, or the disk is full.
        """
        points = 0
        async with self._sorting:  # a second retry finds them gone
            async for letters in deadletters.pages(self._database, store, ids):
                if store not in self.by_store:
                    raise NotNow(f"{store}: expected a configured store, got a former one")
                delivery = self.by_store[store]
                await delivery.recovered.wait()
                points += await delivery.retry(letters)
        return points

    async def purge(self, store: str, ids: Sequence[int] | None = None) -> int:
        """Forget dead letters of a store, all of them by default; return how many.

        Raises:
            StateError: The database failed.
        """
        points = 0
        async with self._sorting:
            async for letters in deadletters.pages(self._database, store, ids):
                points += await self._purge(store, [each.id for each in letters])
        return points

    async def _purge(self, store: str, ids: Sequence[int]) -> int:
        delivery = self.by_store.get(store)
        if delivery is None:  # of a store that is no longer configured
            return await self._database.write(
                lambda db: deadletters.delete(db, ids), on_full="use_ballast"
            )
        await delivery.recovered.wait()
        return await delivery.purge(ids)

    @property
    def behind(self) -> str:
        """Why backfills should wait, or an empty string: some store has enough to do."""
        return next(filter(None, (each.behind for each in self.by_store.values())), "")

    @property
    def stuck(self) -> Sequence[str]:
        """The stores whose delivery has work and does not move."""
        return [name for name, each in self.by_store.items() if each.stuck]


def _stop(delivery: Delivery) -> None:
    delivery.cancel()
    delivery.lane.close()
