"""Tasks of one owner, each kept from taking the others down; and a wait that can be cut short."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, Protocol, TypeVar

from ingestd.clock import Clock

AFTER_A_BUG: Final = 5.0  # seconds
ABANDONED: Final = 5.0  # seconds

Job = Callable[[], Awaitable[None]]
Task = asyncio.Task[None]
T = TypeVar("T")


class Blocking(Protocol):
    """Calls functions that block, away from the event loop."""

    async def __call__(self, function: Callable[..., T], *args: Any) -> T:
        """Return what the function returns."""


class Tasks:
    """Starts tasks, restarts those that a bug ended, and cancels them.

    This is not a TaskGroup, because a group waits for ever for a task that
    does not end when it is cancelled, and plugins are foreign code.
    """

    def __init__(self, *, clock: Clock, log: Any) -> None:
        self._clock, self._log = clock, log
        self._tasks: set[Task] = set()

    def start(self, name: str, job: Job) -> Task:
        """Start a job."""
        task = asyncio.create_task(self._guarded(name, job), name=f"ingestd[{name}]")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def cancel(self, tasks: Iterable[Task] | None = None) -> list[str]:
        """Cancel tasks, all of them by default; name those that do not end."""
        ending = set(self._tasks if tasks is None else tasks) - {asyncio.current_task()}
        for task in ending:
            task.cancel()
        if not ending:
            return []
        _, alive = await asyncio.wait(ending, timeout=ABANDONED)
        return [task.get_name() for task in alive]

    async def _guarded(self, name: str, job: Job) -> None:
        while True:
            try:
                return await job()
            except (asyncio.CancelledError, GeneratorExit) as end:
                if isinstance(end, GeneratorExit) or is_being_cancelled():
                    raise
                self._log.exception(
                    "task was cancelled from inside, and is started again", task=name
                )
            except BaseException:  # noqa: BLE001 -- border: a bug in one must not stop the others
                self._log.exception("task failed, and is started again", task=name)
            await self._clock.sleep(AFTER_A_BUG)


def is_being_cancelled() -> bool:
    """Say whether the current task is, rather than something that it waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def first_of(
    awaitable: Awaitable[object], event: asyncio.Event, *, within: float | None = None
) -> bool:
    """Wait until an awaitable is done, an event is set, or a time has passed.

    Args:
        awaitable: It is cancelled if it is not done by then.
        event: Cuts the wait short.
        within: The longest wait, in seconds of the event loop, or None for no limit.

    Returns:
        Whether the awaitable is done; what it raised is raised here.
    """
    doing = asyncio.ensure_future(awaitable)
    cutting_short = asyncio.ensure_future(event.wait())
    try:
        both = {doing, cutting_short}
        await asyncio.wait(both, timeout=within, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            doing.result()
        return doing.done()
    finally:
        doing.cancel()
        cutting_short.cancel()
