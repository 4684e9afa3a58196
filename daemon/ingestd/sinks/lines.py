"""What the sinks that speak line protocol share: making bodies and sending them."""

import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial

from ingestd.config import InfluxStore, VictoriaStore
from ingestd.errors import BodyRejected
from ingestd.model import Body, Point, StoredPoint
from ingestd.sinks import linebodies, lineprotocol
from ingestd.sinks.answers import Reply, error_of, in_json
from ingestd.sinks.connection import Connection
from ingestd.sinks.identifying import identify
from ingestd.sinks.identity import Identity
from ingestd.sinks.linebodies import Packed
from ingestd.sinks.lineprotocol import Dialect, Prefixes
from ingestd.sinks.protocol import Encoded


class LineSink(ABC):
    """Writes lines to one address of one server.

    Args:
        config: Where the server is, and what it wants.
        headers: Sent with every request.
        dialect: How the server reads line protocol.
        path: Of its write endpoint.
        target: The request's parameters besides the precision.
        precisions: What the server calls the units of ``lineprotocol.UNITS``.
    """

    def __init__(
        self,
        config: InfluxStore | VictoriaStore,
        *,
        headers: Mapping[str, str],
        dialect: Dialect,
        path: str,
        target: Mapping[str, str],
        precisions: Mapping[bytes, str],
    ) -> None:
        self._compress = config.gzip
        self._prefixes = Prefixes(dialect)
        self._path, self._target, self._precisions = path, target, precisions
        self._connection = Connection(
            config.url,
            timeout=config.timeout,
            headers=headers,
            secrets=[config.token, config.password],
            ca_file=config.ca_file,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._connection.close()

    @abstractmethod
    def window_us(self) -> tuple[int, int]:
        """Return the first time the server keeps and the first too late for it.

        In microseconds since the Unix epoch.
        """

    def encode(self, points: Sequence[Point]) -> Encoded:
        """Turn points into a body, setting aside what the server would not keep."""
        low_us, high_us = self.window_us()
        lines = lineprotocol.encode(points, self._prefixes, low_us=low_us, high_us=high_us)
        if not lines.points:
            return Encoded(None, 0, lines.refused)
        data = linebodies.packed(lines, compress=self._compress)
        body = Body(data, lines.points, lines.first_us, lines.last_us)
        return Encoded(body, len(lines.text), lines.refused)

    def split(self, data: bytes) -> list[bytes]:
        """Take a body apart into lines."""
        return linebodies.split(data)

    def join(self, payloads: Sequence[bytes]) -> bytes:
        """Make a body of lines."""
        return linebodies.join(payloads, compress=self._compress)

    def key(self, payload: bytes) -> bytes:
        """Return a line without its number."""
        return payload[: payload.rfind(b"=") + 1] + payload[payload.rfind(b" ") :]

    async def identify(self) -> Identity:
        """Ask who answers."""
        return await identify(self._connection)

    @property
    @abstractmethod
    def expected(self) -> str:
        """What should answer."""

    def is_refusal(self, reply: Reply) -> bool:
        """Say whether an answer is in the words in which this kind of store refuses readings."""
        return in_json(reply)

    async def write(self, data: bytes) -> None:
        """Store a body.

        Raises:
            StoreUnavailable: It may work later.
            BodyTooLarge: Its halves may work.
            BodyRejected: It will never work as it is.
        """
        try:
            body = linebodies.opened(data)
        except ValueError as exc:
            raise BodyRejected(
                f"not of lines: was this store another kind? {exc}", sure=True
            ) from exc
        await self.send(body)

    async def send(self, body: Packed) -> None:
        """Send a body; raises what ``write`` does."""
        packing = {"Content-Encoding": "gzip"} if body.compressed else {}
        reply = await self._connection.request(
            "POST",
            self._path,
            params={**self._target, "precision": self._precisions[body.precision]},
            data=body.data,
            headers={"Content-Type": "text/plain; charset=utf-8", **packing},
        )
        where, now = self._connection.where(self._path), time.time()
        tell = partial(error_of, reply, where=where, now=now, is_refusal=self.is_refusal)
        error = tell()
        if isinstance(error, BodyRejected):
            # Only now are the lines worth looking at: the store may have quoted some.
            error = tell(sent=sent_lines(body))
        if error is not None:
            raise error


def sent_lines(body: Packed) -> list[str]:
    """Return the lines of a body as they were sent."""
    try:
        return [line.decode(errors="replace") for line in body.lines()]
    except ValueError:
        return []


async def in_time_order(chunks: AsyncIterator[list[StoredPoint]]) -> list[StoredPoint]:
    """Return all the points of some chunks by their time."""
    points = [point async for chunk in chunks for point in chunk]
    return sorted(points, key=lambda point: point.time_us)
