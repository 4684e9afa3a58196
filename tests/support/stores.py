"""Deliveries to buckets of one server, as a daemon has them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingestd.clock import SystemClock
from ingestd.config.model import BatchConfig, BufferConfig, EmbeddedStore, InfluxStore, StoreConfig
from ingestd.delivery.buffer import Buffer
from ingestd.delivery.deliveries import Deliveries
from ingestd.delivery.delivery import Delivery
from ingestd.delivery.spool import contents
from ingestd.disk.database import Database
from ingestd.disk.directory import Ballast
from ingestd.model import Point, Priority, Receipt
from ingestd.sinks import influxdb
from ingestd.sinks.embedded import EmbeddedSink
from ingestd.sinks.protocol import Sink
from ingestd.tasks import Tasks
from tests.support.events import log_into
from tests.support.influx2 import Influx2
from tests.support.pipeline import BUCKET, points


@dataclass(kw_only=True)
class Stores:
    """Deliveries to buckets of one server, with what they share."""

    server: Influx2
    all: Deliveries
    buffer: Buffer
    database: Database
    pool: Executor
    clock: SystemClock
    events: list[dict[str, Any]]

    def make(
        self,
        name: str = "main",
        *,
        bucket: str = BUCKET,
        spool_bytes: int = 10**7,
        former: str | None = None,
    ) -> Delivery:
        """Make a delivery to a bucket, for a store that perhaps had another name before."""
        store = InfluxStore(
            name=name,
            url=self.server.url,
            org="campus",
            bucket=bucket,
            token="secret",
            batch=BatchConfig(linger=0.01),
            retry_max=0.05,
            former=former,
        )
        made = self.all.make(store, BufferConfig(spool_bytes=spool_bytes))
        made.sender.believed = True  # as if the store had taken readings before
        return made

    def start(self, name: str = "main", **options: Any) -> Delivery:
        """Start a delivery to a bucket."""
        delivery = self.make(name, **options)
        self.all.start(delivery)
        return delivery

    async def put(self, some: Sequence[Point]) -> Receipt:
        """Put points into the buffer."""
        return await self.buffer.put(some, priority=Priority.SOURCE_KEEPS)

    async def safe(self, some: Sequence[Point]) -> None:
        """Put points into the buffer and wait until they are safe."""
        await (await self.put(some)).wait()

    async def spooled(self, name: str = "main") -> int:
        """Return how many points are in the spool of a store, running or not."""
        return (await self.database.read(lambda db: contents(db, name))).points

    async def refused(self, *times: int) -> None:
        """Have the store refuse points, one by one, and take such points from then on."""
        self.server.refuse = lambda _line: "no such field"
        for time in times:
            await self.safe(points(time))
        self.server.refuse = lambda _line: ""


def sink_of(store: StoreConfig) -> Sink:
    """Make the sink of a store."""
    if isinstance(store, EmbeddedStore):
        return EmbeddedSink(store)
    assert isinstance(store, InfluxStore)
    return influxdb.sink(store)


@asynccontextmanager
async def stores_of(
    server: Influx2, state_dir: Path, *, ballast: Ballast | None = None
) -> AsyncIterator[Stores]:
    """Give deliveries, none of them started, and stop them in the end."""
    clock, buffer, events = SystemClock(), Buffer(capacity=100_000), list[dict[str, Any]]()
    shared: dict[str, Any] = {"buffer": buffer, "clock": clock}
    tasks = Tasks(clock=clock, log=log_into(events))
    async with await Database.open(state_dir / "state.db", ballast=ballast) as database:
        with ThreadPoolExecutor(2) as pool:
            shared |= {"database": database, "pool": pool}
            every = Deliveries(make_sink=sink_of, tasks=tasks, log=log_into(events), **shared)
            yield Stores(server=server, all=every, events=events, **shared)
            await every.stop(patience=1.0, hurry=asyncio.Event())
            await tasks.cancel()
