"""The daemon's end of one worker process: its channel, its output, its death.

What the daemon starts is a supervisor (``processes``). It starts the worker, ends what that leaves
behind, and ends as it has ended.
"""

import asyncio
import contextlib
import itertools
import os
import signal
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, Self, TypeVar, TypeVarTuple

from ingestd.calling.access import Access, Grants, Protection
from ingestd.calling.output import OutputTail
from ingestd.calling.rulesets import Rulesets
from ingestd.calling.starting import worker_command, worker_environment
from ingestd.errors import (
    PluginError,
    PluginLoadError,
    ResultError,
    ResultTooLarge,
    WorkerDied,
)
from ingestd.processes import kill_descendants, kill_strays, mark_below, strays
from ingestd.worker import Fingerprint, wire

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

EXIT_TIMEOUT: Final = 2.0  # seconds that a process gets to be gone

_ERRORS: Final = {
    each.__name__: each
    for each in (PluginError, PluginLoadError, ResultError, ResultTooLarge, WorkerDied)
}

_NUMBERS: Final = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Key:
    """What a worker serves, and what it may see.

    Attributes:
        root: The file or folder with the plugin's code.
        fingerprint: Of the plugin.
        host: The mark of its host, or an empty string.
        access: What the collector may see.
        protection: What the daemon keeps from all.
        python: The interpreter that it runs in, or None for ours.
    """

    root: Path
    fingerprint: Fingerprint
    host: str
    access: Access
    protection: Protection
    python: Path | None = None


@dataclass(frozen=True, slots=True)
class Confinement:
    """What keeps one process and its descendants within bounds.

    Attributes:
        mark: By which its descendants are known.
        grants: What they may do where, or None if they are not confined.
        pool: Where what blocks is called.
    """

    mark: str
    grants: Grants | None
    pool: Executor


class Log(Protocol):
    """The part of a bound structlog logger that plugins use."""

    def debug(self, event: str, **values: Any) -> object:
        """Log what helps to find a fault."""

    def info(self, event: str, **values: Any) -> object:
        """Log what happened."""

    def warning(self, event: str, **values: Any) -> object:
        """Log what was not expected."""

    def error(self, event: str, **values: Any) -> object:
        """Log what a person must look at."""


class WorkerProcess:
    """The daemon's end of one worker process.

    Attributes:
        key: What it serves.
        output: The end of what it prints.
        calls: How many requests it has got.
    """

    def __init__(
        self,
        key: Key,
        process: asyncio.subprocess.Process,
        channel: socket.socket,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        output: OutputTail,
        confinement: Confinement,
    ) -> None:
        self.key = key
        self._confinement = confinement
        self.output = output
        self.calls = 0
        self._fit = True
        self._expiry: asyncio.TimerHandle | None = None
        self._process = process
        self._channel = channel
        self._reader, self._writer = streams
        self._exit = asyncio.create_task(process.wait(), name=f"ingestd.worker[{process.pid}].wait")
        self._exit.add_done_callback(self._has_exited)

    @classmethod
    async def start(cls, key: Key, *, rulesets: Rulesets, mark: str, pool: Executor) -> Self:
        """Start a process that will serve one version of a plugin.

        Args:
            key: What it serves.
            rulesets: Makes that of the process.
            mark: What the marks of all processes of this daemon begin with.
            pool: Where what blocks is called.
        """
        mark = mark_below(mark, next(_NUMBERS))
        grants, ruleset = await _confined(key, rulesets, pool)
        with contextlib.ExitStack() as passed_on, contextlib.ExitStack() as kept:
            if ruleset is not None:
                passed_on.callback(os.close, ruleset)
            ours, theirs = socket.socketpair()
            passed_on.callback(theirs.close)
            kept.callback(ours.close)
            ours.setblocking(False)
            reading, writing = os.pipe()
            passed_on.callback(os.close, writing)
            output = OutputTail(reading)
            kept.callback(output.close)
            streams = await asyncio.open_connection(sock=ours, limit=1 << 20)
            kept.callback(streams[1].close)
            process = await asyncio.create_subprocess_exec(
                *worker_command(theirs.fileno(), ruleset, key.python),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                env=worker_environment(key.access, key.protection, mark),
                pass_fds=[each for each in (theirs.fileno(), ruleset) if each is not None],
                process_group=0,
            )
            kept.pop_all()  # the worker closes that, from here on
        return cls(key, process, ours, streams, output, Confinement(mark, grants, pool))

    @property
    def fit(self) -> bool:
        """Whether the process can take another call."""
        return self._fit and self.alive

    @property
    def alive(self) -> bool:
        """Whether the process is there, busy or not."""
        return not self._exit.done() and not self._has_hung_up()

    @property
    def up_to_date(self) -> bool:
        """Whether the process may see what one that is started now may see."""
        grants = self._confinement.grants
        return grants is None or grants.up_to_date

    def _has_hung_up(self) -> bool:
        """Whether the process is dead though the event loop has not heard of that yet."""
        try:
            return not self._channel.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except OSError as error:
            return not isinstance(error, BlockingIOError)

    def await_call(self, seconds: float, expire: Callable[[], None]) -> None:
        """Wait for the next call.

        Args:
            seconds: How long.
            expire: Called if none has come by then.
        """
        self._expiry = asyncio.get_running_loop().call_later(seconds, expire)

    def prepare_call(self) -> None:
        """Make the process ready for a call after it has been idle."""
        if self._expiry is not None:
            self._expiry.cancel()
        self.output.take()  # what its threads printed since the last run belongs to no run

    async def exchange(self, message: Mapping[str, Any], log: Log) -> dict[str, Any] | None:
        """Send a request and return the result, or None if the plugin gave none.

        It must give one unless it was written for a host.

        Raises:
            PluginError: The run failed, or the process ended before it answered.
        """
        try:
            data = wire.encode(message)
        except Exception as exc:  # noqa: BLE001 (the border to foreign values)
            raise PluginError(f"the arguments of run cannot be sent: {exc}") from None
        self.calls += 1
        self._fit = False  # until it has answered
        readings: list[Any] = []
        with contextlib.suppress(ConnectionError):  # its end shows below
            self._writer.write(data)
            await self._writer.drain()
        while (answer := await self._message()) is not None:
            match answer:
                case ("readings", part):
                    readings += part
                case ("log", level, event, values):
                    getattr(log, level)(event, **values)
                case ("done", dict() | None as result):
                    self._fit = True
                    if result is not None and readings:
                        result["readings"] = readings + result["readings"]
                    return result
                case ("failed", error, text, details, spoiled):
                    self._fit = not spoiled
                    raise _ERRORS[error](text, details=details)
        raise WorkerDied(await self._cause_of_exit())

    async def _message(self) -> Any:
        """Return the next message, or None when there will be no more."""
        # Without this, a row of buffered messages would not let other tasks run.
        await asyncio.sleep(0)
        try:
            length = int.from_bytes(await self._reader.readexactly(wire.LENGTH_BYTES), "big")
            if length > wire.LARGEST:
                raise WorkerDied("the plugin wrote to its worker's private channel")
            body = await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        try:
            return wire.decode(body)
        except Exception as exc:  # noqa: BLE001 (the border to foreign code: it may be garbled)
            raise ResultError(f"run gave what cannot be read: {exc}") from None

    async def _cause_of_exit(self) -> str:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(EXIT_TIMEOUT):
                code = await asyncio.shield(self._exit)
            if code >= 0:
                return f"the worker process exited with status {code} in the middle of the run"
            why = " (out of memory?)" if -code == signal.SIGKILL else ""
            return f"the worker process was killed by {signal.Signals(-code).name}{why}"
        return "the worker process closed its channel"

    async def stop(self, *, kill: bool) -> None:
        """Stop the process and all that it started; return once it is gone.

        An idle one is asked by closing its channel, so that its exit handlers
        run. One that the kernel cannot kill at once (stuck on a dead network
        disk) is left to the kernel.
        """
        if self._expiry is not None:
            self._expiry.cancel()
        try:
            if kill:
                await self._kill_family()
            self._writer.close()
            async with asyncio.timeout(EXIT_TIMEOUT):
                await asyncio.shield(self._exit)
        except TimeoutError:
            await self._kill_family()
        finally:  # also if whoever stops it is cancelled meanwhile
            self._writer.close()
            self._kill_supervisor()
            self.output.close()
        await self._blocking(kill_descendants, None, self._confinement.mark)

    async def end_strays(self) -> list[str]:
        """Kill what a run has started and left behind; return the names of those processes.

        Its process may keep helpers for the next run: children of its own, in its group.
        """
        if not strays(self._process.pid):
            return []
        return await self._blocking(kill_strays, self._process.pid)

    async def _kill_family(self) -> None:
        """Kill all that the supervisor has below it, and the supervisor.

        It may be about to start the process, which then ends at once.
        """
        if not self._exit.done():
            await self._blocking(kill_descendants, self._process.pid, self._confinement.mark)
            self._kill_supervisor()

    async def _blocking(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._confinement.pool, function, *args)

    def _has_exited(self, _: asyncio.Task[int]) -> None:
        # A channel that another process still holds open would hide the death from us.
        abort = self._writer.transport.abort
        asyncio.get_running_loop().call_later(EXIT_TIMEOUT / 2, abort)

    def _kill_supervisor(self) -> None:
        """Kill what has not ended by itself; the kernel then kills the process below it."""
        if not self._exit.done():  # or else the number may belong to another process by now
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)


async def _confined(
    key: Key, rulesets: Rulesets, pool: Executor
) -> tuple[Grants, int] | tuple[None, None]:
    """Return what a process may do, and a descriptor of its ruleset that the caller closes."""
    asked = pool.submit(rulesets.get, key.access, key.protection, key.root)
    try:
        return await asyncio.wrap_future(asked) or (None, None)
    except asyncio.CancelledError:  # then nobody takes what a thread may still be making
        asked.add_done_callback(_close_ruleset)
        raise


def _close_ruleset(asked: "Future[tuple[Grants, int] | None]") -> None:
    if not asked.cancelled() and not asked.exception() and (confined := asked.result()):
        os.close(confined[1])
