"""One run of a collector in this process: for real, or as a rehearsal.

For real it is a daemon with this collector alone, so that readings and state
take the way they always take. A rehearsal runs the same collector on a copy of
what it remembers, into a buffer that leads nowhere.
"""

import asyncio
import dataclasses
import signal
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog
from structlog.typing import EventDict, WrappedLogger

from ingestd.app import Daemon
from ingestd.buffer import Buffer
from ingestd.catalogue import Catalogue
from ingestd.cli.backend import Json
from ingestd.cli.endings import FAILURE, CommandError
from ingestd.cli.run import leave_behind, make_daemon
from ingestd.cli.stores import opened
from ingestd.clock import SystemClock
from ingestd.collector import Collector, Services
from ingestd.collectors import naming_of, schedule_of
from ingestd.config import CollectorConfig, Config, StoreConfig
from ingestd.context import Shared
from ingestd.contract import Memory
from ingestd.database import Database
from ingestd.isolation import Workers
from ingestd.keeper import Keeper
from ingestd.loader import Loader
from ingestd.logs import configure
from ingestd.metrics import Metrics
from ingestd.model import Point, Receipt, Standing, StoredPoint
from ingestd.runrecords import RunRecord
from ingestd.schema import open_reader, translate
from ingestd.secrets import Redactor
from ingestd.state import StateStore
from ingestd.systemd import Notifier
from ingestd.threads import Threads

CENTURY: Final = 36_525 * 86400.0

T = TypeVar("T")


def alone(collector: CollectorConfig) -> CollectorConfig:
    """Return a collector that runs only when it is asked to."""
    return dataclasses.replace(
        collector,
        every=CENTURY,
        cron=None,
        offset=0.0,
        jitter=0.0,
        catch_up="none",
        enabled=True,
    )


async def run_once(config: Config, collector: CollectorConfig) -> Json:
    """Run a collector once as the daemon would, and bring its readings to safety.

    Returns:
        The run's record; under ``unavailable`` the stores for which the readings
        wait in the spool, with the reason.

    Raises:
        StateDirectoryBusy: A daemon runs there.
        ConfigError: The collector and its plugin do not fit.
    """
    reduced = dataclasses.replace(
        config,
        daemon=dataclasses.replace(config.daemon, listen="off", watch=False),
        collectors={collector.name: alone(collector)},
    )
    daemon = make_daemon(
        reduced, config.files[0], Notifier(), log_format="console", log_level="warning"
    )
    _leave_out_what_is_printed()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, daemon.stop)
    records: list[RunRecord] = []

    @asynccontextmanager
    async def instead_of_serving(daemon: Daemon) -> AsyncIterator[str]:
        job = asyncio.create_task(_run_and_stop(daemon, records), name="ingestd[once]")
        try:
            yield ""
            await job
        finally:
            job.cancel()

    await daemon.run(instead_of_serving)
    await leave_behind(daemon, FAILURE)
    if not records:
        raise CommandError(f"{collector.name}: stopped before it had run")
    if any(each.in_memory for each in daemon.deliveries.by_store.values()):
        text = "stopped before its readings were safe; they will be collected again"
        raise CommandError(f"{collector.name}: {text}")
    deliveries = daemon.deliveries.by_store.items()
    down = {name: each.outage.message for name, each in deliveries if not each.outage.up}
    return {**records[0].as_dict(), "unavailable": daemon.redactor.value(down)}


async def _run_and_stop(daemon: Daemon, records: list[RunRecord]) -> None:
    await daemon.ready.wait()
    await asyncio.sleep(0)  # the collector waits for its first tick now
    (collector,) = daemon.collectors.by_name.values()
    try:
        records.append(await collector.run_now())
    finally:
        daemon.stop()


# -- the rehearsal


@dataclass(frozen=True, slots=True)
class Rehearsal:
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


class Tray(Buffer):
    """Takes points and leads nowhere."""

    def __init__(self) -> None:
        super().__init__(capacity=sys.maxsize)
        self.points: list[Point] = []

    async def put(self, points: Sequence[Point], *, standing: Standing) -> Receipt:
        """Keep the points to look at; without a store they are safe at once."""
        self.points += points
        return await super().put(points, standing=standing)


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


async def rehearse(
    config: Config, collector: CollectorConfig, redactor: Redactor, *, verbose: bool
) -> Rehearsal:
    """Run a collector once without storing or remembering anything."""
    configure(log_format="console", level="debug" if verbose else "info", redactor=redactor)
    _leave_out_what_is_printed()
    clock, tray, log = SystemClock(), Tray(), structlog.get_logger("ingestd")
    async with AsyncExitStack() as stack:
        states = await stack.enter_async_context(_copied_states(config.daemon.state_dir))
        before = (await states.load(collector.name)).memory
        keeper = Keeper(collector.name, before, store=states, clock=clock, log=log)
        services = Services(
            clock=clock,
            buffer=tray,
            loader=Loader(config.daemon.plugin_dirs, withheld=config.secret_variables),
            processes=await stack.enter_async_context(Workers(1, withheld=config.secret_variables)),
            threads=Threads(),
            states=states,
            reader=FirstStore(next(iter(config.stores.values()))),
            metrics=Metrics(),
            redactor=redactor,
            stopping=asyncio.Event(),
            blocking=_blocking,
            shared=Shared(),
            log=log,
        )
        record = await _run_alone(alone(collector), keeper, services, config.catalogue)
        return Rehearsal(record, tray.points, before, keeper.memory)


async def _blocking(function: Callable[..., T], *args: Any) -> T:
    return await asyncio.to_thread(function, *args)


async def _run_alone(
    config: CollectorConfig, keeper: Keeper, services: Services, catalogue: Catalogue
) -> RunRecord:
    collector = Collector(
        config,
        schedule=schedule_of(config),
        naming=naming_of(config, catalogue),
        keeper=keeper,
        last=None,
        services=services,
    )
    waiting = asyncio.create_task(collector.run(), name="ingestd[rehearsal]")
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
        marks = ", ".join("?" * len(row))
        db.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608 -- two names of ours


def _leave_out_what_is_printed() -> None:
    """Keep out of the log what the command prints at its end."""

    def drop(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        phrase = str(event["event"])
        if ("run" in event and phrase.startswith("run ")) or phrase == "store unavailable":
            raise structlog.DropEvent
        return event

    structlog.configure(processors=[drop, *structlog.get_config()["processors"]])
