"""What comes from a broker, and what it is asked for."""

from collections.abc import Sequence
from typing import NamedTuple


class Message(NamedTuple):
    """What arrived.

    Attributes:
        topic: Where it was published.
        payload: What was published.
        time: When it arrived, in Unix seconds.
        mid: The broker's number for it; 0 if it needs no ack.
        qos: How it was delivered: 0 or 1.
    """

    topic: str
    payload: bytes
    time: float
    mid: int
    qos: int


class Subscription(NamedTuple):
    """What the broker is asked for.

    Attributes:
        filter: Which topics.
        qos: The quality asked for.
        describes: Whether its messages describe others, so that what is retained of them is
            wanted with each connection.
    """

    filter: str
    qos: int
    describes: bool = False


class Outgoing(NamedTuple):
    """What is published, at QoS 0 and not retained.

    Attributes:
        topic: Where.
        payload: What.
    """

    topic: str
    payload: bytes


def fits(levels: Sequence[str], topic: str) -> bool:
    """Say whether the broker would deliver a topic for a filter with these levels."""
    found = topic.split("/")
    if topic.startswith("$") and levels[0] in {"+", "#"}:
        return False
    for at, wanted in enumerate(levels):
        if wanted == "#":
            return True
        if at >= len(found) or wanted not in ("+", found[at]):
            return False
    return len(found) == len(levels)
