"""What is read from a connection and written to it: the socket, and when it is left alone.

Memory is bounded by not reading. Some brokers (mosquitto 2.0 among them) send more than they were
told that we can take, so the window in CONNECT is a wish; when as many messages are in our hands
as may be, the socket is left alone until some are safe. A broker takes that for a dead client
after a while, so who reads is told when it has lasted too long.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from paho.mqtt.client import Client as PahoClient

from .inbox import Inbox

# Messages read in one turn of the event loop.
BURST: Final = 64


@dataclass(frozen=True, slots=True)
class Calls:
    """Whom to tell what.

    Attributes:
        lost: That the connection is of no use any more, and why.
        paused: That nothing is read for now.
        too_long: That nothing was read for too long.
    """

    lost: Callable[[str], None]
    paused: Callable[[], None]
    too_long: Callable[[], None]


class Traffic:
    """Reads and writes a connection.

    Args:
        paho: The client that has the socket, and makes messages of what comes.
        inbox: Where messages go.
        patience: For how long nothing may be read, in seconds.
        calls: Whom to tell what.
    """

    def __init__(self, paho: PahoClient, inbox: Inbox, *, patience: float, calls: Calls) -> None:
        self._paho, self._inbox, self._patience, self._calls = paho, inbox, patience, calls
        self._loop = asyncio.get_running_loop()
        self._paused: asyncio.TimerHandle | None = None
        self._over = False
        paho.on_socket_register_write = self._on_register_write

    def watch(self) -> None:
        """Read the socket ourselves from now on."""
        sock = self._paho.socket()
        if sock is not None:
            self._loop.add_reader(sock, self._read)

    def go_on(self) -> None:
        """Read on, if there is room again."""
        if self._paused is None or self._inbox.full:
            return
        self._paused.cancel()
        self._paused = None
        if not self._over:
            self.watch()
            self._loop.call_soon(self._read)

    def leave(self) -> None:
        """Tell nobody any more that nothing is read."""
        if self._paused is not None:
            self._paused.cancel()

    def end(self) -> None:
        """Read nothing more, since the connection is lost."""
        self._over = True

    def _read(self) -> None:
        """Read until nothing is there, we are full, or others have waited long enough."""
        for _ in range(BURST):
            if self._over or self._paused is not None:
                return
            if self._inbox.full:
                self._pause()
                return
            before = self._inbox.held
            try:
                self._paho.loop_read()
            except Exception as error:  # noqa: BLE001 -- the border to paho, which may raise anything
                self._calls.lost(f"{type(error).__name__}: {error}")
                return
            if self._inbox.held == before and not self._decrypted():
                return
        # What TLS has decrypted already does not make the socket readable again.
        self._loop.call_soon(self._read)

    def _pause(self) -> None:
        sock = self._paho.socket()
        if sock is not None:
            self._loop.remove_reader(sock)
        self._paused = self._loop.call_later(self._patience, self._calls.too_long)
        self._calls.paused()

    def _decrypted(self) -> bool:
        sock: Any = self._paho.socket()
        if sock is None or sock.fileno() < 0:
            return False
        return hasattr(sock, "pending") and sock.pending() > 0

    def _on_register_write(self, _client: Any, _userdata: Any, sock: Any) -> None:
        # Called in the thread that connects, too.
        self._loop.call_soon_threadsafe(self._watch_writing, sock)

    def _watch_writing(self, sock: Any) -> None:
        """Write what waits, once the socket takes it.

        aiomqtt watches the number that the socket had when this was asked for. Until now the
        socket may have been closed, and its number given to another connection.
        """
        still_ours = sock is self._paho.socket()
        if still_ours and self._paho.want_write():
            self._loop.add_writer(sock, self._write)

    def _write(self) -> None:
        try:
            self._paho.loop_write()
        except Exception as error:  # noqa: BLE001 -- the border to paho, which may raise anything
            self._calls.lost(f"{type(error).__name__}: {error}")
