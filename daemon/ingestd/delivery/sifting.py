"""Takes bodies apart and puts them together; pure, and called off the event loop."""

import random
from collections.abc import Sequence
from itertools import pairwise

from ingestd.errors import BodyRejected, StoreError
from ingestd.model import Body
from ingestd.sinks import Sink

# Payloads of one point each, with the reason why the store does not take them.
Refused = Sequence[tuple[bytes, str]]


def sifted(sink: Sink, body: Body, error: StoreError) -> tuple[Refused, Sequence[Body]]:
    """Sort out a body that a store did not take; return what it refuses, and what to try again.

    Args:
        sink: The kind of store.
        body: The body.
        error: What the store said.

    Raises:
        UnreadableBody: It was made for another kind of store.
    """
    payloads = sink.split(body.data)
    if len(payloads) == 1:
        return [(payload, str(error)) for payload in payloads], []
    if isinstance(error, BodyRejected) and error.bad:
        good = [payload for at, payload in enumerate(payloads) if at not in error.bad]
        refused = [(payloads[at], why) for at, why in error.bad.items()]
        return refused, [part(sink, body, good)] if good else []
    middle = len(payloads) // 2
    return [], [part(sink, body, half) for half in (payloads[:middle], payloads[middle:])]


def cut(sink: Sink, body: Body, parts: int) -> list[Body]:
    """Cut a body into so many parts of about the same number of points.

    Raises:
        UnreadableBody: It was made for another kind of store.
    """
    payloads = sink.split(body.data)
    parts = min(parts, len(payloads))
    bounds = [len(payloads) * at // parts for at in range(parts + 1)]
    return [part(sink, body, payloads[start:end]) for start, end in pairwise(bounds)]


def some_of(sink: Sink, body: Body, most: int) -> list[Body]:
    """Return a few points of a body, picked at random, each as a body of its own.

    Raises:
        UnreadableBody: It was made for another kind of store.
    """
    payloads = sink.split(body.data)
    picked = random.sample(payloads, min(most, len(payloads)))
    return [part(sink, body, [payload]) for payload in picked]


def part(sink: Sink, body: Body, payloads: Sequence[bytes]) -> Body:
    """Make a body of some of the payloads of another."""
    return Body(sink.join(payloads), len(payloads), body.first_us, body.last_us)


def join(sink: Sink, bodies: Sequence[Body]) -> Body:
    """Make one body of several.

    Raises:
        UnreadableBody: One of them was made for another kind of store.
    """
    payloads = [payload for body in bodies for payload in sink.split(body.data)]
    return Body(
        sink.join(payloads),
        len(payloads),
        min(body.first_us for body in bodies),
        max(body.last_us for body in bodies),
    )
