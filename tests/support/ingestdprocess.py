"""``ingestd`` as a process of its own: what it is given, what it says, its signals and its end."""

import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import Final, Self

from tests.support.deadline import WITHIN
from tests.support.forked import Forked, can_be_forked

AS_USERS_DO: Final = (sys.executable, "-m", "ingestd")
PIPE: Final = subprocess.PIPE
_PIECE_BYTES: Final = 65536


class IngestdProcess:
    """A process of ``ingestd``."""

    def __init__(
        self,
        *args: str,
        environ: Mapping[str, str] | None = None,
        folder: Path | None = None,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        program: Sequence[str] = (),
    ) -> None:
        """Start it.

        Args:
            args: What stands behind ``ingestd``.
            environ: Its environment; None for that of the tests.
            folder: Where it runs; None for where the tests do.
            stdin: A descriptor to read from; None for nothing.
            stdout: A descriptor to print to, or ``PIPE``; None for nowhere.
            stderr: The same for what it says beside that.
            program: What to start, such as ``AS_USERS_DO``; if empty it is forked, unless its
                environment tells Python something.
        """
        environ = os.environ if environ is None else environ
        self._pipes: dict[int, BufferedReader] = {}
        with ExitStack() as theirs:
            descriptors = [
                self._end(number, wanted, theirs)
                for number, wanted in enumerate((stdin, stdout, stderr))
            ]
            if not program and not can_be_forked(environ):
                program = AS_USERS_DO
            start = partial(_started, program) if program else Forked
            self._process = start(args, descriptors, env=environ, cwd=folder or Path.cwd())

    def _end(self, number: int, wanted: int | None, theirs: ExitStack) -> int:
        """Return the process's end of its input or of an output, to be closed here by the stack."""
        if wanted == PIPE:
            ours, other = os.pipe()
            self._pipes[number] = os.fdopen(ours, "rb")
        elif wanted is None:
            other = os.open(os.devnull, os.O_RDWR)
        else:
            return wanted
        theirs.callback(os.close, other)
        return other

    @property
    def stdout(self) -> BufferedReader:
        """What it prints, by a pipe."""
        return self._pipes[1]

    @property
    def stderr(self) -> BufferedReader:
        """What it says beside that, by a pipe."""
        return self._pipes[2]

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def poll(self) -> int | None:
        """Return how it ended, None while it has not; ended by a signal, its number below 0."""
        return self._process.poll()

    def wait(self, within: float = WITHIN) -> int:
        """Wait for its end, so many seconds at most, and return how it ended.

        Raises:
            subprocess.TimeoutExpired: It has not.
        """
        return self._process.wait(within)

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it at once, unless it has."""
        self.send_signal(signal.SIGKILL)

    def read(self, within: float = WITHIN) -> tuple[str, str]:
        """Return what comes by its pipes, once it and all that it started have closed them."""
        deadline = time.monotonic() + within
        came = {1: b"", 2: b""}
        with selectors.DefaultSelector() as open_ones:
            for number, pipe in self._pipes.items():
                open_ones.register(pipe, selectors.EVENT_READ, number)
            while open_ones.get_map():
                if not (ready := open_ones.select(deadline - time.monotonic())):
                    raise subprocess.TimeoutExpired("ingestd", within)
                for key, _ in ready:
                    piece = self._pipes[key.data].read1(_PIECE_BYTES)
                    came[key.data] += piece
                    if not piece:
                        open_ones.unregister(key.fileobj)
        return came[1].decode(), came[2].decode()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self.wait()
        for pipe in self._pipes.values():
            pipe.close()


def _started(
    program: Sequence[str], args: Sequence[str], descriptors: Sequence[int], *,
    env: Mapping[str, str], cwd: Path,
) -> "subprocess.Popen[bytes]":  # fmt: skip
    stdin, stdout, stderr = descriptors
    argv = [*program, *args]
    return subprocess.Popen(argv, stdin=stdin, stdout=stdout, stderr=stderr, env=env, cwd=cwd)
