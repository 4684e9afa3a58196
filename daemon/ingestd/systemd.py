"""What we tell systemd: ready, reloading, stopping, how we are, that we are alive.

The protocol is a datagram of ``NAME=value`` lines to the socket that systemd
names in the environment. Without one every call does nothing, and when it has
gone away nothing is said: the daemon must not stop for want of a listener.
"""

import os
import socket
import time
from collections.abc import MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Self

from ingestd.model import MICROSECONDS

# A full queue at systemd's end must not hold up the event loop for long.
SEND_TIMEOUT: Final = 1.0  # seconds


@dataclass(frozen=True, slots=True)
class Notifier:
    """Our end of systemd's notification socket.

    Attributes:
        address: The socket: a path, or ``@`` and an abstract name; empty for none.
        watchdog_interval: How often to call ``watchdog``, in seconds: half the time
            after which systemd restarts us. None if it does not watch.
    """

    address: str = ""
    watchdog_interval: float | None = None

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str]) -> Self:
        """Find the socket, and remove it from the environment.

        It is ours alone: a child process that inherited it could speak for us.
        """
        address = environ.pop("NOTIFY_SOCKET", "")
        timeout_us = environ.pop("WATCHDOG_USEC", "")
        pid = environ.pop("WATCHDOG_PID", "") or str(os.getpid())
        watched = bool(address) and timeout_us.isdecimal() and pid == str(os.getpid())
        timeout = int(timeout_us) / MICROSECONDS if watched else 0
        return cls(address, timeout / 2 or None)

    def ready(self, status: str = "") -> None:
        """Say that the start, or a reload, is done."""
        self._send("READY=1", *as_status(status))

    def reloading(self) -> None:
        """Say that a reload began; ``ready`` ends it, whether it worked or not."""
        # systemd compares this with the moment it asked, and waits for ever without it.
        now_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={now_us}")

    def stopping(self, status: str = "") -> None:
        """Say that the stop began."""
        self._send("STOPPING=1", *as_status(status))

    def status(self, text: str) -> None:
        """Show a line in ``systemctl status``."""
        self._send(*as_status(text))

    def watchdog(self) -> None:
        """Say that we are alive."""
        if self.watchdog_interval is not None:
            self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        """Send one datagram, if systemd listens."""
        if not self.address or not lines:
            return
        # The kernel writes the "@" of an abstract name as a zero byte.
        name = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.settimeout(SEND_TIMEOUT)
            sock.sendto("\n".join(lines).encode(errors="replace"), name)


def as_status(text: str) -> list[str]:
    """Return the line for a status text: a new line in it would begin another message."""
    return [f"STATUS={' '.join(text.split())}"] if text else []
