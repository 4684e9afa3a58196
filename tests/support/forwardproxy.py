"""A forward proxy: tunnels for https (CONNECT), whole addresses for http."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit


class ForwardProxy:
    """Passes requests on.

    Args:
        authorization: The header that it wants to see, or an empty text.

    Attributes:
        url: Where it is.
        asked: The first line of every request.
    """

    def __init__(self, authorization: str = "") -> None:
        self._authorization = authorization
        self.url = ""
        self.asked: list[str] = []
        self._passing: set[asyncio.Task[None]] = set()

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on one connection."""
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)

    async def ended(self) -> None:
        """Wait until its clients have closed their connections."""
        await asyncio.gather(*self._passing)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await self._pass(reader, writer)
        await _close(writer)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *headers = head.rstrip().split("\r\n")
        self.asked.append(first)
        given = [line for line in headers if line.lower().startswith("proxy-authorization:")]
        if self._authorization and given != [f"Proxy-Authorization: {self._authorization}"]:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        method, address, version = first.split()
        target = urlsplit(f"//{address}" if method == "CONNECT" else address)
        server_reader, server = await asyncio.open_connection(target.hostname, target.port)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            kept = [line for line in headers if line not in given]
            lines = [f"{method} {target.path}?{target.query} {version}", *kept, "Connection: close"]
            server.write("\r\n".join([*lines, "", ""]).encode())
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_copy(reader, server))
                both.create_task(_copy(server_reader, writer))
        finally:
            await _close(server)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()


@asynccontextmanager
async def forwarding(authorization: str = "") -> AsyncIterator[ForwardProxy]:
    """Run a forward proxy on a free port."""
    proxy = ForwardProxy(authorization)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
        await proxy.ended()
