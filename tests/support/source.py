"""A source with a position: meters whose numbered records are read page by page.

It stands for every source that can be asked for what came after a record, and
notes each request that breaks the rule: only a record that was given out may be
asked behind.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.daemonprocess import DaemonProcess
from tests.support.jsonserver import answer_with, serving

FIRST: Final = 1_600_000_000  # Unix seconds of record 0; each comes a second after the other
MOST: Final = 1000

# The three shapes of a plugin, each reading the meter of that name.
SHAPES: Final[Mapping[str, str]] = {
    "function": """
        import json
        import urllib.request

        def run(*, url, limit, last=0, **_):
            page = f"{url}?after={last}&limit={limit}"
            with urllib.request.urlopen(page, timeout=60) as reply:
                records = json.load(reply)
            readings = [(time, "function", value) for _, time, value in records]
            return {"readings": readings, "last": records[-1][0] if records else last}
        """,
    "coroutine": """
        async def run(*, ctx, url, limit, last=0, **_):
            async with ctx.http.get(url, params={"after": last, "limit": limit}) as reply:
                records = await reply.json()
            readings = [(time, "coroutine", value) for _, time, value in records]
            return {"readings": readings, "last": records[-1][0] if records else last}
        """,
    "generator": """
        import asyncio

        async def run(*, ctx, url, limit, last=0, **_):
            while not ctx.stopping:
                async with ctx.http.get(url, params={"after": last, "limit": limit}) as reply:
                    records = await reply.json()
                if records:
                    last = records[-1][0]
                    readings = [(time, "generator", value) for _, time, value in records]
                    yield {"readings": readings, "last": last}
                else:
                    await asyncio.sleep(0.02)
        """,
}


def value_of(number: int) -> float:
    """Return the value of a record, from which its number can be told."""
    return number * 0.25 + 0.5


def number_of(value: float) -> int:
    """Return the record that has a value."""
    return round((value - 0.5) / 0.25)


def readings(count: int) -> dict[int, float]:
    """Return the first records as a store should have them: Unix microseconds to value."""
    return {(FIRST + n) * 1_000_000: value_of(n) for n in range(1, count + 1)}


class MeterServer(ThreadingHTTPServer):
    """Serves the records of meters, which come into being as soon as they are read.

    Attributes:
        head: How many records every meter has.
        served: The last record of each meter that was given out.
        skipped: What was asked for behind records that had been skipped.
        asked: How many requests there were for each meter.
        given: The numbers of all the records that each meter gave.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.head = 0
        self.served: dict[str, int] = defaultdict(int)
        self.asked: dict[str, int] = defaultdict(int)
        self.given: dict[str, set[int]] = defaultdict(set)
        self.skipped: list[str] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing when the daemon that asked was killed."""

    def url(self, meter: str) -> str:
        """Return where the records of a meter are."""
        return f"http://127.0.0.1:{self.server_address[1]}/{meter}"

    def page(self, meter: str, after: int, limit: int) -> list[tuple[int, int, float]]:
        """Return the records after one."""
        self.asked[meter] += 1
        if after > self.served[meter]:
            self.skipped.append(f"{meter}: after {after}, given out are {self.served[meter]}")
        last = min(self.head, after + min(limit, MOST))
        self.served[meter] = max(self.served[meter], last)
        self.given[meter] |= set(range(after + 1, last + 1))
        return [(n, FIRST + n, value_of(n)) for n in range(after + 1, last + 1)]

    def install(self, daemon: DaemonProcess, *, limit: int = 40) -> dict[str, dict[str, Any]]:
        """Write a plugin of each shape; return their ``collectors:``, which read all the time."""
        for name, text in SHAPES.items():
            daemon.plugin(name, text)
        return {
            name: {
                "plugin": name,
                "params": {"url": self.url(name), "limit": limit},
                **({} if name == "generator" else {"every": "100ms"}),
            }
            for name in SHAPES
        }


class Handler(BaseHTTPRequestHandler):
    """Answers requests such as ``/<meter>?after=7&limit=100``."""

    protocol_version = "HTTP/1.1"
    server: MeterServer

    def do_GET(self) -> None:
        """Answer with a page of records."""
        parts = urlsplit(self.path)
        asked = {name: int(values[0]) for name, values in parse_qs(parts.query).items()}
        page = self.server.page(parts.path.strip("/"), asked["after"], asked["limit"])
        answer_with(self, page)

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def meters() -> Iterator[MeterServer]:
    """Give a server of meters without any records yet."""
    with MeterServer() as server, serving(server):
        yield server
    assert not server.skipped
