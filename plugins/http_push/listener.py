"""An address of our own: TCP or a socket file, with TLS or without.

Everything that a stranger can cost is bounded. A connection has to send its first
request within some seconds; when too many are waiting to do so, the oldest of
these is closed, so that a crowd of silent connections never keeps others out.
"""

import asyncio
import logging
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

FIRST_REQUEST: Final = 20.0  # seconds
MOST_SILENT: Final = 128
KEEP_ALIVE: Final = 75.0  # seconds between two requests of a connection
LINGER: Final = 2.0  # seconds that a refused body may go on, so that the answer gets through
LET_GO: Final = 1.0  # seconds that requests get at the end
SOCKET_MODE: Final = 0o660  # a web server in front may be in our group
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
    """A certificate and its key, which somebody renews now and then.

    Raises:
        OSError: A file cannot be read, or is none (``ssl.SSLError`` is one).
    """

    def __init__(self, cert: str, key: str | None) -> None:
        self._cert, self._key = cert, key
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._stamp = self._look()
        self.context.load_cert_chain(cert, key)

    def _look(self) -> list[int]:
        paths = [Path(path) for path in (self._cert, self._key) if path]
        return [path.stat().st_mtime_ns if path.exists() else 0 for path in paths]

    def follow(self) -> bool:
        """Load the files again if they have changed; say whether they had.

        Raises:
            OSError: They have, and are no good; said once for each change.
        """
        before, self._stamp = self._stamp, self._look()
        if self._stamp == before:
            return False
        self.context.load_cert_chain(self._cert, self._key)
        return True


class Doorman:
    """Closes connections that say nothing."""

    def __init__(self, make: Callable[[], web.RequestHandler]) -> None:
        self._make = make
        self._silent: dict[Any, asyncio.TimerHandle] = {}

    def connected(self) -> web.RequestHandler:
        """Return what speaks HTTP on a new connection."""
        connection = self._make()
        if len(self._silent) >= MOST_SILENT:
            self._close(next(iter(self._silent)))
        loop = asyncio.get_running_loop()
        self._silent[connection] = loop.call_later(FIRST_REQUEST, self._close, connection)
        return connection

    def spoke(self, connection: Any) -> None:
        """Note that a request came."""
        timer = self._silent.pop(connection, None)
        if timer is not None:
            timer.cancel()

    def _close(self, connection: Any) -> None:
        self.spoke(connection)
        connection.force_close()

    def leave(self) -> None:
        """Watch nobody any more."""
        for timer in self._silent.values():
            timer.cancel()
        self._silent.clear()


@asynccontextmanager
async def serving(
    address: Address, handler: Handler, certificate: Certificate | None
) -> AsyncIterator[Address]:
    """Answer at an address until the context ends; give it with the real port.

    Raises:
        OSError: The address cannot be used.
    """
    doorman: Doorman | None = None

    async def handle(request: web.Request) -> web.StreamResponse:
        if doorman is not None:
            doorman.spoke(request.protocol)
        return await handler(request)

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
    doorman = Doorman(runner.server)
    try:
        async with listening(address, doorman, certificate) as (where, server):
            yield where
            server.close()
    finally:
        doorman.leave()
        await runner.cleanup()


@asynccontextmanager
async def listening(
    address: Address, doorman: Doorman, certificate: Certificate | None
) -> AsyncIterator[tuple[Address, asyncio.Server]]:
    """Accept connections until the context ends.

    Raises:
        OSError: The address cannot be used.
    """
    loop = asyncio.get_running_loop()
    tls = certificate.context if certificate else None
    try:
        if address.path:
            server = await loop.create_unix_server(doorman.connected, address.path, ssl=tls)
            open_to_group(address.path)
            where = address
        else:
            server = await loop.create_server(
                doorman.connected, address.host, address.port, ssl=tls
            )
            where = Address(address.host, server.sockets[0].getsockname()[1])
    except OSError as error:
        known = error.errno is not None and error.errno > 0
        reason = os.strerror(error.errno) if error.errno and known else str(error)
        raise OSError(f"listen: {address}: {reason.lower()}; choose another address") from error
    try:
        yield where, server
    finally:
        server.close()
        if address.path:
            remove(address.path)


def open_to_group(path: str) -> None:
    """Let our group use a socket file; until then nobody but us could."""
    Path(path).chmod(SOCKET_MODE)


def remove(path: str) -> None:
    """Remove a socket file, if it is still there."""
    with suppress(OSError):
        Path(path).unlink()
