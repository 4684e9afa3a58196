"""Names what holds up the event loop while it is held up, from a thread beside it.

A coroutine that blocks stops every other collector, the deliveries and the pings of
systemd's watchdog. The loop itself can only say so afterwards, and by then the
watchdog may have ended the process. So a thread looks at a mark that the loop renews,
and when that grows old, at the line of code where the loop's thread stands.

Code that holds Python's global lock, such as a long ``json.loads``, keeps this thread
waiting, too; it then looks when the lock is given up, which is still in the same call.
"""

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

# Each collector whose plugin runs, and the file or folder that holds the plugin.
RunningPlugins = Callable[[], Iterable[tuple[str, Path]]]

BEAT: Final = 0.25  # seconds between two marks of the loop, and two looks at them
LATE: Final = 1.0  # seconds without a mark after which the loop counts as held up
SHOWN_FOR: Final = 300.0  # seconds for which a collector that held up the loop is said to do so
AGAIN: Final = 4  # times as late as when it was told last, and it is told once more


@dataclass(frozen=True, slots=True)
class Culprit:
    """What holds up the loop.

    Attributes:
        collectors: The names of the collectors whose plugin it is; empty if it is none.
        where: The file, line and function.
    """

    collectors: tuple[str, ...]
    where: str

    def __str__(self) -> str:
        """Return it for a line of status."""
        names = ", ".join(self.collectors)
        return f"collector {names} at {self.where}" if names else self.where


class LoopWatch:
    """Watches one event loop.

    Args:
        running: Gives the plugins that run at the moment; called in the thread.
        log: Told when the loop is held up, and when it turns again.
        status: Shows a line in ``systemctl status``; called in the thread.

    Attributes:
        held_up_seconds: For how long the loop was held up, by collector; ``""`` for no plugin.
    """

    def __init__(self, running: RunningPlugins, *, log: Any, status: Callable[[str], None]) -> None:
        self._running, self._log, self._status = running, log, status
        self._mark = 0.0
        self._culprit: Culprit | None = None
        self._held_up: dict[str, tuple[float, str]] = {}
        self.held_up_seconds: dict[str, float] = {}

    @property
    def blocked(self) -> Mapping[str, str]:
        """The line with which each collector has lately held up the loop, by its name."""
        since = time.monotonic() - SHOWN_FOR
        return {name: where for name, (at, where) in self._held_up.items() if at >= since}

    async def run(self) -> None:
        """Watch until cancelled.

        The machine's own clock is used in any case: it is the real loop that is held up.
        """
        stopped = threading.Event()
        loop, thread_id = asyncio.get_running_loop(), threading.get_ident()
        self._mark = time.monotonic()
        watcher = threading.Thread(
            target=self._watch, args=(loop, thread_id, stopped), name="ingestd-loop", daemon=True
        )
        watcher.start()
        try:
            while True:
                await asyncio.sleep(BEAT)
                self._renew()
        finally:
            stopped.set()

    def _renew(self) -> None:
        late, self._mark = time.monotonic() - self._mark - BEAT, time.monotonic()
        culprit, self._culprit = self._culprit, None
        if late > LATE:
            names = list(culprit.collectors) if culprit else []
            where = culprit.where if culprit else ""
            for name in names:
                self._held_up[name] = self._mark, where
            for name in names or [""]:
                self.held_up_seconds[name] = self.held_up_seconds.get(name, 0.0) + late
            self._log.warning(
                "event loop was held up", seconds=round(late, 1), collectors=names, where=where
            )

    def _watch(
        self, loop: asyncio.AbstractEventLoop, thread_id: int, stopped: threading.Event
    ) -> None:
        told, tell_at = 0.0, LATE
        while not stopped.wait(BEAT):
            mark = self._mark
            if mark != told:
                told, tell_at = mark, LATE
            late = time.monotonic() - mark - BEAT
            if late < tell_at:
                continue
            tell_at = late * AGAIN
            culprit = self._find(sys._current_frames().get(thread_id), asyncio.current_task(loop))  # noqa: SLF001 -- documented, and there is no other way to see another thread
            if culprit is not None and mark == self._mark:
                self._culprit = culprit
                self._tell(culprit, late)

    def _tell(self, culprit: Culprit, late: float) -> None:
        self._log.error(
            "event loop is held up",
            seconds=round(late, 1),
            collectors=list(culprit.collectors),
            where=culprit.where,
        )
        self._status(f"event loop is held up by {culprit}")

    def _find(self, innermost: FrameType | None, task: asyncio.Task[Any] | None) -> Culprit | None:
        """Return the innermost line of a plugin, or else the innermost of all."""
        if innermost is None:
            return None
        roots = dict(self._running())
        for code, line in _stack(innermost):
            file = Path(code.co_filename)
            owners = tuple(name for name, root in roots.items() if file.is_relative_to(root))
            if owners:
                ours = tuple(name for name in owners if task and _belongs(task, name))
                return Culprit(ours or owners, _shown(code, line))
        return Culprit((), _shown(innermost.f_code, innermost.f_lineno))


def _stack(frame: FrameType | None) -> Iterator[tuple[CodeType, int]]:
    while frame is not None:
        yield frame.f_code, frame.f_lineno
        frame = frame.f_back


def _belongs(task: asyncio.Task[Any], collector: str) -> bool:
    return task.get_name().startswith(f"ingestd[{collector}]")


def _shown(code: CodeType, line: int) -> str:
    return f"{code.co_filename}:{line} in {code.co_name}"
