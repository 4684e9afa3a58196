"""The only assembly: from a configuration to a running daemon, its reloads and its stop.

Order matters twice. At the start, everything that can fail for good fails
before the daemon says that it is ready; a store that does not answer is not
among that. At the stop, collectors end before the lanes are closed, the lanes
before the deliveries, and what collectors remember is committed behind both.
"""

import asyncio
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any, Final, TypeVar

import structlog

from ingestd.backfilling import Backfills, BackfillServices
from ingestd.calling import Threads, Workers, confinement
from ingestd.checking import ConfigChecker
from ingestd.clock import Clock, SystemClock
from ingestd.collecting import Collectors, Services
from ingestd.config import Config, plan, until_restart
from ingestd.context import Shared
from ingestd.delivery import Buffer, Deliveries, left_behind
from ingestd.disk import Database, StateDirectory
from ingestd.errors import ConfigError, DatabaseLost, NotNow, StateError
from ingestd.filewatch import edits
from ingestd.health import Overview
from ingestd.hosts import HOSTS
from ingestd.loading import Loader
from ingestd.logs import Threshold
from ingestd.looplag import LoopWatch
from ingestd.metrics import Metrics
from ingestd.records import StateStore
from ingestd.redaction import Redactor
from ingestd.reloading import Reloader
from ingestd.requesting import Requests, RequestServices
from ingestd.sinks import make_sink
from ingestd.systemd import Notifier
from ingestd.tasks import Tasks
from ingestd.upkeep import Upkeep

ENCODERS: Final = 2
HELPERS: Final = 2
FLUSH: Final = 5.0  # seconds that stores get at the stop before the spool takes the rest
RECOVER: Final = 10.0  # seconds that the spools get before the daemon is ready without them

T = TypeVar("T")
# Makes the HTTP server; the context gives its address.
Serve = Callable[["Daemon"], AbstractAsyncContextManager[str]]


class Daemon:
    """A running daemon.

    Attributes:
        config: The configuration in use.
        checker: Looks at configurations and their plugins.
        shared: What its collectors share.
        deliveries: To every store.
        collectors: All that run.
        backfills: What their plugins read anew.
        requests: The runs of them that were asked for.
        ready: Set once it has started.
        stopping: Set once it has begun to stop.
        last_reload: What the newest reload did, or why it was refused.
        config_ok: Whether the config that was read last is the one in use.
        loaded_at: When the config in use was read, in seconds since the Unix epoch.
        refused_at: When the newest reload failed, likewise, or None if it did not.
        warnings: What looked suspicious in the config that was read last.
        partial: Whether the config has not all of the stores that the operator wrote.
    """

    deliveries: Deliveries
    collectors: Collectors
    backfills: Backfills
    requests: Requests
    database: Database
    states: StateStore

    def __init__(
        self,
        config: Config,
        *,
        config_path: Path,
        environ: Mapping[str, str],
        notifier: Notifier,
        redactor: Redactor,
        threshold: Threshold,
        clock: Clock | None = None,
    ) -> None:
        self.config, self.config_path = config, config_path
        self._notifier, self.redactor, self._threshold = notifier, redactor, threshold
        self.clock = clock or SystemClock()
        self.log = structlog.get_logger("ingestd")
        self.metrics = Metrics()
        self.started = self.clock.now()
        self.buffer = Buffer(capacity=config.buffer.points)
        self.checker = ConfigChecker(
            config_path, environ, redactor=redactor, blocking=self.blocking
        )
        self.shared = Shared()
        self.ready, self.stopping = asyncio.Event(), asyncio.Event()
        self._hurry = asyncio.Event()
        self.last_reload, self.config_ok, self.loaded_at = "", True, self.started
        self.refused_at: float | None = None
        self.warnings: list[str] = []
        self.partial = False
        self._lost: DatabaseLost | None = None
        self._reloading = asyncio.Lock()
        self._tasks = Tasks(clock=self.clock, log=self.log)
        self._loop_watch = LoopWatch(
            self._plugins_running, log=self.log, status=self._notifier.status
        )

    async def run(self, serve: Serve) -> None:
        """Run until ``stop`` is called, and come to a clean end.

        Raises:
            StateError: The state directory cannot be used, or was taken away meanwhile.
            ConfigError: A collector and its plugin do not fit.
            ListenError: The HTTP API cannot listen.
        """
        async with AsyncExitStack() as stack:
            await self._open(stack)
            self.checker.loader = await self._check(self.config)
            # Before anything starts: an address in use is a reason not to.
            address = await stack.enter_async_context(serve(self))
            self._directory.announce(address)
            try:
                await self._start()
                self._announce(address)
                await self.stopping.wait()
                await self._end()
                if self._lost is not None:
                    raise self._lost
            finally:
                await self._tasks.cancel()

    def stop(self) -> None:
        """Begin to stop; a second call skips the waiting, never the spooling."""
        if self.stopping.is_set() and self.ready.is_set() and not self._hurry.is_set():
            self.log.warning("hurrying", waiting_for=self._busy())
        if self.stopping.is_set():
            self._hurry.set()
        self.stopping.set()

    def _busy(self) -> list[str]:
        """Name what a stop has to wait for."""
        collectors = [n for n, each in self.collectors.by_name.items() if each.running]
        stores = [n for n, each in self.deliveries.by_store.items() if each.in_memory]
        return [
            *(f"a run of {n}" for n in collectors),
            *(f"a window of {n}" for n in self.backfills.windows),
            *(f"a requested run of {n}" for n in self.requests.running),
            *(f"readings for {n}" for n in stores),
        ]

    def _plugins_running(self) -> Iterator[tuple[str, Path]]:
        """Yield each collector that runs or reads its past, with where its plugin is."""
        for name, each in list(self.collectors.by_name.items()):
            if (run := each.running) is not None:
                yield name, run.plugin.source.root
        for beside in (self.backfills.windows, self.requests.running):
            for name, each_run in beside.items():
                yield name, each_run.plugin.source.root

    def flush(self) -> None:
        """Send what waits, in memory and on disk, without waiting for anything.

        There is nothing to send before the daemon is ready.
        """
        if self.ready.is_set():
            self.deliveries.hurry()

    async def reload(self) -> str:
        """Read the configuration again and touch only what changed; return what that was.

        If anything goes wrong, the running configuration stays, and everything that it names.

        Raises:
            ConfigError: It cannot be used.
            StateError: What a new collector remembers cannot be read.
            NotNow: The daemon is stopping.
        """
        await self.ready.wait()  # until then, the configuration of the start is being put in place
        async with self._reloading:
            self._refuse_while_stopping()
            self._notifier.reloading()
            try:
                return await self._reload()
            except ConfigError as error:
                self._note_failure(f"refused: {error}")
                self.log.error("config refused, the running one stays", problems=str(error))
                raise
            except NotNow:
                raise
            except Exception as error:  # border: even a bug must be told as a failed reload
                self._note_failure(f"failed: {error!r:.200}")
                raise
            finally:
                if not self.stopping.is_set():
                    self._notifier.ready(self.status_line())

    async def reload_and_tell(self) -> None:
        """Reload, and say in the log alone how that went: a signal has no other answer."""
        try:
            await self.reload()
        except (ConfigError, NotNow):
            return  # the one has been told, the other goes without saying
        except StateError as error:
            self.log.error("reload failed, the running config stays", error=str(error))
        except Exception:  # border: a reload that meets a bug must not end the daemon
            self.log.exception("reload failed, the running config stays")

    @property
    def stuck(self) -> list[str]:
        """Name what should move and does not; only a restart helps then."""
        return [
            *(f"delivery to {name}" for name in self.deliveries.stuck),
            *(f"schedule of {name}" for name in self.collectors.stuck),
        ]

    def overview(self) -> Overview:
        """Judge how everything is at this moment."""
        blocked = self._loop_watch.blocked
        stores = [each.facts() for each in self.deliveries.by_store.values()]
        facts = [
            each.facts(blocked=blocked.get(name, ""))
            for name, each in self.collectors.by_name.items()
        ]
        refused = "" if self.config_ok else self.last_reload.partition("\n")[0]
        return Overview.of(facts, stores, refused=refused)

    @property
    def held_up_seconds(self) -> Mapping[str, float]:
        """For how long collectors have held up the event loop; an empty name is no plugin."""
        return self._loop_watch.held_up_seconds

    def status_line(self) -> str:
        """Say in one line how things are."""
        return self.redactor.phrase(self.overview().sentence, owner=None)

    def _tell_damage(self, problem: str) -> None:
        self.log.error("a row of the state database was damaged", problem=problem)

    # -- starting

    async def _open(self, stack: AsyncExitStack) -> None:
        """Open what lives as long as the daemon."""
        daemon = self.config.daemon
        self._directory = stack.enter_context(StateDirectory.open(daemon.state_dir))
        # Apart, because a plugin may take a minute to import, and points must not wait for that.
        encoders = stack.enter_context(ThreadPoolExecutor(ENCODERS, "ingestd-encode"))
        self._helpers = stack.enter_context(ThreadPoolExecutor(HELPERS, "ingestd-help"))
        self.database = await stack.enter_async_context(
            await Database.open(self._directory.database, ballast=self._directory.ballast)
        )
        self._processes = await stack.enter_async_context(Workers(daemon.workers))
        # One more for each, so that what takes an hour takes no worker from the runs.
        self._backfill_processes = await stack.enter_async_context(Workers(1))
        self._request_processes = await stack.enter_async_context(Workers(1))
        self.checker.processes = (
            self._processes,
            self._backfill_processes,
            self._request_processes,
        )
        self._threads = Threads()
        self.states = await StateStore.open(self.database, self.clock, tell=self._tell_damage)
        self.shared.limits.restore(await self.states.limits(), keep=self.states.keep_limits)
        for problem in filter(None, (*self._directory.warnings, self.database.damage)):
            self.log.error("state directory", problem=problem)
        self._assemble(encoders)

    def _assemble(self, encoders: Executor) -> None:
        """Make what works on what is open; ``encoders`` turn points into bodies."""
        self.deliveries = Deliveries(
            make_sink=make_sink,
            buffer=self.buffer,
            database=self.database,
            pool=encoders,
            tasks=self._tasks,
            clock=self.clock,
            log=self.log,
        )
        self.collectors = Collectors(
            states=self.states,
            tasks=self._tasks,
            grace=self.config.daemon.grace,
            hurry=self._hurry,
            log=self.log,
        )
        self.backfills = Backfills(
            collectors=self.collectors,
            database=self.database,
            tasks=self._tasks,
            hurry=self._hurry,
            services=BackfillServices(
                behind=lambda: self.deliveries.behind,
                processes=self._backfill_processes,
                clock=self.clock,
                metrics=self.metrics,
                redactor=self.redactor,
                log=self.log,
            ),
        )
        self.requests = self._make_requests()
        self._reloader = Reloader(
            deliveries=self.deliveries,
            collectors=self.collectors,
            backfills=self.backfills,
            requests=self.requests,
            buffer=self.buffer,
            threshold=self._threshold,
            metrics=self.metrics,
            tasks=self._tasks,
            log=self.log,
        )

    def _make_requests(self) -> Requests:
        daemon = self.config.daemon
        by_others = daemon.listen != "off" and not daemon.listen.startswith("unix:")
        return Requests(
            collectors=self.collectors,
            database=self.database,
            tasks=self._tasks,
            hurry=self._hurry,
            services=RequestServices(
                processes=self._request_processes,
                clock=self.clock,
                redactor=self.redactor,
                log=self.log,
                exposed=by_others and daemon.token is None,
            ),
        )

    async def _start(self) -> None:
        await self.collectors.remember()
        await self.backfills.remember()
        await self.requests.remember()
        if not self.partial:
            stores = self.config.stores.items()
            await self.deliveries.former.remember({name: each.former for name, each in stores})
            await self._tell_left_behind()
        everything = plan(dataclasses.replace(self.config, stores={}, collectors={}), self.config)
        services = self._services(self.checker.loader)
        self._reloader.commit(await self._reloader.prepare(self.config, everything, services))
        await self.deliveries.wait_recovered(within=RECOVER)

    def _services(self, loader: Loader) -> Services:
        return Services(
            clock=self.clock,
            buffer=self.buffer,
            loader=loader,
            processes=self._processes,
            threads=self._threads,
            states=self.states,
            reader=self.deliveries,
            metrics=self.metrics,
            redactor=self.redactor,
            stopping=self.stopping,
            blocking=self.blocking,
            shared=self.shared,
            hosts=HOSTS,
            log=self.log,
        )

    async def _check(self, config: Config) -> Loader:
        """Compare collectors with their plugins; return what has loaded them."""
        loader, found = await self.checker.check(config)
        self.warnings = found.warnings
        for problem in self.warnings:
            self.log.warning("config", problem=problem)
        return loader

    def _announce(self, address: str) -> None:
        self._note_config("")
        upkeep = Upkeep(
            notifier=self._notifier,
            loop_watch=self._loop_watch,
            ballast=self._directory.ballast,
            collectors=self.collectors,
            deliveries=self.deliveries,
            metrics=self.metrics,
            stuck=lambda: self.stuck,
            status_line=self.status_line,
            blocking=self.blocking,
            clock=self.clock,
            log=self.log,
        )
        jobs = {
            **upkeep.jobs,
            "watch_files": self._watch_files,
            "watch_database": self._watch_database,
            "looplag": self._loop_watch.run,
        }
        for name, job in jobs.items():
            self._tasks.start(name, job)
        self.ready.set()
        self._notifier.ready(self.status_line())
        self.log.info(
            "ready",
            listen=address,
            collectors=len(self.collectors.by_name),
            stores=list(self.deliveries.by_store),
            state_dir=str(self._directory.path),
        )
        holds, how = confinement()
        (self.log.info if holds else self.log.warning)("worker processes", access=how)

    # -- reloading

    async def _reload(self) -> str:
        new = await self.checker.read()
        loader = await self._check(new)
        changes = plan(self.config, new)
        new = until_restart(self.config, new)
        prepared = await self._reloader.prepare(new, changes, self._services(loader))
        self._refuse_while_stopping()
        running = self._reloader.running()
        try:
            self._reloader.commit(prepared)  # awaits nothing, so a stop finds all of it or nothing
        except Exception:  # border: a bug must leave no half of a configuration behind
            former = self.config, self._services(self.checker.loader)
            await self._reloader.restore(running, prepared, *former)
            raise
        self.config, self.checker.loader = new, loader
        self._note_config(changes.describe())
        self.log.info("config reloaded", changes=changes.describe())
        await self._tell_left_behind()
        return changes.describe(most=None)

    async def _tell_left_behind(self) -> None:
        """Warn of what waits for stores that are not configured; nothing brings it anywhere."""
        await self.deliveries.wait_ended(within=FLUSH)
        adopted = {each.former for each in self.config.stores.values() if each.former}
        configured = {*self.config.stores, *adopted}
        try:
            found = await self.database.read(lambda db: left_behind(db, configured))
        except StateError:  # a reload that is in place does not fail for want of a warning
            return
        for said in found:
            self.warnings.append(f"stores: {said}")
            self.log.warning("readings wait for a store that has gone", problem=said)

    def _refuse_while_stopping(self) -> None:
        if self.stopping.is_set():
            raise NotNow("the daemon is stopping, the config was not read again")

    def _note_config(self, changes: str) -> None:
        self.last_reload, self.config_ok, self.loaded_at = changes, True, self.clock.now()
        self.refused_at = None
        self.metrics.reload_ok.set(1)
        self.metrics.reload_time.set(self.loaded_at)

    def _note_failure(self, why: str) -> None:
        self.last_reload, self.config_ok, self.refused_at = why, False, self.clock.now()
        self.metrics.reload_ok.set(0)

    # -- while it runs

    async def _watch_files(self) -> None:
        if self.config.daemon.watch:
            edited = edits(
                lambda: self.config.files,
                since=self.started,
                stop=self.stopping,
                blocking=self.blocking,
                clock=self.clock,
            )
            async for _ in edited:
                await self.reload_and_tell()

    async def _watch_database(self) -> None:
        """Stop once nothing can be kept any more; what restarts the daemon finds a place for it."""
        self._lost = await self.database.lost(self.clock)
        self.stopping.set()

    async def _end(self) -> None:
        """Bring everything to safety, in order."""
        self._notifier.stopping()
        self.log.info("stopping")
        beside = self.backfills.stop(), self.requests.stop()
        await asyncio.gather(self.collectors.stop(), *beside)
        self.collectors.keep_paces()
        await self.deliveries.stop(patience=FLUSH, hurry=self._hurry)
        try:
            async with asyncio.timeout(FLUSH):
                await self.collectors.committed()
        except TimeoutError:
            self.log.error("some readings could not be saved; they will be collected again")
        await self.states.close()
        self.log.info("stopped")

    async def blocking(self, function: Callable[..., T], *args: Any) -> T:
        """Call what blocks in a thread of ours; return what it returns."""
        return await asyncio.get_running_loop().run_in_executor(self._helpers, function, *args)
