"""What the sinks that speak line protocol share: making bodies and sending them."""

import time
from collections.abc import Mapping

from ingestd import lineprotocol
from ingestd.errors import BodyRejected
from ingestd.lineprotocol import Lines
from ingestd.model import Body
from ingestd.sinks.answers import error_of
from ingestd.sinks.connection import Connection
from ingestd.sinks.protocol import Encoded


def encoded(lines: Lines, *, compress: bool) -> Encoded:
    """Return lines as a sink answers ``encode``."""
    if not lines.points:
        return Encoded(None, 0, lines.refused)
    data = lineprotocol.pack(lines.text, lines.precision, compress=compress)
    body = Body(data, lines.points, lines.first_us, lines.last_us)
    return Encoded(body, len(lines.text), lines.refused)


async def write(
    connection: Connection,
    path: str,
    data: bytes,
    *,
    params: Mapping[str, str],
    precisions: Mapping[bytes, str],
) -> None:
    """Send a body of lines.

    Args:
        connection: To the store.
        path: Of its write endpoint.
        data: A body as ``lineprotocol.pack`` makes it.
        params: Of the request, without the precision.
        precisions: What the store calls the units of ``lineprotocol.UNITS``.

    Raises:
        StoreUnavailable: It may work later.
        BodyTooLarge: Its halves may work.
        BodyRejected: It will never work as it is.
    """
    if data[:1] not in lineprotocol.UNITS:
        raise BodyRejected(f"not a body of lines, but {data[:20]!r}: was this store another kind?")
    text = data[1:]
    packing = {"Content-Encoding": "gzip"} if text.startswith(lineprotocol.GZIP_MAGIC) else {}
    headers = {"Content-Type": "text/plain; charset=utf-8", **packing}
    params = {**params, "precision": precisions[data[:1]]}
    reply = await connection.request("POST", path, params=params, data=text, headers=headers)
    where, now = connection.where(path), time.time()
    error = error_of(reply, where=where, now=now)
    if isinstance(error, BodyRejected):
        # Only now are the lines worth looking at: the store may have quoted some.
        error = error_of(reply, where=where, now=now, sent=sent_lines(data))
    if error is not None:
        raise error


def sent_lines(data: bytes) -> list[str]:
    """Return the lines of a body as they were sent."""
    try:
        _, text = lineprotocol.unpack(data)
    except ValueError:
        return []
    return text.decode(errors="replace").split("\n")
