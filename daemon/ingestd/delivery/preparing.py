"""A batch made ready to be sent: encoded, and apart by what may go before the backlog. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

from ingestd.model import Body, Point
from ingestd.sinks import Encoded, Sink

TIME_OF: Final = itemgetter(1)


@dataclass(frozen=True, slots=True)
class PreparedBatch:
    """A batch, encoded.

    Attributes:
        fresh: Bodies that may be sent before what is in the spool.
        behind: Bodies that may correct what is in the spool.
        refused: Payloads that this kind of store would not keep, with the reason.
        raw_bytes: The size of all bodies before compression.
        corrects: Whether a point may correct one of the batch ahead.
    """

    fresh: Sequence[Body]
    behind: Sequence[Body]
    refused: Sequence[tuple[bytes, str]]
    raw_bytes: int
    corrects: bool


def prepare(
    sink: Sink,
    points: Sequence[Point],
    *,
    size_bytes: int,
    horizon_us: int | None,
    ahead: Sequence[Point],
) -> PreparedBatch:
    """Encode points, apart by whether they may go before the spool; takes a while.

    Args:
        sink: The kind of store.
        points: The points.
        size_bytes: Largest body before compression.
        horizon_us: The latest time in the spool, or None if nothing is in the way.
        ahead: The points of the batch ahead, which are still under way.
    """
    fresh: list[Body] = []
    behind: list[Body] = []
    refused: list[tuple[bytes, str]] = []
    raw_bytes = 0
    for some, into in zip(beyond(points, horizon_us), (fresh, behind), strict=True):
        for encoded in encode(sink, some, size_bytes):
            refused += encoded.refused
            raw_bytes += encoded.raw_bytes
            if encoded.body is not None:
                into.append(encoded.body)
    return PreparedBatch(fresh, behind, refused, raw_bytes, repeats(points, ahead))


def beyond(
    points: Sequence[Point], horizon_us: int | None
) -> tuple[Sequence[Point], Sequence[Point]]:
    """Return the points beyond the horizon, and the others."""
    if horizon_us is None or min(map(TIME_OF, points)) > horizon_us:
        return points, []
    return (
        [point for point in points if point[1] > horizon_us],
        [point for point in points if point[1] <= horizon_us],
    )


def encode(sink: Sink, points: Sequence[Point], size_bytes: int) -> Iterator[Encoded]:
    """Encode points into as many bodies as the size limit asks for."""
    if not points:
        return
    encoded = sink.encode(points)
    if encoded.raw_bytes <= size_bytes or len(points) == 1:
        yield encoded
        return
    middle = len(points) // 2
    yield from encode(sink, points[:middle], size_bytes)
    yield from encode(sink, points[middle:], size_bytes)


def repeats(points: Sequence[Point], ahead: Sequence[Point]) -> bool:
    """Say whether any point has the series and the time of one that goes before it."""
    if not ahead or min(map(TIME_OF, points)) > max(map(TIME_OF, ahead)):
        return False
    known = {(series.name, time_us) for series, time_us, _ in ahead}
    return any((series.name, time_us) in known for series, time_us, _ in points)
