"""The daemon's end of one worker process: its channel, its output, its death."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, Self

from ingestd.calling.output import OutputTail
from ingestd.calling.starting import worker_command, worker_environment
from ingestd.errors import (
    PluginError,
    PluginLoadError,
    ResultError,
    ResultTooLarge,
    WorkerDied,
)
from ingestd.worker import Fingerprint, wire

EXIT_TIMEOUT: Final = 2.0  # seconds that a process gets to be gone

_ERRORS: Final = {
    each.__name__: each
    for each in (PluginError, PluginLoadError, ResultError, ResultTooLarge, WorkerDied)
}

# What a worker serves: the path and fingerprint of a plugin, the mark of its host, and the
# environment variables that are withheld from it.
Key = tuple[str, Fingerprint, str, frozenset[str]]


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
    ) -> None:
        self.key = key
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
    async def start(cls, key: Key) -> Self:
        """Start a process that will serve one version of a plugin."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        reading, writing = os.pipe()
        output = OutputTail(reading)
        streams = await asyncio.open_connection(sock=ours, limit=1 << 20)
        try:
            process = await asyncio.create_subprocess_exec(
                *worker_command(theirs.fileno()),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                env=worker_environment(key[-1]),
                pass_fds=(theirs.fileno(),),
                process_group=0,
            )
        except BaseException:
            streams[1].close()
            output.close()
            raise
        finally:
            theirs.close()
            os.close(writing)
        return cls(key, process, ours, streams, output)

    @property
    def fit(self) -> bool:
        """Whether the process can take another call."""
        return self._fit and not self._exit.done() and not self._has_hung_up()

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
            length = int.from_bytes(await self._reader.readexactly(wire.LENGTH_BYTES))
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
            code = await asyncio.wait_for(asyncio.shield(self._exit), EXIT_TIMEOUT)
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
        if kill:
            self._kill_group()
        self._writer.close()
        try:
            await asyncio.wait_for(asyncio.shield(self._exit), EXIT_TIMEOUT)
        except TimeoutError:
            pass
        finally:
            self._kill_group()
            self.output.close()

    def _has_exited(self, _: asyncio.Task[int]) -> None:
        self._signal_group()  # nothing that the plugin started stays
        # A channel that another process still holds open would hide the death from us.
        abort = self._writer.transport.abort
        asyncio.get_running_loop().call_later(EXIT_TIMEOUT / 2, abort)

    def _kill_group(self) -> None:
        if not self._exit.done():  # or else the number may belong to another process by now
            self._signal_group()

    def _signal_group(self) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
