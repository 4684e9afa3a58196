"""What the daemon asks of every store."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ingestd.model import Body, Point, StoredPoint
from ingestd.sinks.identity import Identity


@dataclass(frozen=True, slots=True)
class Encoded:
    """What became of some points.

    Attributes:
        body: Those that this kind of store takes, or None if none are left.
        raw_bytes: The body's size before compression.
        refused: Those that it would drop or garble in silence, each as its own
            payload with the reason.
    """

    body: Body | None
    raw_bytes: int
    refused: Sequence[tuple[bytes, str]]


class Sink(Protocol):
    """Our adapter to one kind of store.

    ``encode``, ``split`` and ``join`` are pure, and are called off the event loop.
    """

    async def open(self) -> None:
        """Prepare for writing, creating what the config asks to create.

        Raises:
            StoreUnavailable: It cannot be reached, or will not let us in.
        """

    async def close(self) -> None:
        """Let go of connections and files."""

    async def identify(self) -> Identity:
        """Ask who answers; what cannot be found out stays empty. Nothing is written."""

    @property
    def expected(self) -> str:
        """What should answer: a product, and its major version if that matters."""

    async def check(self) -> list[str]:
        """Try the store without writing to it; return warnings for the operator.

        Raises:
            StoreUnavailable: It cannot be reached, or will not let us in.
        """

    def encode(self, points: Sequence[Point]) -> Encoded:
        """Turn points into a body, setting aside what the store would not keep."""

    def split(self, data: bytes) -> list[bytes]:
        """Take a body apart into one readable payload for each point.

        Raises:
            UnreadableBody: It is damaged, or was made for another kind of store.
        """

    def join(self, payloads: Sequence[bytes]) -> bytes:
        """Make a body of payloads.

        Raises:
            UnsendablePayload: This kind of store cannot have one of them.
        """

    def key(self, payload: bytes) -> bytes:
        """Return what tells a payload's point from others: its series and its time."""

    async def write(self, data: bytes) -> None:
        """Store a whole body.

        Raises:
            StoreUnavailable: It may work later.
            BodyTooLarge: Its halves may work.
            BodyRejected: It will never work as it is.
        """

    async def read(
        self, series: str, *, start_us: int, end_us: int, tags: dict[str, str]
    ) -> list[StoredPoint]:
        """Return the points of one series from start to before end, in time order.

        Tags narrow the answer: a point is in it if it carries all of them.

        Raises:
            QueryError: The store could not answer.
        """

    async def latest(self, *, since_us: int) -> list[StoredPoint]:
        """Return the newest point of every series that has one since then.

        Raises:
            QueryError: The store could not answer.
        """

    def scan(self, *, start_us: int, end_us: int) -> AsyncIterator[Sequence[StoredPoint]]:
        """Yield everything from start to before end, in chunks, for a copy.

        Raises:
            QueryError: The store could not answer.
        """
