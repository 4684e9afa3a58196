"""Notes which processes a run starts where it has no process of its own.

Coroutines and functions in threads start programs as children of the daemon, among those of others.
So each start is noted in the context of its run. What ``os.fork`` starts is not seen here, nor
what a thread of the plugin's own starts.
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from contextvars import Context, ContextVar
from typing import Any, Final

from ingestd.processes.descendants import below, name_of, pids_of_group, start_of

MOST_NOTED: Final = 200  # of a stream; then those that have gone are forgotten

# The number of each process -> when it was started, as the kernel counts.
Started = dict[int, str]

_STARTED: Final[ContextVar[Started | None]] = ContextVar("processes of a run", default=None)


class _NotedProcess(subprocess.Popen[Any]):
    """A process that its run knows of; asyncio starts its own in this way, too."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        started = _STARTED.get()
        if started is not None and (when := start_of(self.pid)):
            if len(started) >= MOST_NOTED:
                for pid in [pid for pid, when in started.items() if start_of(pid) != when]:
                    del started[pid]
            started[self.pid] = when


def note_processes(context: Context | None = None) -> Started:
    """Note from now on what code in a context starts; in the current one if that is None."""
    subprocess.Popen = _NotedProcess  # type: ignore[misc]  # nothing else tells of each start
    started: Started = {}
    if context is None:
        _STARTED.set(started)
    else:
        context.run(_STARTED.set, started)
    return started


@contextlib.contextmanager
def unnoted() -> Iterator[None]:
    """Let processes that are started inside go on when the run under way has ended."""
    token = _STARTED.set(None)
    try:
        yield
    finally:
        _STARTED.reset(token)


def kill_started(started: Started) -> list[str]:
    """Kill those of the processes that are still there, and what they have started.

    Returns the names of those that were killed. It blocks for some milliseconds if there are any.
    """
    names = [name for pid, when in started.items() for name in _kill(pid, when)]
    started.clear()
    return names


def _kill(pid: int, when: str) -> list[str]:
    now = start_of(pid)
    if now is not None and now != when:  # the number belongs to another process by now
        return []
    # A group keeps the number of its first process for as long as it has any.
    family = {*([pid, *below(pid)] if now else []), *pids_of_group(pid)}
    names = []
    for each in family:
        if name := name_of(each):
            with contextlib.suppress(OSError):
                os.kill(each, signal.SIGKILL)
                names.append(name)
    return names
