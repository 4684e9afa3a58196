"""Files that a configuration names: read without ever waiting for one for long.

A path may lead to a pipe that no process writes to, or to a server that has gone; the
kernel then waits without end, and the caller with it. So a file is opened without
waiting, only regular files are read, and all of it is done in a thread that is
left behind if it does not come back.

Imported by its full name, so that a copy of a plugin works in any folder. The daemon reads
its own files with it, too.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Final, Generic, TypeVar

T = TypeVar("T")

PATIENCE: Final = 5.0  # seconds: a disk that has to wake up takes this long at most
MOST_BYTES: Final = 64 * 1024 * 1024  # of one file
MOST_IDLE: Final = 4  # threads that are kept; a configuration is read by one
_KINDS: Final = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class Unresponsive(OSError):
    """What a path leads to did not answer in time."""


class NotRegular(OSError):
    """What a path leads to is no regular file."""


class _Thread:
    """A thread that does one thing after another; the exit of a process does not wait for it."""

    def __init__(self) -> None:
        self._tasks: SimpleQueue[Callable[[], None]] = SimpleQueue()
        threading.Thread(target=self._work, name="ingestd-files", daemon=True).start()

    def do(self, task: Callable[[], None]) -> None:
        self._tasks.put(task)

    def _work(self) -> None:
        while True:
            self._tasks.get()()


_idle: list[_Thread] = []
_stuck: dict[Path, int] = {}  # folder -> how many threads wait for something in it


def read(path: Path | str, *, most_bytes: int = MOST_BYTES) -> bytes:
    """Return what is in a regular file.

    Raises:
        OSError: It cannot be read: is none, is larger, or does not answer.
    """
    return within(path, lambda: _read(path, most_bytes))


def check(path: Path | str) -> None:
    """See whether a path leads to a regular file that can be read, for libraries that take a path.

    Raises:
        OSError: It does not.
    """
    within(path, lambda: os.close(opened(path)))


def within(path: Path | str, function: Callable[[], T], *, patience: float = PATIENCE) -> T:
    """Call a function that asks the kernel about a path, and return what it returns.

    Args:
        path: The path; while one thread waits for something in its folder, no other is
            sent there.
        function: What may hang.
        patience: How long it may take, in seconds.

    Raises:
        Unresponsive: It did not come back in time, or waits still since it was asked last.
        Exception: What the function raises.
    """
    done = threading.Event()
    call = Call(path, function, when_done=done.set)
    done.wait(patience)
    return call.result(patience)


class Call(Generic[T]):
    """A function that asks the kernel about a path, called in a thread that may be left behind.

    Args:
        path: As for ``within``.
        function: What may hang.
        when_done: Called in that thread when the function has come back.

    Raises:
        Unresponsive: Another one waits still for something in the folder.
    """

    def __init__(
        self, path: Path | str, function: Callable[[], T], *, when_done: Callable[[], None]
    ) -> None:
        self._path, self._function, self._when_done = path, function, when_done
        self._folder = Path(path).parent
        self._answer: list[T] = []
        self._error: list[BaseException] = []
        self._lock, self._done, self._abandoned = threading.Lock(), False, False
        if _stuck.get(self._folder):
            raise _unresponsive(path)
        try:
            self._thread = _idle.pop()
        except IndexError:
            self._thread = _Thread()
        self._thread.do(self._ask)

    def result(self, patience: float) -> T:
        """Return what the function has returned; whoever asks has waited for it.

        Args:
            patience: How long that was, in seconds.

        Raises:
            Unresponsive: It has not come back: it is left behind.
            Exception: What the function raises.
        """
        with self._lock:
            self._abandoned = not self._done
            if self._abandoned:
                _stuck[self._folder] = _stuck.get(self._folder, 0) + 1
                raise _unresponsive(self._path, patience)
        if self._error:
            raise self._error[0]
        return self._answer[0]

    def _ask(self) -> None:
        try:
            self._answer.append(self._function())
        except BaseException as exc:  # noqa: BLE001 -- it is raised where it was asked for
            self._error.append(exc)
        with self._lock:
            self._done = True
        if self._abandoned:
            _forget(self._folder)
        if len(_idle) < MOST_IDLE:
            _idle.append(self._thread)
        self._when_done()


def _forget(folder: Path) -> None:
    _stuck[folder] = _stuck.get(folder, 1) - 1


def _unresponsive(path: Path | str, patience: float = PATIENCE) -> Unresponsive:
    text = f"does not answer within {patience:g} s"
    return Unresponsive(errno.ETIMEDOUT, text, str(path))


def opened(path: Path | str) -> int:
    """Return the descriptor of a regular file that is open for reading.

    Raises:
        OSError: It is none, or cannot be read.
    """
    # Without waiting for the other end of a pipe, or for a terminal's line.
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    mode = os.fstat(file).st_mode
    if stat.S_ISREG(mode):
        return file
    os.close(file)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    kind = next((name for is_kind, name in _KINDS if is_kind(mode)), "something else")
    raise NotRegular(errno.EINVAL, f"expected a regular file, got {kind}", str(path))


def _read(path: Path | str, most_bytes: int) -> bytes:
    with os.fdopen(opened(path), "rb") as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        text = f"expected at most {most_bytes} bytes, got more"
        raise OSError(errno.EFBIG, text, str(path))
    return content
