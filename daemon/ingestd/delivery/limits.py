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
        tries: Most requests that are spent at one go on looking for the bad points of a
            body; the rest of it goes on from the spool, so that fresh bodies have their turn.
        failures_before_sifting: After how many failures in a row a server that fails is
            suspected of failing over a reading.
        doubtful: After how many failures in a row while a body is halved the server has to
            show again that it takes others; more than halving costs down to one point.
        suspect_pause: The pause before a suspect point is sent again, in seconds.
        suspect_tries: How often a server has to fail over a suspect point, and take others
            each time, before the point is a dead letter. With the pause this is longer
            than a server that starts, or a disk that was full, usually takes.
        first_retry: The first pause before a store that is down is probed, in seconds.
        longest_retry: The longest such pause, in seconds.
        write_ahead: Whether every batch goes to the spool before it is sent.
        passing: How long a body may be in the spool with ``write_ahead`` before it counts as
            a backlog, in seconds.
        spool_bytes: How much the bodies in the spool may weigh together.
        spool_age: How long a body may wait in the spool, in seconds, or None for ever.
        clocks_agreeing: How long the wall clock must have gone along with the monotonic one
            before points are dropped by it, in seconds.
        disk_retry: The pause before a disk that was full or failed is tried again, in seconds.
        resume_below: The part of ``spool_bytes`` below which a full spool has room again.
        read_ahead: How many bodies of ``points`` the drain reads from the spool at once.
        stalled: How long a delivery may be busy without any progress, in seconds.
    """

    points: int
    size_bytes: int
    linger: float
    tries: int = 256
    failures_before_sifting: int = 2
    doubtful: int = 32
    suspect_pause: float = 60.0
    suspect_tries: int = 6
    first_retry: float = 1.0
    longest_retry: float = 60.0
    write_ahead: bool = False
    passing: float = 5.0
    spool_bytes: int
    spool_age: float | None = None
    clocks_agreeing: float = 3600.0
    disk_retry: float = 5.0
    resume_below: float = 0.9
    read_ahead: int = 8
    stalled: float = STALLED
