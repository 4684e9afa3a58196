"""A store that accepts everything and looks at nothing until it is asked.

It runs in a process of its own, so that it shares neither event loop nor GIL
with what is measured. Bodies are kept as they came; counting them comes after
the race. ``GET /up`` and ``/down`` make it accept or answer 503; ``/points``,
``/live`` and ``/last`` tell what came, and ``/reset`` forgets it.
"""

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from isal import isal_zlib

GZIP: Final = b"\x1f\x8b"
END: Final = b"\r\n\r\n"


class Store:
    """What came, and whether more is accepted."""

    def __init__(self) -> None:
        self.bodies: list[tuple[float, bytes]] = []
        self.down = False

    def post(self, body: bytes) -> bytes:
        """Take a body."""
        if self.down:
            return b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
        self.bodies.append((time.monotonic(), body))
        return b"HTTP/1.1 204 No Content\r\n\r\n"

    def get(self, path: str) -> bytes:
        """Answer a question."""
        said: Any = {}
        match path:
            case "/up" | "/down":
                self.down = path == "/down"
            case "/last":
                said = self.bodies[-1][0] if self.bodies else 0.0
            case "/points":
                said = sum(text.count(b"\n") + 1 for _, text in self.texts())
            case "/live":
                said = list(self.latencies())
            case "/reset":
                self.bodies.clear()
        text = json.dumps(said).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text)

    def texts(self) -> Iterator[tuple[float, bytes]]:
        """Yield when each body came, and its lines."""
        for at, body in self.bodies:
            text = isal_zlib.decompress(body, wbits=31) if body.startswith(GZIP) else body
            yield at, text.strip(b"\n")

    def latencies(self) -> Iterator[tuple[float, float]]:
        """Yield when each live reading came, and how old it was."""
        for at, text in self.texts():
            if b"series=live " in text:
                for line in text.split(b"\n"):
                    if b"series=live " in line:
                        yield at, at - float(line.split()[1].partition(b"=")[2])


class Exchange(asyncio.Protocol):
    """One connection: as much HTTP as clients speak here."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting = bytearray()
        self._length: int | None = None
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note where to answer."""
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._waiting += data
        while True:
            if self._length is None:
                head, end, rest = self._waiting.partition(END)
                if not end:
                    return
                self._head, self._waiting = bytes(head), rest
                _, found, after = self._head.lower().partition(b"content-length:")
                self._length = int(after.partition(b"\r\n")[0]) if found else 0
            if len(self._waiting) < self._length:
                return
            body = bytes(self._waiting[: self._length])
            del self._waiting[: self._length]
            self._length = None
            verb, path, _ = self._head.decode().split(" ", 2)
            answer = self._store.post(body) if verb == "POST" else self._store.get(path)
            self._transport.write(answer)


async def serve() -> None:
    """Serve until the end of standard input, after printing the port."""
    loop, store = asyncio.get_running_loop(), Store()
    server = await loop.create_server(lambda: Exchange(store), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


class NullStore:
    """Our hold on the process."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str) -> Any:
        """Ask it, or tell it, something."""
        with urllib.request.urlopen(f"{self.url}{path}", timeout=120) as reply:
            return json.load(reply)

    def quiet(self, *, after: float, patience: float) -> float:
        """Wait until nothing has come for a while; return when the last body did.

        Args:
            after: Wait for something that comes after that, in monotonic seconds.
            patience: How long nothing must have come, in seconds.
        """
        while True:
            last: float = self.ask("/last")
            if last > after and time.monotonic() - last > patience:
                return last
            time.sleep(0.1)


@contextmanager
def running() -> Iterator[NullStore]:
    """Run a null store."""
    argv = [sys.executable, "-m", "bench.nullstore"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield NullStore(f"http://127.0.0.1:{int(process.stdout.readline())}")
        process.communicate()


if __name__ == "__main__":
    asyncio.run(serve())
