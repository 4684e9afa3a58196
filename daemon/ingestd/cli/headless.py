"""A daemon in this process for as long as one command takes, with what that needs.

So what is changed while no daemon runs is changed by the same rules: readings and
state take the way they always take, and dead letters are sorted as they always are.
"""

import asyncio
import dataclasses
import json
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, TypeVar

import structlog
from structlog.typing import EventDict, WrappedLogger

from ingestd.backfilling import DEFAULT_CHUNK, BackfillRecord
from ingestd.cli.backend import BackfillRequest, Follow, Json, RunAsked
from ingestd.cli.exitcodes import FAILURE, CommandError
from ingestd.cli.statedir import refuse_foreign_root
from ingestd.config import NEVER, CollectorConfig, Config, StoreConfig
from ingestd.records import RunRecord
from ingestd.requesting import Target, as_json, digest_of, single
from ingestd.systemd import Notifier
from ingestd.tasks import first_of

if TYPE_CHECKING:
    from ingestd.app import Daemon

T = TypeVar("T")

TELL_PROGRESS: Final = 0.2  # seconds
STOPPING: Final = "stops after the chunk under way; another Ctrl-C gives that up"
PRINTED: Final = frozenset({"store unavailable", "backfill fails"})


def alone(collector: CollectorConfig) -> CollectorConfig:
    """Return a collector that runs only when it is asked to."""
    return dataclasses.replace(
        collector,
        every=NEVER,
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
    records: list[RunRecord] = []

    async def run(daemon: "Daemon") -> None:
        (collector,) = daemon.collectors.by_name.values()
        records.append(await collector.run_now())

    daemon = await _live(_with(config, collector), run)
    if not records:
        raise CommandError(f"{collector.name}: stopped before it had run")
    if any(each.in_memory for each in daemon.deliveries.by_store.values()):
        text = "stopped before its readings were safe; they will be collected again"
        raise CommandError(f"{collector.name}: {text}")
    deliveries = daemon.deliveries.by_store.items()
    down = {name: each.outage.message for name, each in deliveries if not each.outage.up}
    return {**records[0].as_dict(), "unavailable": daemon.redactor.value(down)}


async def backfill_here(
    config: Config, collector: CollectorConfig, wanted: BackfillRequest, follow: Follow
) -> Json:
    """Make a backfill as the daemon would, to its end or until this process is told to stop.

    Returns:
        How it was at last. If it is not over, the next command or daemon goes on with it.

    Raises:
        StateDirectoryBusy: A daemon runs there.
        ConfigError: The collector and its plugin do not fit.
        NotPossible: The plugin takes no window.
        NotNow: Another one of this collector is not over.
    """
    records: list[BackfillRecord] = []

    async def read(daemon: "Daemon") -> None:
        chunk = DEFAULT_CHUNK if wanted.chunk is None else wanted.chunk
        record = await daemon.backfills.ask(
            wanted.collector, wanted.spans, chunk=chunk, rate=wanted.rate
        )
        records.append(record)
        over = asyncio.ensure_future(daemon.backfills.ended(record.id))
        stopping = asyncio.ensure_future(daemon.stopping.wait())
        first, seen = asyncio.FIRST_COMPLETED, {over, stopping}
        while not (await asyncio.wait(seen, timeout=TELL_PROGRESS, return_when=first))[0]:
            follow(record.as_dict())
        for each in seen:
            each.cancel()
        if daemon.stopping.is_set():
            follow({**record.as_dict(), "why": STOPPING})

    await _live(_with(config, collector), read, backfills=True)
    if not records:
        raise CommandError(f"{collector.name}: stopped before it had begun")
    follow(records[0].as_dict())
    return records[0].as_dict()


async def request_here(config: Config, collector: CollectorConfig, wanted: RunAsked) -> Json:
    """Make a run that is asked for as the daemon would, and those of its queue before it.

    Returns:
        The run as the API shows it. If this process was told to stop, it may still wait.

    Raises:
        StateDirectoryBusy: A daemon runs there.
        ConfigError: The collector and its plugin do not fit.
        NotPossible: The plugin could not make it.
    """
    runs: list[Json] = []
    about = Target(wanted.project, wanted.trace)
    request = single(
        collector.name,
        collector.targets,
        target=None if about == Target() else about,
        document=None if wanted.input is None else json.dumps(wanted.input),
        params=wanted.params,
        commit=wanted.commit,
    )

    async def make(daemon: "Daemon") -> None:
        digest = digest_of(dataclasses.asdict(dataclasses.replace(wanted, key=None)))
        asked = await daemon.requests.ask([request], key=wanted.key, digest=digest)
        number = asked.runs[0].id
        await first_of(daemon.requests.ended(number), daemon.stopping)
        found = await daemon.requests.find(number)
        runs.append(dict(as_json(found or asked.runs[0], daemon.redactor)))

    await _live(_with(config, collector), make, requests=True)
    if not runs:
        raise CommandError(f"{collector.name}: stopped before it had begun")
    return runs[0]


async def change(
    config: Config,
    job: Callable[["Daemon"], Awaitable[T]],
    *,
    store: StoreConfig | None = None,
) -> T:
    """Have a daemon without collectors change what is on disk, and return what that gives.

    Args:
        config: What the operator wrote.
        job: Changes something.
        store: The one that the job is about, if it may be sent something.

    Raises:
        StateDirectoryBusy: A daemon runs there.
        CommandError: It would leave files that its owner cannot read.
        IngestError: The job cannot be done.
    """
    results: list[T] = []

    async def do(daemon: "Daemon") -> None:
        results.append(await job(daemon))

    stores = {} if store is None else {store.name: store}
    await _live(dataclasses.replace(config, stores=stores, collectors={}), do, partial=True)
    if not results:
        raise CommandError("stopped before anything was changed")
    return results[0]


def _with(config: Config, collector: CollectorConfig) -> Config:
    return dataclasses.replace(config, collectors={collector.name: alone(collector)})


async def _live(
    config: Config,
    job: Callable[["Daemon"], Awaitable[None]],
    *,
    backfills: bool = False,
    requests: bool = False,
    partial: bool = False,
) -> "Daemon":
    """Be a daemon that serves no API, until a job is done or this process is to stop.

    Args:
        config: What it has to work with.
        job: What it is to do once it is ready.
        backfills: Whether a backfill that is not over goes on meanwhile.
        requests: Whether requested runs of its collector that wait are made meanwhile.
        partial: Whether the configuration lacks stores that the operator wrote.
    """
    from ingestd.cli.run import leave_behind, make_daemon  # noqa: PLC0415 -- is all of a daemon

    refuse_foreign_root(config.daemon.state_dir)
    reduced = dataclasses.replace(
        config, daemon=dataclasses.replace(config.daemon, listen="off", watch=False)
    )
    daemon = make_daemon(
        reduced, config.files[0], Notifier(), log_format="console", log_level="warning"
    )
    leave_out_what_is_printed(*(() if backfills else ("config",)))
    daemon.partial = partial
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, daemon.stop)

    @asynccontextmanager
    async def instead_of_serving(daemon: "Daemon") -> AsyncIterator[str]:
        if not backfills:
            await daemon.backfills.stop()  # before any of them has begun
        if not requests:
            await daemon.requests.stop()
        working = asyncio.create_task(_work(daemon, job), name="ingestd[once]")
        try:
            yield ""
            await working
        finally:
            working.cancel()

    await daemon.run(instead_of_serving)
    await leave_behind(daemon, FAILURE)
    return daemon


async def _work(daemon: "Daemon", job: Callable[["Daemon"], Awaitable[None]]) -> None:
    """Do a job once a daemon is ready, and stop the daemon."""
    await daemon.ready.wait()
    await asyncio.sleep(0)  # the collector waits for its first tick now
    try:
        await job(daemon)
    finally:
        if not daemon.stopping.is_set():  # a second time, it would hurry
            daemon.stop()


def leave_out_what_is_printed(*more: str) -> None:
    """Keep out of the log what the command prints itself, and ``more`` of such phrases."""

    def drop(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        phrase = str(event["event"])
        if ("run" in event and phrase.startswith("run ")) or phrase in PRINTED.union(more):
            raise structlog.DropEvent
        return event

    structlog.configure(processors=[drop, *structlog.get_config()["processors"]])
