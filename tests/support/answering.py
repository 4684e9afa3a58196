"""A store without a server, which answers as a test says."""

import asyncio
import threading
from collections.abc import Callable, Sequence

from ingestd.config.model import InfluxStore
from ingestd.model import Point
from ingestd.sinks.identity import Identity
from ingestd.sinks.influxdb import InfluxSink2
from ingestd.sinks.protocol import Encoded


class AnsweringSink(InfluxSink2):
    """A store without a server.

    Attributes:
        answer: What it says to points at some seconds; None if it takes them.
        opening: What it says when it is opened, one each; then it opens.
        opened: How often it was.
        bodies: The seconds of the points of each request.
        has: The seconds of all points that it took.
        join_error: What goes wrong when a body is made of payloads, or None.
        threads: The names of those in which bodies were made and taken apart.
        who: What it says of itself, one each, and the last one from then on; nothing while empty.
        asked: How often it was asked for that.
    """

    def __init__(self) -> None:
        super().__init__(
            InfluxStore(name="main", url="http://127.0.0.1:9", org="o", bucket="b", token="t")
        )
        self.answer: Callable[[list[int]], Exception | None] = lambda _seconds: None
        self.opening: list[Exception] = []
        self.opened = 0
        self.bodies: list[list[int]] = []
        self.has: set[int] = set()
        self.join_error: Exception | None = None
        self.threads: set[str] = set()
        self.who = [Identity("InfluxDB", "v2.7.1")]
        self.asked = 0

    async def open(self) -> None:
        """Count, and open unless something is to be said first."""
        self.opened += 1
        if self.opening:
            raise self.opening.pop()

    async def identify(self) -> Identity:
        """Say who answers, or never answer."""
        self.asked += 1
        if not self.who:
            await asyncio.Event().wait()
        return self.who.pop(0) if len(self.who) > 1 else self.who[0]

    async def write(self, data: bytes) -> None:
        """Note the body, and answer it."""
        lines = super().split(data)
        seconds = [int(line.rpartition(b" ")[2]) // 1_000_000 for line in lines]
        self.bodies.append(seconds)
        if (error := self.answer(seconds)) is not None:
            raise error
        self.has.update(seconds)

    def encode(self, points: Sequence[Point]) -> Encoded:
        """Note the thread, and encode."""
        self.threads.add(threading.current_thread().name)
        return super().encode(points)

    def split(self, data: bytes) -> list[bytes]:
        """Note the thread, and take a body apart."""
        self.threads.add(threading.current_thread().name)
        return super().split(data)

    def join(self, payloads: Sequence[bytes]) -> bytes:
        """Note the thread, and make a body."""
        self.threads.add(threading.current_thread().name)
        if self.join_error is not None:
            raise self.join_error
        return super().join(payloads)
