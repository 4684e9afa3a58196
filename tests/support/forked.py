"""Processes of ``ingestd`` that a server has forked, with all imported that commands import.

Such a process has its arguments, environment, folder, input and outputs, ends by itself or by a
signal, and leaves behind what it leaves. From one that starts as users start it it differs in what
follows, and a test that is about this starts a real one.

* It shows nothing of what a command imports, or when.
* It is there at once, so it shows nothing of signals that come while Python starts.
* Its parent, and its command line in ``/proc``, are the server's.
* The strings of all processes of a test worker have the same hashes.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.support.deadline import WITHIN

ROOT: Final = Path(__file__).parent.parent.parent
ANSWER_BYTES: Final = 64


class ForkServer:
    """The server of this test worker.

    Attributes:
        read_at_start: What its environment had of what is read before there is a command.
    """

    def __init__(self) -> None:
        self.read_at_start = read_at_start(os.environ)
        self._turn = threading.Lock()
        self._link, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        argv = [sys.executable, "-m", "tests.support.forkserver", str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, cwd=ROOT, pass_fds=[theirs.fileno()]
            )

    def ask(self, question: Mapping[str, Any], descriptors: Sequence[int] = ()) -> int:
        """Send it a question, with descriptors to hand over, and return its answer."""
        with self._turn:
            socket.send_fds(self._link, [json.dumps(question).encode()], descriptors)
            return int(self._link.recv(ANSWER_BYTES))

    def stop(self) -> None:
        """End it; what it has forked goes on."""
        self._link.close()
        self._process.wait(WITHIN)


@cache
def fork_server() -> ForkServer:
    """Return the server of this test worker, which starts when it is first wanted."""
    return ForkServer()


def pytest_unconfigure() -> None:
    """End the server with the tests."""
    if fork_server.cache_info().currsize:
        fork_server().stop()


def can_be_forked(environ: Mapping[str, str]) -> bool:
    """Whether a process with an environment would have found what the server found."""
    return read_at_start(environ) == fork_server().read_at_start


def read_at_start(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what Python and the libraries read of an environment before there is a command."""
    return {
        name: value
        for name, value in environ.items()
        if name.startswith(("LANG", "LC_", "PYTHON", "SSL_")) and name != "PYTHONDONTWRITEBYTECODE"
    }


class Forked:
    """A forked process, with as much of ``subprocess.Popen`` as is needed of it."""

    def __init__(
        self, args: Sequence[str], descriptors: Sequence[int], *, env: Mapping[str, str], cwd: Path
    ) -> None:
        command = {"argv": [*args], "environ": {**env}, "folder": str(cwd)}
        self.pid = fork_server().ask(command, descriptors)
        self.returncode: int | None = None
        self._turn = threading.Lock()
        # The server keeps the process id from being used again until it is asked how that ended.
        self._descriptor = os.pidfd_open(self.pid)
        weakref.finalize(self, os.close, self._descriptor)

    def poll(self) -> int | None:
        """Return how it ended, as ``Popen`` does: a signal is negative; None while it has not."""
        with self._turn:
            if self.returncode is None and self._is_over(0):
                status = fork_server().ask({"ended": self.pid})
                self.returncode = os.waitstatus_to_exitcode(status)
            return self.returncode

    def wait(self, timeout: float) -> int:
        """Wait for its end, in seconds, and return how it ended."""
        if not self._is_over(timeout) or (code := self.poll()) is None:
            raise subprocess.TimeoutExpired("ingestd", timeout)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._descriptor, number)

    def _is_over(self, timeout: float) -> bool:
        end = select.poll()
        end.register(self._descriptor, select.POLLIN)
        return bool(end.poll(timeout * 1000))
