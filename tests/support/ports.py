"""Free loopback ports that no two processes are given, however many test sessions run.

A port is given long before a server listens on it, and must stay free for that server
while it is down for a moment. So each process that asks for ports, be it a worker of
pytest-xdist, a benchmark or the worker of another session, claims a block of them, and
holds it until it ends.
"""

import os
import secrets
import socket
from collections import deque
from functools import cache
from typing import Final

# Below Linux's range for outgoing connections: a client's socket must not take the
# port of a server that is down for a moment.
FIRST: Final = 20_000
BLOCK: Final = 187  # ports
BLOCKS: Final = 64


class Block:
    """The ports that belong to this process.

    The claim is a socket in Linux's abstract namespace, which only one process can bind,
    of any user. The kernel gives it back when the process ends in any way.
    """

    def __init__(self) -> None:
        self._claim = socket.socket(socket.AF_UNIX)
        self._ports = self._claimed()
        self._given = deque[int](maxlen=len(self._ports) // 2)

    def free_port(self) -> int:
        """Return a port that is free now, and that was not given lately."""
        while True:
            # Not random.choice: every parallel worker seeds that alike.
            port = secrets.choice(self._ports)
            if port in self._given or not _is_free(port):
                continue
            self._given.append(port)
            return port

    def _claimed(self) -> range:
        for number in range(BLOCKS):
            try:
                self._claim.bind(f"\0ingestd-test-ports-{number}")
            except OSError:
                continue
            first = FIRST + number * BLOCK
            return range(first, first + BLOCK)
        raise RuntimeError(f"ports for tests: expected one free block of {BLOCKS}, got none")


def free_port() -> int:
    """Return a loopback port on which no server listens, and that no other process is given."""
    return _block(os.getpid()).free_port()


@cache
def _block(_pid: int) -> Block:
    """Return the block of a process; one that was forked must claim its own."""
    return Block()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
