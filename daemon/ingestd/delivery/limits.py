"""What the delivery to one store keeps to; a reload may change it."""

from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class Limits:
    """The limits of one delivery.

    Attributes:
        points: Most points in a body made of several spooled ones.
        size_bytes: Largest body before compression.
        write_ahead: Whether every batch goes to the spool before it is sent.
        spool_age: How long a body may wait in the spool, in seconds, or None for ever.
        stalled: How long a delivery may be busy without any progress, in seconds.
    """

    points: int
    size_bytes: int
    write_ahead: bool = False
    spool_age: float | None = None
    stalled: float = 120.0
