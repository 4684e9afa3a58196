"""The stages from the buffer to a store, on real files and a real socket."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingestd.clock import SystemClock
from ingestd.config.model import InfluxStore
from ingestd.delivery.buffer import Buffer
from ingestd.delivery.delivery import Delivery
from ingestd.delivery.limits import Limits
from ingestd.delivery.outage import Outage
from ingestd.disk.database import Database
from ingestd.disk.directory import StateDirectory
from ingestd.model import Point, Priority, Receipt, Series
from ingestd.sinks import influxdb
from ingestd.sinks.protocol import Sink
from tests.support.deadline import WITHIN
from tests.support.events import log_into
from tests.support.influx2 import Influx2

BUCKET = "energy"
LEVEL = Series("level")
UNBALANCED = "bug: the points of a store do not add up"


def points(*times: int, series: Series = LEVEL, value: float = 1.0) -> list[Point]:
    """Make points at times in seconds since the Unix epoch."""
    return [(series, time * 1_000_000, value) for time in times]


def noise(start: int, count: int) -> list[Point]:
    """Make points that cannot be compressed much."""
    return [(LEVEL, (start + at) * 1_000_000, random.random()) for at in range(count)]


@dataclass
class Pipeline:
    """A buffer and its deliveries."""

    buffer: Buffer
    deliveries: dict[str, Delivery]
    database: Database
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def only(self) -> Delivery:
        """The delivery of the one store there is."""
        (delivery,) = self.deliveries.values()
        return delivery

    async def put(self, some: Sequence[Point], *, droppable: bool = False) -> Receipt:
        """Put points into the buffer."""
        priority = Priority.DROPPABLE if droppable else Priority.SOURCE_KEEPS
        return await self.buffer.put(some, priority=priority)

    async def safe(self, some: Sequence[Point], *, droppable: bool = False) -> None:
        """Put points into the buffer and wait until they are safe."""
        receipt = await self.put(some, droppable=droppable)
        await receipt.wait()

    def balanced(self) -> bool:
        """Say whether every point is accounted for."""
        return all(not each.balance.off_by for each in self.deliveries.values())

    def logged(self, event: str) -> list[dict[str, Any]]:
        """Return what was logged under a phrase."""
        return [each for each in self.events if each["event"] == event]


def end_backoff(outage: Outage) -> None:
    """Let a store that is down be probed now, as if its backoff were over."""
    outage.try_now()


async def until(condition: Callable[[], bool], *, within: float = WITHIN) -> None:
    """Return once a condition holds; the stages under test decide when."""
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 -- conditions on what is on disk have no event
            await asyncio.sleep(0.002)


def held(server: Influx2) -> dict[tuple[str, int], float]:
    """Return what the server holds: (series, seconds) -> value."""
    return {(name, us // 1_000_000): v for (name, us), v in server.values(BUCKET).items()}


def influx(url: str, *, bucket: str = BUCKET, timeout: float = 5.0, gzip: bool = True) -> Sink:
    """Return a sink for the fake InfluxDB 2."""
    return influxdb.sink(
        InfluxStore(
            name="main",
            url=url,
            org="campus",
            bucket=bucket,
            token="secret",
            timeout=timeout,
            gzip=gzip,
        )
    )


@asynccontextmanager
async def running(
    state_dir: Path,
    sinks: dict[str, Sink],
    *,
    capacity: int = 100_000,
    batch: int = 5000,
    size_bytes: int = 1_000_000,
    linger: float = 0.01,
    spool_bytes: int = 10_000_000,
    spool_age: float | None = None,
    write_ahead: bool = False,
    ballast_bytes: int = 1 << 20,
    believed: bool = True,
    agreeing: float = 0.0,
    suspect_pause: float = 0.02,
    disk_retry: float = 5.0,
) -> AsyncIterator[Pipeline]:
    """Run deliveries for some sinks; what they leave behind stays in the directory.

    Unless ``believed`` is false, the stores count as having taken readings before.
    """
    clock, buffer = SystemClock(), Buffer(capacity=capacity)
    events: list[dict[str, Any]] = []
    log = log_into(events)
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(StateDirectory.open(state_dir, ballast_bytes=ballast_bytes))
        database = await stack.enter_async_context(
            await Database.open(directory.database, ballast=directory.ballast)
        )
        pool = stack.enter_context(ThreadPoolExecutor(2, thread_name_prefix="bodies"))
        deliveries = {}
        for name, sink in sinks.items():
            deliveries[name] = Delivery(
                name=name,
                sink=sink,
                buffer=buffer,
                database=database,
                limits=Limits(
                    points=batch,
                    size_bytes=size_bytes,
                    linger=linger,
                    first_retry=0.02,
                    longest_retry=0.05,
                    write_ahead=write_ahead,
                    spool_bytes=spool_bytes,
                    spool_age=spool_age,
                    clocks_agreeing=agreeing,
                    suspect_pause=suspect_pause,
                    disk_retry=disk_retry,
                ),
                pool=pool,
                clock=clock,
                log=log,
            )
            deliveries[name].sender.believed = believed
        buffer.lanes = {name: each.lane for name, each in deliveries.items()}
        async with asyncio.TaskGroup() as group:
            for each in deliveries.values():
                group.create_task(each.run())
            yield Pipeline(buffer, deliveries, database, events)
            for each in deliveries.values():
                each.lane.close()
                each.cancel()
        assert not [each for each in events if each["event"] == UNBALANCED]
