"""Connections that say nothing, and what becomes of them.

A connection has to send its first request within some seconds, and the next ones
within some more. When too many are waiting to do so, the one that has waited
longest is closed, so that a crowd never keeps others out. The time runs from the
beginning: whoever does not even come to the end of TLS is one of them, which is
why TLS is begun here, and not by the server that accepts.
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


class Doorman:
    """Knows every connection, and closes those that say nothing.

    Args:
        make: Returns what speaks HTTP on a new connection.
        tls: Returns what to encrypt with, or None; asked for each connection.
    """

    def __init__(
        self, make: Callable[[], web.RequestHandler], tls: Callable[[], ssl.SSLContext | None]
    ) -> None:
        self._make, self.tls = make, tls
        self._guests: dict[Any, Guest] = {}
        # Oldest first.
        self._silent: dict[Guest, asyncio.TimerHandle] = {}
        self._idle: dict[Guest, asyncio.TimerHandle] = {}

    def connected(self) -> "Guest":
        """Return what takes a new connection."""
        speaker = self._make()
        guest = self._guests[speaker] = Guest(self, speaker)
        self._watch(guest, self._silent, within=FIRST_REQUEST, most=MOST_SILENT)
        return guest

    def began(self, speaker: Any) -> None:
        """Note that a request came."""
        if speaker in self._guests:
            self._forget(self._guests[speaker])

    def answered(self, speaker: Any) -> None:
        """Note that a request has its answer."""
        if speaker in self._guests:  # else it has gone meanwhile
            self._watch(self._guests[speaker], self._idle, within=KEEP_ALIVE, most=MOST_IDLE)

    def left(self, guest: "Guest") -> None:
        """Note that a connection is no more."""
        self._forget(guest)
        self._guests.pop(guest.speaker, None)

    def _watch(
        self,
        guest: "Guest",
        among: "dict[Guest, asyncio.TimerHandle]",
        *,
        within: float,
        most: int,
    ) -> None:
        self._forget(guest)
        if len(among) >= most:
            self._close(next(iter(among)))
        among[guest] = asyncio.get_running_loop().call_later(within, self._close, guest)

    def _forget(self, guest: "Guest") -> None:
        for among in (self._silent, self._idle):
            timer = among.pop(guest, None)
            if timer is not None:
                timer.cancel()

    def _close(self, guest: "Guest") -> None:
        self._forget(guest)
        guest.close()

    async def leave(self) -> None:
        """Watch nobody any more, and close those that have not begun to speak HTTP."""
        guests = list(self._guests.values())
        for guest in guests:
            self._forget(guest)
        greetings = [guest.greeting for guest in guests if guest.greeting is not None]
        for greeting in greetings:
            greeting.cancel()
        if greetings:
            await asyncio.wait(greetings)


class Guest(asyncio.Protocol):
    """One connection: TLS, if there is any, and then HTTP."""

    def __init__(self, doorman: Doorman, speaker: web.RequestHandler) -> None:
        self._doorman, self.speaker = doorman, speaker
        self.greeting: asyncio.Task[None] | None = None
        self._transport: Any = None
        self._speaks = False
        self._early = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with TLS, or else with HTTP."""
        self._transport = transport
        tls = self._doorman.tls()
        if tls is None:
            self._speak()
        else:
            name = "ingestd[http_push].greeting"
            self.greeting = asyncio.create_task(self._greet(tls), name=name)

    async def _greet(self, tls: ssl.SSLContext) -> None:
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
            self._speak()
        except OSError:  # it speaks no TLS, or nothing, or has gone
            plain.abort()
            self._doorman.left(self)

    def _speak(self) -> None:
        self._speaks = True
        self.speaker.connection_made(self._transport)
        if self._early:
            self.speaker.data_received(bytes(self._early))
            self._early.clear()

    def data_received(self, data: bytes) -> None:
        """Hand over what came; the first of it may come just before we know that TLS stands."""
        if self._speaks:
            self.speaker.data_received(data)
        else:
            self._early += data

    def eof_received(self) -> None:
        """Hand over the end."""
        if self._speaks:
            self.speaker.eof_received()

    def pause_writing(self) -> None:
        """Hand over that the other side is slow."""
        self.speaker.pause_writing()

    def resume_writing(self) -> None:
        """Hand over that it is slow no more."""
        self.speaker.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand over that it is gone."""
        self._doorman.left(self)
        if self._speaks:
            self.speaker.connection_lost(exc)

    def close(self) -> None:
        """End it."""
        if self._speaks:
            self.speaker.force_close()
        elif self._transport is not None:
            self._transport.abort()
