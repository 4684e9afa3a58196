"""A TCP proxy that stands before a server and does to its clients what networks do."""

import asyncio
import socket
import struct
import threading
from contextlib import suppress
from enum import StrEnum
from typing import Final, Self

from tests.support.deadline import WITHIN
from tests.support.ports import free_port

SLOW: Final = 0.03  # seconds for each piece of what passes
CHUNK: Final = 65536
ACCEPTED: Final = 3  # turns of the event loop until a connection belongs to its server
# Closing such a socket resets the connection, as a crashed peer would.
RESET: Final = struct.pack("ii", 1, 0)


class Mode(StrEnum):
    """What the proxy does with connections, those that exist included."""

    UP = "up"
    SLOW = "slow"
    REFUSING = "refusing"  # the port is closed
    HANGING = "hanging"  # requests are read and go nowhere
    RESETTING = "resetting"  # in the middle of a request
    CUTTING = "cutting"  # in the middle of the answer: the server has done its work


class Proxy:
    """Passes connections on to a port, or ill-treats them.

    Attributes:
        url: Where clients find it, with the scheme it was made with.
        mode: What it does at the moment; ``set`` changes it.
    """

    def __init__(self, port: int, *, scheme: str = "http") -> None:
        self._target, self._port = port, free_port()
        self.url = f"{scheme}://127.0.0.1:{self._port}"
        self.mode = Mode.UP
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")
        self._server: asyncio.Server | None = None
        self._pairs: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}
        self._changed = asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        self.set(Mode.UP)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(WITHIN)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def set(self, mode: Mode) -> None:
        """Behave in another way from now on."""
        asyncio.run_coroutine_threadsafe(self._set(mode), self._loop).result(WITHIN)

    def cut(self) -> None:
        """Reset all the connections there are; new ones are welcome."""
        self._loop.call_soon_threadsafe(self._reset_all)

    async def _set(self, mode: Mode) -> None:
        before, self.mode = self.mode, mode
        if mode is Mode.REFUSING or before is Mode.HANGING:
            self._reset_all()
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
        if mode is Mode.REFUSING:
            await self._stop_listening()
        elif self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)

    async def _close(self) -> None:
        self._reset_all()
        await self._stop_listening()
        self._changed.set()
        await asyncio.gather(*self._pairs, return_exceptions=True)

    async def _stop_listening(self) -> None:
        """Close the port; a connection that was just accepted is one that asyncio knows by then.

        A server that is closed before that would leave its socket open (Python 3.11).
        """
        if self._server is None:
            return
        for each in self._server.sockets:
            self._loop.remove_reader(each.fileno())
        for _ in range(ACCEPTED):
            await asyncio.sleep(0)
        self._server.close()
        self._server = None

    def _reset_all(self) -> None:
        for writers in self._pairs.values():
            reset(*writers)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        writers = self._pairs[task] = [writer]
        try:
            if self.mode is Mode.REFUSING:
                return
            behind, to_server = await asyncio.open_connection("127.0.0.1", self._target)
            writers.append(to_server)
            requests = asyncio.ensure_future(self._pass(reader, to_server, Mode.RESETTING))
            answers = asyncio.ensure_future(self._pass(behind, writer, Mode.CUTTING))
            try:
                await asyncio.wait({requests, answers}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in (requests, answers):
                    each.cancel()
                await asyncio.gather(requests, answers, return_exceptions=True)
        except OSError:
            pass  # the server itself is down
        finally:
            del self._pairs[task]
            reset(*writers)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, deadly: Mode
    ) -> None:
        """Pass on what comes, up to the end or the first trouble."""
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                if self.mode is Mode.HANGING:
                    await self._changed.wait()
                    return
                if self.mode is Mode.SLOW:
                    await asyncio.sleep(SLOW)
                if self.mode is deadly:
                    writer.write(data[: len(data) // 2])
                    await writer.drain()
                    writer.close()  # politely, so that what got through is looked at
                    return
                writer.write(data)
                await writer.drain()
        if self.mode is Mode.HANGING and deadly is Mode.CUTTING:
            await self._changed.wait()  # that the server has hung up does not get through either


def reset(*writers: asyncio.StreamWriter) -> None:
    """Close connections as a crash would."""
    for writer in writers:
        if writer.is_closing():
            continue
        connection = writer.get_extra_info("socket")
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        writer.transport.abort()
