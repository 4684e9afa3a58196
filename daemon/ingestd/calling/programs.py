"""Programs that coroutines and generators start: supervised and confined as worker processes are.

Whatever becomes of the run or of the daemon, nothing that a program has started outlives it
(``processes``).
"""

import asyncio
import contextlib
import itertools
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Self, TypeVar, TypeVarTuple

from ingestd.calling.access import EVERYTHING, Access, Protection, environment_for
from ingestd.calling.output import KEPT_BYTES, OutputTail
from ingestd.calling.rulesets import Rulesets
from ingestd.processes import MARK, hears, kill_descendants, mark_below, new_mark, supervised

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

EXIT_TIMEOUT: Final = 2.0  # seconds that a process gets to be gone
BUFFERED: Final = 1 << 18  # bytes of output that wait for the plugin, about; then the program waits
NONE: Final = "-"  # in the place of an argument

_NUMBERS: Final = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be started.

    Attributes:
        command: The program and its arguments.
        folder: Where it runs, or None for where the daemon does.
        variables: What its environment has beside what every process of the collector has.
        memory_limit: The data that each of its processes may hold, in bytes, or None.
        files: What the operator has named in the command; it may read these in any case.
        reads_output: Whether its output is read; else that goes where its errors go.
        access: What the collector may see.
    """

    command: Sequence[str]
    folder: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    memory_limit: int | None = None
    files: Sequence[str] = ()
    reads_output: bool = True
    access: Access = field(default_factory=Access)


@dataclass(frozen=True, slots=True)
class _Pipes:
    """Our ends of a program's input and output, and the descriptors of its own."""

    stdin: asyncio.StreamWriter
    stdout: asyncio.StreamReader
    reading: asyncio.ReadTransport
    writing: asyncio.WriteTransport
    its_input: int
    its_output: int

    @classmethod
    async def open(cls, theirs: contextlib.ExitStack) -> Self:
        """Open both.

        Args:
            theirs: Closes those of the program.
        """
        loop = asyncio.get_running_loop()
        its_input, ours_in = os.pipe()
        theirs.callback(os.close, its_input)
        ours_out, its_output = os.pipe()
        theirs.callback(os.close, its_output)
        reader = asyncio.StreamReader(limit=BUFFERED)
        reading, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(ours_out, "rb", buffering=0)
        )
        writing, protocol = await loop.connect_write_pipe(
            lambda: asyncio.StreamReaderProtocol(asyncio.StreamReader()),
            os.fdopen(ours_in, "wb", buffering=0),
        )
        writer = asyncio.StreamWriter(writing, protocol, None, loop)
        return cls(writer, reader, reading, writing, its_input, its_output)

    def close(self) -> None:
        """Close ours; what is still to be written is given up."""
        self.reading.close()
        if not self.writing.is_closing():
            self.writing.abort()


class Program:
    """The daemon's end of one program.

    Attributes:
        stdin: What it reads.
        stdout: What it writes.
    """

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        pipes: _Pipes,
        errors: OutputTail,
        mark: str,
        pool: Executor,
    ) -> None:
        self.stdout, self.stdin, self._pipes = pipes.stdout, pipes.stdin, pipes
        self._process, self._errors, self._mark, self._pool = process, errors, mark, pool
        self._printed = ""

    @property
    def printed(self) -> str:
        """The end of what it wrote to standard error."""
        self._printed = (self._printed + self._errors.take())[-KEPT_BYTES:]
        return self._printed

    async def wait(self) -> int:
        """Return how it ended: its status, or the number of a signal below 0.

        All that it had started and left behind has ended by then.
        """
        return await self._process.wait()

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self._process.returncode is not None or (pid := supervised(self._process.pid)) is None:
            return
        with contextlib.suppress(OSError):
            handle = os.pidfd_open(pid)
            try:
                if supervised(self._process.pid) == pid:
                    signal.pidfd_send_signal(handle, number)
            finally:
                os.close(handle)

    def hears(self, number: int) -> bool:
        """Say whether it has a handler for a signal."""
        pid = None if self._process.returncode is not None else supervised(self._process.pid)
        return pid is not None and hears(pid, number)

    async def end(self, patience: float) -> None:
        """End it and all that it has started, if it has not ended by itself.

        Args:
            patience: How long it has to do so once it was asked, in seconds.
        """
        try:
            if self._process.returncode is None and patience:
                self.send_signal(signal.SIGTERM)
                await self._gone(patience)
        finally:
            try:
                await self._kill()
            finally:  # also if whoever ends it is cancelled meanwhile
                self._close()

    async def _gone(self, within: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._process.wait()

    async def _kill(self) -> None:
        if self._process.returncode is None:
            await self._blocking(kill_descendants, self._process.pid, self._mark)
            await self._gone(EXIT_TIMEOUT)

    def _close(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)
        self._printed = self.printed
        self._errors.close()
        self._pipes.close()

    async def _blocking(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, function, *args)


class Programs:
    """Starts programs.

    Args:
        protection: Returns what the daemon keeps from them.
        rulesets: Makes what confines them; called in the pool alone.
        pool: Where what blocks is called.
    """

    def __init__(
        self, protection: Callable[[], Protection], rulesets: Rulesets, pool: Executor
    ) -> None:
        self._protection, self._rulesets, self._pool = protection, rulesets, pool
        self._mark = new_mark()

    @contextlib.asynccontextmanager
    async def running(self, order: Order, *, patience: float) -> AsyncIterator[Program]:
        """Start a program; end it, and all that it has started, when the context is left.

        Args:
            order: What to start.
            patience: How long it has to end once it was asked, in seconds.
        """
        program = await self._start(order)
        try:
            yield program
        finally:
            await program.end(patience)

    async def _start(self, order: Order) -> Program:
        protection, mark = self._protection(), mark_below(self._mark, next(_NUMBERS))
        ruleset = await self._ruleset(order, protection)
        variables = {**environment_for(order.access, protection), **order.variables, MARK: mark}
        with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
            if ruleset is not None:
                theirs.callback(os.close, ruleset)
            pipes = await _Pipes.open(theirs)
            ours.callback(pipes.close)
            reading, writing = os.pipe()
            theirs.callback(os.close, writing)
            errors = OutputTail(reading)
            ours.callback(errors.close)
            process = await asyncio.create_subprocess_exec(
                *_command_line(order, ruleset),
                stdin=pipes.its_input,
                stdout=pipes.its_output if order.reads_output else writing,
                stderr=writing,
                env=variables,
                pass_fds=[] if ruleset is None else [ruleset],
                process_group=0,
            )
            ours.pop_all()
        return Program(process, pipes, errors, mark, self._pool)

    async def _ruleset(self, order: Order, protection: Protection) -> int | None:
        """Return a descriptor of what confines a program, which the caller closes, or None."""
        access = _with_files(order.files, order.access, protection)
        asked = self._pool.submit(self._rulesets.get, access, protection, Path(sys.prefix))
        try:
            confined = await asyncio.wrap_future(asked)
        except asyncio.CancelledError:  # then nobody takes what a thread may still be making
            asked.add_done_callback(
                lambda it: None if it.cancelled() else _close_second(it.result())
            )
            raise
        return None if confined is None else confined[1]


def _close_second(found: tuple[object, int] | None) -> None:
    if found is not None:
        os.close(found[1])


def _with_files(files: Sequence[str], access: Access, protection: Protection) -> Access:
    """Return an access to some files, too, where that must be said."""
    hidden = tuple(
        path
        for path in map(Path, files)
        if access.reads is not None or any(map(path.is_relative_to, protection.protected))
    )
    if not hidden:
        return access
    known = (EVERYTHING,) if access.reads is None else access.reads
    return replace(access, reads=(*known, *hidden))


def _command_line(order: Order, ruleset: int | None) -> list[str]:
    """Return the command line that starts a program below a supervisor."""
    return [
        sys.executable,
        "-P",
        "-B",
        "-m",
        "ingestd.processes",
        str(os.getpid()),
        "ingestd.processes.program",
        order.folder or NONE,
        NONE if order.memory_limit is None else str(order.memory_limit),
        NONE if ruleset is None else str(ruleset),
        *order.command,
    ]
