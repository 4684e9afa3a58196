"""The deliveries of all stores: started, replaced and ended."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, Final

from ingestd.buffer import Buffer, Lane
from ingestd.clock import Clock
from ingestd.config import BufferConfig, StoreConfig
from ingestd.database import Database
from ingestd.deadletters import DeadLetters
from ingestd.delivery import Delivery, Limits
from ingestd.model import StoredPoint
from ingestd.outage import Outage
from ingestd.sinks.protocol import Sink
from ingestd.spool import Spool
from ingestd.tasks import Task, Tasks

STALLED: Final = 120.0  # seconds without any progress

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
        self.by_store: dict[str, Delivery] = {}
        self._running: dict[str, Task] = {}

    def start(self, store: StoreConfig, limits: BufferConfig) -> None:
        """Begin to deliver to a store, in the place of the delivery it had."""
        before, ended = self.by_store.get(store.name), self._running.get(store.name)
        delivery = self._make(store, limits)
        self.by_store[store.name] = delivery
        self._buffer.lanes = {name: each.lane for name, each in self.by_store.items()}

        async def deliver() -> None:
            if before is not None and ended is not None:
                _let_go(before)
                await asyncio.wait({ended})
            await delivery.run()

        self._running[store.name] = self._tasks.start(f"{store.name}.deliver", deliver)

    def remove(self, name: str) -> None:
        """Stop delivering to a store; what is in memory for it goes to its spool."""
        delivery = self.by_store.pop(name)
        self._buffer.lanes = {name: each.lane for name, each in self.by_store.items()}
        self._buffer.resume(name)
        self._running.pop(name)
        _let_go(delivery)

    async def finish(self, *, patience: float, hurry: asyncio.Event) -> None:
        """Deliver what is in memory, for a while; spool the rest."""
        for delivery in self.by_store.values():
            delivery.lane.close()
        running = set(self._running.values())
        if not running:
            return
        hurried = asyncio.ensure_future(hurry.wait())
        everything = asyncio.ensure_future(asyncio.wait(running))
        await asyncio.wait(
            {hurried, everything}, timeout=patience, return_when=asyncio.FIRST_COMPLETED
        )
        hurried.cancel()
        for delivery in self.by_store.values():
            delivery.give_up()
        await asyncio.wait({everything}, timeout=patience)
        everything.cancel()

    async def read(
        self, series: str, *, start_us: int, end_us: int, tags: Mapping[str, str]
    ) -> list[StoredPoint]:
        """Read points back from the first store."""
        first = next(iter(self.by_store.values()))
        return await first.sink.read(series, start_us=start_us, end_us=end_us, tags=dict(tags))

    @property
    def stuck(self) -> Sequence[str]:
        """The stores whose delivery has work and does not move."""
        return [name for name, each in self.by_store.items() if each.stuck]

    def _make(self, store: StoreConfig, limits: BufferConfig) -> Delivery:
        clock, batch = self._clock, store.batch
        log = self._log.bind(store=store.name)
        return Delivery(
            name=store.name,
            sink=self._make_sink(store),
            buffer=self._buffer,
            lane=Lane(
                points=batch.points, size_bytes=batch.bytes, linger=batch.linger, clock=clock
            ),
            spool=Spool(self._database, store.name, limit_bytes=limits.spool_bytes, clock=clock),
            dead=DeadLetters(self._database, store.name, clock=clock),
            outage=Outage(longest=store.retry_max, clock=clock, log=log),
            limits=Limits(
                points=batch.points,
                size_bytes=batch.bytes,
                write_ahead=store.write_ahead,
                spool_age=limits.spool_age,
                stalled=store.timeout + STALLED,
            ),
            pool=self._pool,
            clock=clock,
            log=log,
        )


def _let_go(delivery: Delivery) -> None:
    delivery.give_up()
    delivery.lane.close()
