"""A source of the past: it gives the records of any window, as often as it is asked."""

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support.jsonserver import answer_with, serving

FIRST: Final = 1_500_000_000  # Unix seconds; there is a record for every second

# Reads a meter of ``tests.support.source`` in its runs, and the archive in a window.
PLUGIN: Final = """
    async def run(*, ctx, live, archive, last=0, start=None, end=None, page=100, **_):
        if start is None:
            async with ctx.http.get(live, params={"after": last, "limit": 500}) as reply:
                records = await reply.json()
            if records:
                readings = [(time, "live", value) for _, time, value in records]
                yield {"readings": readings, "last": records[-1][0]}
            return
        at, end = int(start.timestamp()), int(end.timestamp())
        while at < end:
            window = {"start": at, "end": min(end, at + page)}
            async with ctx.http.get(archive, params=window) as reply:
                readings = [(time, "past", value) for time, value in await reply.json()]
            # Who believed this would ask the meter for what it never gave out.
            yield {"readings": readings, "last": 10**9}
            at += page
    """


def value_of(at: int) -> float:
    """Return the value of the record of a second."""
    return at % 977 + 0.25


def contents(start: int, end: int) -> dict[int, list[float]]:
    """Return a window as a store should have it: Unix microseconds to values."""
    return {at * 1_000_000: [value_of(at)] for at in range(start, end)}


class Archive(ThreadingHTTPServer):
    """Serves windows.

    Attributes:
        latency: How long it thinks about each, in seconds.
        asked: The windows, in the order in which they were asked for.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.latency = 0.0
        self.asked: list[tuple[int, int]] = []

    @property
    def url(self) -> str:
        """Where the windows are."""
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing when the daemon that asked was killed."""


class Handler(BaseHTTPRequestHandler):
    """Answers requests such as ``/?start=7&end=9``."""

    protocol_version = "HTTP/1.1"
    server: Archive

    def do_GET(self) -> None:
        """Answer with the records of a window."""
        asked = parse_qs(urlsplit(self.path).query)
        start, end = int(asked["start"][0]), int(asked["end"][0])
        self.server.asked.append((start, end))
        time.sleep(self.server.latency)
        answer_with(self, [(at, value_of(at)) for at in range(start, end)])

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def archive() -> Iterator[Archive]:
    """Give an archive."""
    with Archive() as server, serving(server):
        yield server
