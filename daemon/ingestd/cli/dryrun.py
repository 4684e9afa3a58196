"""A dry run: one run of a collector that stores and remembers nothing.

It runs on a copy of what the collector remembers, into a buffer that leads nowhere.
"""

import asyncio
import os
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import structlog

from ingestd.calling import Threads, Workers
from ingestd.cli.headless import alone, leave_out_what_is_printed
from ingestd.cli.loading import loader_for
from ingestd.cli.stores import opened
from ingestd.clock import SystemClock
from ingestd.collecting import Collector, Services, StateCommitter, Vitals, naming_of, schedule_of
from ingestd.config import Catalogue, CollectorConfig, Config, StoreConfig
from ingestd.context import Shared
from ingestd.contract import Memory
from ingestd.delivery import Buffer
from ingestd.disk import Database, is_text, open_reader, see_that_it_answers, translate
from ingestd.hosts import HOSTS
from ingestd.loading import protection_for
from ingestd.logs import configure
from ingestd.metrics import Metrics
from ingestd.model import Point, Priority, Receipt, StoredPoint
from ingestd.records import RunRecord, StateStore
from ingestd.redaction import Redactor

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DryRun:
    """What a run would have done.

    Attributes:
        record: How it went.
        points: What would have been stored.
        before: What the collector remembers.
        after: What it would remember.
    """

    record: RunRecord
    points: Sequence[Point]
    before: Memory
    after: Memory


class RecordingBuffer(Buffer):
    """Keeps the points it is given, and leads to no store."""

    def __init__(self) -> None:
        super().__init__(capacity=sys.maxsize)
        self.points: list[Point] = []

    async def put(
        self,
        points: Sequence[Point],
        *,
        priority: Priority,
        stores: Collection[str] | None = None,
    ) -> Receipt:
        """Keep the points to look at; without a store they are safe at once."""
        self.points += points
        return await super().put(points, priority=priority, stores=stores)


@dataclass(frozen=True, slots=True)
class FirstStore:
    """What ``ctx.query`` reads, connected only when a plugin asks."""

    config: StoreConfig

    async def read(
        self, series: str, *, start_us: int, end_us: int, tags: Mapping[str, str]
    ) -> list[StoredPoint]:
        """Return the points of one series, in time order."""
        async with opened(self.config) as sink:
            if sink is None:
                return []
            return await sink.read(series, start_us=start_us, end_us=end_us, tags=dict(tags))


async def dry_run(
    config: Config, collector: CollectorConfig, redactor: Redactor, *, verbose: bool
) -> DryRun:
    """Run a collector once without storing or remembering anything."""
    configure(log_format="console", level="debug" if verbose else "info", redactor=redactor)
    leave_out_what_is_printed()
    clock, buffer, log = SystemClock(), RecordingBuffer(), structlog.get_logger("ingestd")
    async with AsyncExitStack() as stack:
        states = await stack.enter_async_context(_copied_states(config.daemon.state_dir))
        before = (await states.load(collector.name)).memory
        shared = Shared()
        shared.limits.restore(await states.limits(), keep=states.keep_limits)
        committer = StateCommitter(collector.name, before, store=states, clock=clock, log=log)
        services = Services(
            clock=clock,
            buffer=buffer,
            loader=loader_for(config),
            processes=await stack.enter_async_context(
                Workers(1, protection=protection_for(config, os.environ))
            ),
            threads=Threads(),
            states=states,
            reader=FirstStore(next(iter(config.stores.values()))),
            metrics=Metrics(),
            redactor=redactor,
            stopping=asyncio.Event(),
            blocking=_blocking,
            shared=shared,
            hosts=HOSTS,
            log=log,
            keeps=False,
        )
        committing = asyncio.create_task(committer.run(), name="ingestd[dry-run].commit")
        stack.push_async_callback(_cancelled, committing)
        record = await _run_alone(alone(collector), committer, services, config.catalogue)
        return DryRun(record, buffer.points, before, committer.memory)


async def remembered(config: Config, name: str) -> Memory:
    """Return what a collector remembers, whether or not a daemon runs."""
    async with _copied_states(config.daemon.state_dir) as states:
        return (await states.load(name)).memory


async def _blocking(function: Callable[..., T], *args: Any) -> T:
    return await asyncio.to_thread(function, *args)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})


async def _run_alone(
    config: CollectorConfig, committer: StateCommitter, services: Services, catalogue: Catalogue
) -> RunRecord:
    schedule = schedule_of(config)
    collector = Collector(
        config,
        schedule=schedule,
        naming=naming_of(config, catalogue),
        committer=committer,
        last=None,
        vitals=Vitals(config, schedule, clock=services.clock),
        services=services,
    )
    waiting = asyncio.create_task(collector.run(), name="ingestd[dry-run]")
    await asyncio.sleep(0)  # it waits for its first tick now
    try:
        return await collector.run_now()
    finally:
        waiting.cancel()  # which closes its connections
        await asyncio.wait({waiting})


@asynccontextmanager
async def _copied_states(state_dir: Path) -> AsyncIterator[StateStore]:
    """Give a copy of what is remembered, so that nothing here can change it."""
    with tempfile.TemporaryDirectory(prefix="ingestd-") as folder:
        async with await Database.open(Path(folder) / "state.db") as database:
            for table, rows in _memories(state_dir / "state.db").items():
                await database.write(partial(_fill, table=table, rows=rows))
            states = await StateStore.open(database, SystemClock())
            try:
                yield states
            finally:
                await states.close()


def _memories(path: Path) -> Mapping[str, list[Any]]:
    see_that_it_answers(path.parent)
    if not path.exists():
        return {}
    try:
        with closing(open_reader(path)) as db:
            return {
                "meta": db.execute("SELECT key, value FROM meta").fetchall(),
                "state": db.execute(
                    "SELECT collector, state, hidden, masks, changed, crc FROM state"
                ).fetchall(),
            }
    except sqlite3.Error as exc:
        raise translate(exc, path) from exc


def _fill(db: sqlite3.Connection, table: str, rows: Sequence[Sequence[Any]]) -> None:
    for row in rows:
        if not all(is_text(value) for value in row if isinstance(value, str)):
            continue  # damaged: the daemon sets it aside
        marks = ", ".join("?" * len(row))
        db.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608 -- two names of ours
