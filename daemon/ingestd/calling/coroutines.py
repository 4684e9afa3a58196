"""One call of a coroutine or an async generator, in a task of its own.

The plugin has that task for itself: it may cancel it, or raise what asyncio takes for the end
of everything, and the daemon's task hears of an ordinary error. The two take turns. The plugin
goes on when the daemon asks for the next result, and waits while the daemon deals with it.
"""

import asyncio
import inspect
from collections.abc import Mapping, MutableSet
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

from ingestd.calling.plugin import Plugin
from ingestd.calling.process import Log
from ingestd.errors import PluginError, RunTimeout
from ingestd.loop import RunTasks, note_owners
from ingestd.processes import kill_started, note_processes
from ingestd.worker import run_failure

CANCEL_PATIENCE: Final = 10.0  # seconds that a plugin gets to end after its cancellation
# ... and after a second one: before Python 3.12, asyncio.wait_for loses a cancellation that
# comes just when what it waits for is done.
SECOND_PATIENCE: Final = 1.0
MOST_NAMED: Final = 5  # tasks in a line of the log


@dataclass(frozen=True, slots=True)
class PluginResult:
    """A result as the plugin gave it, unchecked.

    Attributes:
        result: What the plugin gave.
        yielded: Whether more may follow.
        output: The end of what the plugin printed.
    """

    result: object = field(repr=False)
    yielded: bool
    output: str = ""


class CoroutineRun:
    """The daemon's end of one call.

    Args:
        plugin: One whose kind is not FUNCTION.
        kwargs: What ``run`` gets.
        name: The collector's.
        log: Takes what the daemon has to say of the run.
        left_behind: The calls of the same name that ignore their cancellation; this one is
            added if it does.
    """

    def __init__(
        self,
        plugin: Plugin,
        kwargs: Mapping[str, Any],
        *,
        name: str,
        log: Log,
        left_behind: MutableSet[asyncio.Task[None]],
    ) -> None:
        self._plugin, self._kwargs, self._name, self._log = plugin, kwargs, name, log
        self._left_behind = left_behind
        self._loop = asyncio.get_running_loop()
        self._tasks = RunTasks(self._fail)
        self._task: asyncio.Task[None] | None = None
        self._given: asyncio.Future[PluginResult | None] = self._loop.create_future()
        self._wanted: asyncio.Future[None] = self._loop.create_future()
        self._error: PluginError | None = None
        self._ending = False
        self._processes: dict[int, str] = {}

    async def next(self) -> PluginResult | None:
        """Let the plugin go on to its next result, and return that; None if it has ended.

        Raises:
            PluginError: It failed.
        """
        self._given = self._loop.create_future()
        if self._task is None:
            self._task = self._start()
        elif not self._wanted.done():
            self._wanted.set_result(None)
        given = await self._given
        if given is None and self._error is not None:
            raise self._error
        return given

    async def overdue(self, timeout: float) -> RunTimeout:  # noqa: ASYNC109 -- for the message
        """Cancel the plugin, whose time is up, and return the error that says so.

        Args:
            timeout: How long it had, in seconds.
        """
        if await self._cancel():
            return RunTimeout(f"run must end within {timeout:g} s; it was stopped")
        self._log.error("run goes on past its deadline", timeout=timeout)
        text = f"run must end within {timeout:g} s; it ignores its cancellation and was left behind"
        return RunTimeout(text)

    async def end(self) -> list[str]:
        """Cancel the plugin if it goes on, and then what it has left behind.

        Returns the names of the processes that were ended.
        """
        try:
            await self._cancel()
            if self._tasks:
                await asyncio.sleep(0)  # those that are about to end are not left behind
        finally:
            left = self._tasks.cancel() - self._left_behind
        if left:
            names = sorted(task.get_name() for task in left)
            self._log.warning(
                "run left tasks behind, which were cancelled",
                tasks=names[:MOST_NAMED],
                number=len(names),
            )
            _, alive = await asyncio.wait(left, timeout=CANCEL_PATIENCE)
            self._left_behind |= alive
        return kill_started(self._processes)

    def _start(self) -> asyncio.Task[None]:
        """Start the plugin's task.

        Raises:
            PluginError: An earlier call has not ended.
        """
        if any(not each.done() for each in self._left_behind):
            raise PluginError("an earlier run ignores its cancellation and has not ended yet")
        self._left_behind.clear()
        note_owners(self._loop)
        context = self._tasks.context()
        self._processes = note_processes(context)
        task = self._loop.create_task(
            self._work(), name=f"ingestd[{self._name}].plugin", context=context
        )
        task.add_done_callback(lambda _: self._give(None))
        return task

    async def _cancel(self) -> bool:
        """Cancel the plugin's task; return whether it has ended."""
        self._ending = True
        task = self._task
        if task is None or task in self._left_behind:
            return task is None or task.done()
        for patience in (CANCEL_PATIENCE, SECOND_PATIENCE):
            if not task.done():
                task.cancel()
                await asyncio.wait({task}, timeout=patience)
        if not task.done():
            self._left_behind.add(task)
        return task.done()

    def _fail(self, error: BaseException) -> None:
        """Fail the run for what one of its tasks ended with."""
        self._note(error)
        if self._task is not None:
            self._task.cancel()

    async def _work(self) -> None:
        try:
            await self._call()
        # Border: the plugin's own code. asyncio would let SystemExit end the daemon.
        except BaseException as error:  # noqa: BLE001
            self._note(error)

    def _note(self, error: BaseException) -> None:
        """Keep the first error; one that our cancellation has brought about is none."""
        if self._error is None and not self._ending:
            self._error = run_failure(error, self._plugin.source.root)

    async def _call(self) -> None:
        if self._plugin.run is None:
            raise PluginError(f"{self._plugin.path}: was not imported")
        called = self._plugin.run(**self._kwargs)
        if not inspect.isasyncgen(called):  # a decorated run tells its shape only now
            result = PluginResult(await called, yielded=False)
            self._refuse_if_ending()
            self._give(result)
            return
        async with aclosing(called) as checkpoints:
            async for each in checkpoints:
                await self._hand_over(PluginResult(each, yielded=True))

    async def _hand_over(self, result: PluginResult) -> None:
        """Give the daemon a result, and return when it wants the next one."""
        self._refuse_if_ending()
        self._wanted = self._loop.create_future()
        self._give(result)
        await self._wanted

    def _refuse_if_ending(self) -> None:
        """End a plugin that has swallowed its cancellation."""
        if self._ending:
            raise asyncio.CancelledError

    def _give(self, result: PluginResult | None) -> None:
        if not self._given.done():
            self._given.set_result(result)
