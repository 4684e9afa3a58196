"""Where the points of one store went."""

from dataclasses import dataclass

from ingestd.clock import Clock


@dataclass(slots=True)
class Account:
    """The part of the accounting that nobody else counts; see ``delivery``.

    Attributes:
        inherited: Found spooled or dead when the daemon started.
        stored: The store took them.
        dropped: Given up: a full spool, too old, damaged on disk, or purged by the operator.
        in_flight: Out of the lane, and not yet anywhere else.
        drained: Stored or dead, and about to leave the spool.
        moved_at: When something last moved, in monotonic seconds.
    """

    inherited: int = 0
    stored: int = 0
    dropped: int = 0
    in_flight: int = 0
    drained: int = 0
    moved_at: float = 0.0

    def moved(self, clock: Clock) -> None:
        """Note that there is progress."""
        self.moved_at = clock.monotonic()

    def landed(self, points: int) -> None:
        """Note that points in flight have arrived somewhere."""
        self.in_flight -= points

    def taken(self, points: int) -> None:
        """Note that spooled points have arrived elsewhere, and are not yet out of the spool."""
        self.drained += points
