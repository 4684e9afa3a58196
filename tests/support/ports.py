"""Free loopback ports."""

import os
import secrets
import socket
from collections import deque
from typing import Final

# Below Linux's range for outgoing connections: a client's socket must not take the
# port of a server that is down for a moment. Each parallel worker has ports of its
# own, because a port may be given long before anybody listens there.
WORKERS: Final = 16
WORKER: Final = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
PORTS: Final = range(20_000 + WORKER, 32_000, WORKERS)
GIVEN: Final = deque[int](maxlen=len(PORTS) // 2)


def free_port() -> int:
    """Return a loopback port that nobody listens on, and that was not given lately."""
    while True:
        # Not random.choice: every parallel worker seeds that alike.
        port = PORTS[secrets.randbelow(len(PORTS))]
        if port in GIVEN:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        GIVEN.append(port)
        return port
