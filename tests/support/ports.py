"""Free loopback ports."""

import secrets
import socket
from typing import Final

# Below Linux's range for outgoing connections: a client's socket must not take the
# port of a server that is down for a moment.
PORTS: Final = range(20_000, 32_000)


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    while True:
        # Not random.choice: every parallel worker seeds that alike.
        port = PORTS[secrets.randbelow(len(PORTS))]
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
