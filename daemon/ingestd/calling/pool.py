"""Worker processes: run ordinary plugin functions so that they hurt neither daemon nor each other.

Theory of operation. A worker is a fresh Python process that serves one version
of one plugin, so what that plugin does to its process (working directory,
patched modules, leaked threads) stays its own. The daemon keeps a few, and
prefers one that has already imported the plugin; one that becomes free goes first
to a call that waits for its plugin (``slots``). Each is reached in two ways: by a
socket for messages (``wire``), and by a pipe that takes everything the plugin and
its children print. The daemon reads the pipe as it fills, so printing never blocks,
and keeps only the end of the text.

A worker is the leader of its own process group: Ctrl-C does not reach it. Above each stands a
supervisor (``processes``). What a run starts and leaves behind, having lost its parent or left that
group, ends with the run; the worker's own children may serve the next one, and end
with the worker. All of them end when the thread that started it (the daemon's main thread) is gone.
A worker sees what its collector needs and nothing else of the daemon's (``access``).

Why not a ready-made pool? Measured against pebble 5.2 on two cores: its threads
wake up 20 times a second for ever (0.2 to 0.3 % of a core) where an idle pool
here does nothing; its spawned workers hold 14 MiB of their own, and ours 10 with 3 of
the supervisor; its deadlines follow the wall clock, in steps of 0.1 s; all its workers
share one pipe and its locks, and when the last of them dies by a signal the pool is broken
for good. It has
no answer to printed megabytes, to results of a million readings in one message,
or to children that outlive their worker.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Final, Self

from ingestd.calling.access import Protection
from ingestd.calling.options import CallOptions, Finished, tell_strays
from ingestd.calling.plugin import Plugin
from ingestd.calling.process import Key, WorkerProcess
from ingestd.calling.programs import Programs
from ingestd.calling.rulesets import Rulesets
from ingestd.calling.slots import Slots
from ingestd.calling.starting import run_request
from ingestd.errors import PluginError, RunTimeout, WorkerDied
from ingestd.loop import shared_by_runs
from ingestd.processes import new_mark, unnoted

IDLE_TIMEOUT: Final = 300.0  # seconds; a plugin that runs more often keeps its worker
MOST_CALLS: Final = 500  # then a worker is replaced, for plugins that leak


class Workers:
    """A few worker processes, started when they are needed.

    Attributes:
        protection: What is kept from all of them.
        programs: Starts programs that are kept from the same.
    """

    def __init__(self, max_workers: int, *, protection: Protection | None = None) -> None:
        self.protection = protection or Protection()
        self._rulesets = Rulesets()
        self._mark = new_mark()
        self._helper = ThreadPoolExecutor(1, "ingestd-workers")
        self.programs = Programs(lambda: self.protection, self._rulesets, self._helper)
        self._max = max_workers
        self._slots = Slots(max_workers, suits=self._imported)
        # A few collectors that hang must not take every slot for as long as their timeouts,
        # over and over: one whose last run was stopped has to wait here first.
        self._slots_of_late = asyncio.Semaphore(max(1, max_workers // 2))
        self._late: set[str] = set()
        self._idle: list[WorkerProcess] = []  # the one that was used last stands last
        self._busy: set[WorkerProcess] = set()
        self._closed = False
        self._runs = 0  # with those whose worker is still starting
        self._ending: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closed = True
        for worker in list(self._busy):  # their calls are still waited for
            await worker.stop(kill=True)
        for _ in range(self._max):
            await self._slots.acquire()
        for worker in self._idle:
            self._retire(worker)
        await asyncio.gather(*self._ending)
        self._helper.shutdown()
        self._rulesets.close()
        for _ in range(self._max):  # calls that still wait are refused
            self._slots.release()

    async def call(
        self, plugin: Plugin, kwargs: Mapping[str, Any], options: CallOptions
    ) -> Finished:
        """Call a plugin's ``run`` in a worker process, as soon as one is free.

        Those whose last run was stopped at its deadline share half of the workers.

        Args:
            plugin: One whose kind is FUNCTION.
            kwargs: Everything but ``ctx``, which the worker adds if it is declared.
            options: How to call it. Its time begins when the run does; after it the process
                is killed.

        Raises:
            PluginError: The run failed, in the way that its class says.
        """
        message = run_request(
            plugin,
            kwargs,
            host=options.host,
            memory_limit=options.memory_limit,
            timezone=options.timezone,
        )
        key = self._key(plugin, options)
        async with self._slot(options.name, key), self._worker(key) as worker:
            try:
                result = await self._exchange(worker, message, options)
            except PluginError as exc:
                exc.output = worker.output.take()
                raise
            finally:
                if worker.alive:  # otherwise its supervisor ends them, and prints their names
                    tell_strays(await worker.end_strays(), options)
            return Finished(result or {}, worker.output.take(), nothing=result is None)

    async def _exchange(
        self, worker: WorkerProcess, message: Mapping[str, Any], options: CallOptions
    ) -> dict[str, Any] | None:
        """Return what a worker answers within the time of the call.

        Raises:
            PluginError: The run failed; RunTimeout if it took too long.
        """
        self._late.discard(options.name)
        try:
            async with asyncio.timeout(options.timeout) as deadline:
                return await worker.exchange(message, options.log)
        except TimeoutError:
            if not deadline.expired():
                raise
            self._late.add(options.name)
            text = f"run must end within {options.timeout:g} s; it was stopped"
            raise RunTimeout(text) from None

    @contextlib.asynccontextmanager
    async def _slot(self, name: str, key: Key) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            if name in self._late:
                await stack.enter_async_context(self._slots_of_late)
            await stack.enter_async_context(self._slots.hold(key))
            yield

    def _imported(self) -> set[Key]:
        """Return the keys of the calls for which an idle worker is ready."""
        return {worker.key for worker in self._idle if worker.fit and worker.up_to_date}

    def _key(self, plugin: Plugin, options: CallOptions) -> Key:
        mark, source = "" if options.host is None else options.host.mark, plugin.source
        return Key(
            source.root, source.fingerprint, mark, options.access, self.protection, plugin.python
        )

    @contextlib.asynccontextmanager
    async def _worker(self, key: Key) -> AsyncIterator[WorkerProcess]:
        """Check out a worker; only one that has answered and is in good order is kept."""
        if self._closed:
            raise WorkerDied("the daemon is stopping; the run was not started")
        self._runs += 1
        try:
            worker = await self._check_out(key)
            self._busy.add(worker)
            try:
                if self._closed:  # while it was being started, so that nobody stops it
                    raise WorkerDied("the daemon is stopping; the run was not started")
                yield worker
            finally:
                self._busy.discard(worker)
                await self._check_in(worker)
        finally:
            self._runs -= 1

    async def _check_out(self, key: Key) -> WorkerProcess:
        for unusable in [each for each in self._idle if not (each.fit and each.up_to_date)]:
            self._idle.remove(unusable)
            self._retire(unusable)
        worker = next((each for each in reversed(self._idle) if each.key == key), None)
        if worker is None:
            while len(self._idle) + self._runs > self._max:
                self._retire(self._idle.pop(0))
            with shared_by_runs(), unnoted():  # a coroutine that has asked for it may end before
                return await WorkerProcess.start(
                    key, rulesets=self._rulesets, mark=self._mark, pool=self._helper
                )
        self._idle.remove(worker)
        worker.prepare_call()
        return worker

    async def _check_in(self, worker: WorkerProcess) -> None:
        if not worker.fit:
            await worker.stop(kill=True)
        elif worker.calls >= MOST_CALLS:
            self._retire(worker)
        else:
            self._idle.append(worker)
            worker.await_call(IDLE_TIMEOUT, lambda: self._expire(worker))

    def _expire(self, worker: WorkerProcess) -> None:
        if worker in self._idle:
            self._idle.remove(worker)
            self._retire(worker)

    def _retire(self, worker: WorkerProcess) -> None:
        with shared_by_runs():
            task = asyncio.create_task(worker.stop(kill=False), name="ingestd.worker.retire")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
