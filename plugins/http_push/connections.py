"""Connections that say nothing, and what becomes of them.

A connection has to send its first request within some seconds, and the next ones
within some more. When too many are waiting to do so, the one that has waited
longest is closed, so that a crowd never keeps others out. The time runs from the
beginning, also for one that never comes to the end of the handshake of TLS; so TLS
is begun here, and not by the server that accepts.
"""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, Final

from aiohttp import web

FIRST_REQUEST: Final = 20.0  # seconds
MOST_SILENT: Final = 128
KEEP_ALIVE: Final = 75.0  # seconds between two requests of a connection
MOST_IDLE: Final = 128
GOODBYE: Final = 2.0  # seconds that the other side gets to agree to the end of TLS


class Connections:
    """Knows every connection, and closes those that say nothing.

    Args:
        make: Returns what speaks HTTP on a new connection.
        tls: Returns what to encrypt with, or None; asked for each connection.
    """

    def __init__(
        self, make: Callable[[], web.RequestHandler], tls: Callable[[], ssl.SSLContext | None]
    ) -> None:
        self._make, self.tls = make, tls
        self._known: dict[Any, Connection] = {}
        # Oldest first.
        self._silent: dict[Connection, asyncio.TimerHandle] = {}
        self._idle: dict[Connection, asyncio.TimerHandle] = {}

    def connected(self) -> "Connection":
        """Return what takes a new connection."""
        http = self._make()
        connection = self._known[http] = Connection(self, http)
        self._watch(connection, self._silent, within=FIRST_REQUEST, most=MOST_SILENT)
        return connection

    def began(self, http: Any) -> None:
        """Note that a request came."""
        if http in self._known:
            self._forget(self._known[http])

    def answered(self, http: Any) -> None:
        """Note that a request has its answer."""
        if http in self._known:  # else it has gone meanwhile
            self._watch(self._known[http], self._idle, within=KEEP_ALIVE, most=MOST_IDLE)

    def lost(self, connection: "Connection") -> None:
        """Note that a connection is no more."""
        self._forget(connection)
        self._known.pop(connection.http, None)

    def _watch(
        self,
        connection: "Connection",
        among: "dict[Connection, asyncio.TimerHandle]",
        *,
        within: float,
        most: int,
    ) -> None:
        self._forget(connection)
        if len(among) >= most:
            self._close(next(iter(among)))
        among[connection] = asyncio.get_running_loop().call_later(within, self._close, connection)

    def _forget(self, connection: "Connection") -> None:
        for among in (self._silent, self._idle):
            timer = among.pop(connection, None)
            if timer is not None:
                timer.cancel()

    def _close(self, connection: "Connection") -> None:
        self._forget(connection)
        connection.close()

    async def cancel(self) -> None:
        """Watch none any more, and close those that have not begun to speak HTTP."""
        connections = list(self._known.values())
        for connection in connections:
            self._forget(connection)
        handshakes = [
            connection.handshake for connection in connections if connection.handshake is not None
        ]
        for handshake in handshakes:
            handshake.cancel()
        if handshakes:
            await asyncio.wait(handshakes)


class Connection(asyncio.Protocol):
    """One connection: TLS, if there is any, and then HTTP."""

    def __init__(self, connections: Connections, http: web.RequestHandler) -> None:
        self._all, self.http = connections, http
        self.handshake: asyncio.Task[None] | None = None
        self._transport: Any = None
        self._is_http = False
        self._early = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with TLS, or else with HTTP."""
        self._transport = transport
        tls = self._all.tls()
        if tls is None:
            self._begin_http()
        else:
            name = "ingestd[http_push].handshake"
            self.handshake = asyncio.create_task(self._encrypt(tls), name=name)

    async def _encrypt(self, tls: ssl.SSLContext) -> None:
        plain = self._transport
        try:
            self._transport = await asyncio.get_running_loop().start_tls(
                plain,
                self,
                tls,
                server_side=True,
                ssl_handshake_timeout=FIRST_REQUEST,
                ssl_shutdown_timeout=GOODBYE,
            )
            self._begin_http()
        except OSError:  # it speaks no TLS, or nothing, or has gone
            plain.abort()
            self._all.lost(self)

    def _begin_http(self) -> None:
        self._is_http = True
        self.http.connection_made(self._transport)
        if self._early:
            self.http.data_received(bytes(self._early))
            self._early.clear()

    def data_received(self, data: bytes) -> None:
        """Hand over what came; the first of it may come just before we know that TLS stands."""
        if self._is_http:
            self.http.data_received(data)
        else:
            self._early += data

    def eof_received(self) -> None:
        """Hand over the end."""
        if self._is_http:
            self.http.eof_received()

    def pause_writing(self) -> None:
        """Hand over that the other side is slow."""
        self.http.pause_writing()

    def resume_writing(self) -> None:
        """Hand over that it is slow no more."""
        self.http.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand over that it is gone."""
        self._all.lost(self)
        if self._is_http:
            self.http.connection_lost(exc)

    def close(self) -> None:
        """End the connection."""
        if self._is_http:
            self.http.force_close()
        elif self._transport is not None:
            self._transport.abort()
