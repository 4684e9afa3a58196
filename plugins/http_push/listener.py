"""An address of our own: TCP or a socket file, with TLS or without."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web

from ingestd.plugins import _files
from ingestd.plugins._listening import reason_of, socket_file

from .connections import KEEP_ALIVE, Connections

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MODE: Final = 0o660  # of a socket file: a web server in front may be in our group
LINGER: Final = 2.0  # seconds that a refused body may go on, so that the answer gets through
LET_GO: Final = 1.0  # seconds that requests get at the end
# aiohttp tells of every stranger that speaks no HTTP, with a traceback.
QUIET: Final = logging.getLogger("ingestd.http_push.aiohttp")
QUIET.setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen.

    Attributes:
        host: A name or an address; empty for a socket file.
        port: The port; 0 for a free one.
        path: The socket file, or empty.
    """

    host: str
    port: int
    path: str = ""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"unix:{self.path}" if self.path else f"{host}:{self.port}"


class Certificate:
    """A certificate and its key, whose files are renewed now and then.

    Raises:
        OSError: A file cannot be read, or is none (``ssl.SSLError`` is one).
    """

    def __init__(self, cert: str, key: str | None) -> None:
        self._cert, self._key = cert, key
        self._stamp = self._look()
        self.context = self._load()

    def _load(self) -> ssl.SSLContext:
        for path in filter(None, (self._cert, self._key)):
            _files.check(path)  # OpenSSL would wait for a pipe
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._cert, self._key)
        return context

    def _look(self) -> list[int]:
        return [_changed_ns(Path(path)) for path in (self._cert, self._key) if path]

    def follow(self) -> bool:
        """Load the files again if they have changed; say whether they had.

        Raises:
            OSError: They have, and are no good; said once for each change.
        """
        before, self._stamp = self._stamp, self._look()
        if self._stamp == before:
            return False
        # A new one: half of a pair that does not match would stay in the old one.
        self.context = self._load()
        return True


@asynccontextmanager
async def serving(
    address: Address, handler: Handler, certificate: Certificate | None
) -> AsyncIterator[Address]:
    """Answer at an address until the context ends; give it with the real port.

    Raises:
        OSError: The address cannot be used.
    """
    connections: Connections | None = None

    async def handle(request: web.Request) -> web.StreamResponse:
        if connections is None:
            return await handler(request)
        connections.began(request.protocol)
        try:
            return await handler(request)
        finally:
            connections.answered(request.protocol)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(
        app,
        access_log=None,
        logger=QUIET,
        shutdown_timeout=LET_GO,
        auto_decompress=False,
        keepalive_timeout=KEEP_ALIVE,
        lingering_time=LINGER,
    )
    await runner.setup()
    if runner.server is None:
        raise RuntimeError("aiohttp: expected a server after the setup, got none")
    connections = Connections(runner.server, lambda: certificate.context if certificate else None)
    try:
        async with listening(address, connections) as where:
            yield where
    finally:
        await connections.cancel()
        await runner.cleanup()


@asynccontextmanager
async def listening(address: Address, connections: Connections) -> AsyncIterator[Address]:
    """Accept connections until the context ends; give the address with the real port.

    Raises:
        OSError: The address cannot be used.
    """
    loop = asyncio.get_running_loop()
    with ExitStack() as stack:
        try:
            if address.path:
                sock = stack.enter_context(socket_file(Path(address.path), mode=MODE))
                server = await loop.create_unix_server(connections.connected, sock=sock)
                where = address
            else:
                server = await loop.create_server(connections.connected, address.host, address.port)
                where = Address(address.host, server.sockets[0].getsockname()[1])
        except OSError as error:
            problem = f"listen: {address}: {reason_of(error)}; choose another address"
            raise OSError(problem) from error
        try:
            yield where
        finally:
            stack.close()  # a socket file goes before its listener does
            server.close()


def _changed_ns(path: Path) -> int:
    """Return when a file changed, in nanoseconds since the epoch, or 0 if that cannot be told."""
    with suppress(OSError):
        return _files.within(path, path.stat).st_mtime_ns
    return 0
