"""The options of the delivery to one store, with their defaults."""

from dataclasses import dataclass
from typing import Final

STALLED: Final = 120.0  # seconds without any progress, beside a store's timeout


@dataclass(slots=True, kw_only=True)
class Limits:
    """All that can be set about one delivery; a reload may change ``spool_age``.

    Attributes:
        points: Most points in a batch, and in a body made of several spooled ones.
        size_bytes: Largest body before compression.
        linger: Longest time that a point waits for its batch to fill, in seconds.
        requests: Most requests for one body: a body that is all bad costs two for each
            point, so past this number its pieces are no longer halved.
        first_retry: The first pause before a store that is down is probed, in seconds.
        longest_retry: The longest such pause, in seconds.
        write_ahead: Whether every batch goes to the spool before it is sent.
        passing: How long a body may be in the spool with ``write_ahead`` before it counts as
            a backlog, in seconds.
        spool_bytes: How much the bodies in the spool may weigh together.
        spool_age: How long a body may wait in the spool, in seconds, or None for ever.
        disk_retry: The pause before a disk that was full or failed is tried again, in seconds.
        resume_below: The part of ``spool_bytes`` below which a full spool has room again.
        read_ahead: How many bodies of ``points`` the drain reads from the spool at once.
        stalled: How long a delivery may be busy without any progress, in seconds.
    """

    points: int
    size_bytes: int
    linger: float
    requests: int = 256
    first_retry: float = 1.0
    longest_retry: float = 60.0
    write_ahead: bool = False
    passing: float = 5.0
    spool_bytes: int
    spool_age: float | None = None
    disk_retry: float = 5.0
    resume_below: float = 0.9
    read_ahead: int = 8
    stalled: float = STALLED
