"""A thread for one connection: drivers block, and want to be called by one thread."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class Thread:
    """Calls one function after the other; neither a run nor the daemon's end waits for it.

    Attributes:
        busy: Whether a function has not returned yet.
    """

    def __init__(self) -> None:
        self.busy = False
        self._tasks: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        threading.Thread(target=self._work, name="ingestd-sql", daemon=True).start()

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()

    async def call(self, function: Callable[[], T], *, patience: float | None) -> T:
        """Return what a function returns.

        Args:
            function: What may block.
            patience: How long it may take, in seconds; None: as long as it takes.

        Raises:
            TimeoutError: It did not come back in time.
            Exception: What the function raises.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def settle(method: Callable[[Any], None], outcome: Any) -> None:
            self.busy = False
            if not done.done():
                method(outcome)

        def task() -> None:
            try:
                how, outcome = done.set_result, function()
            except Exception as error:  # noqa: BLE001 -- it is raised where it was asked for
                how, outcome = done.set_exception, error  # type: ignore[assignment]
            try:
                loop.call_soon_threadsafe(settle, how, outcome)
            except RuntimeError:  # the loop is closed, and nothing waits any more
                self.busy = False

        self.busy = True
        self._tasks.put(task)
        async with asyncio.timeout(patience):
            return await done

    def do(self, function: Callable[[], object]) -> None:
        """Have a function called; what it raises is of no interest."""
        self._tasks.put(lambda: quietly(function))

    def finish(self, last: Callable[[], object]) -> None:
        """Have the thread end behind a last function."""
        self.do(last)
        self._tasks.put(None)


def quietly(function: Callable[[], object]) -> None:
    """Call a function; the connection that it is about may be in any state."""
    with suppress(Exception):
        function()
