"""Where the points of one store are, moved by named transitions, and whether the numbers add up.

Accounting. ``accepted + inherited = stored + spooled + dead + dropped + in memory`` holds
whenever the event loop is between two callbacks: each transition adds to one side and takes
from the other without an await in between. What lanes, spools and dead letters hold they
count for themselves, so that the sum is a check and no tautology.
"""

from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any, assert_never

from ingestd.clock import Clock


class Origin(Enum):
    """Where points were before they reached the store or the dead letters."""

    FLIGHT = "flight"
    SPOOL = "spool"


@dataclass(slots=True, kw_only=True)
class Account:
    """The part of the accounting that is counted neither by the lane nor on disk.

    Attributes:
        clock: Where the time comes from.
        inherited: Found spooled or dead when the daemon started.
        stored: The store took them.
        dropped: Given up: a full spool, too old, damaged on disk, or purged by the operator.
        in_flight: Out of the lane, and not yet anywhere else.
        drained: Stored or dead, and about to leave the spool.
        moved_at: When there was progress last, in monotonic seconds.
    """

    clock: Clock
    inherited: int = 0
    stored: int = 0
    dropped: int = 0
    in_flight: int = 0
    drained: int = 0
    moved_at: float = 0.0

    def progress(self) -> None:
        """Note that something moves: a request leaves, or the disk is tried again."""
        self.moved_at = self.clock.monotonic()

    def to_flight(self, points: int) -> None:
        """Move points out of the lane."""
        if not self.in_flight:
            self.progress()
        self.in_flight += points

    def to_store(self, points: int, origin: Origin) -> None:
        """Move points to the store."""
        self._leave(points, origin)
        self.stored += points

    def to_dead(self, points: int, origin: Origin) -> None:
        """Move points to the dead letters, which have counted them."""
        self._leave(points, origin)

    def to_spool(self, points: int) -> None:
        """Move points in flight to the spool, which has counted them."""
        self.in_flight -= points

    def back_to_flight(self, points: int) -> None:
        """Take points back that were stored, since they have to be stored once more."""
        self.stored -= points
        self.in_flight += points

    def out_of_spool(self, points: int) -> None:
        """Note that the spool has let go of points that were stored or dead already."""
        self.drained -= points

    def drop_in_flight(self, points: int) -> None:
        """Give up points in flight."""
        self.in_flight -= points
        self.dropped += points

    def drop_from_disk(self, points: int) -> None:
        """Give up points that the spool or the dead letters have let go of."""
        self.dropped += points

    def _leave(self, points: int, origin: Origin) -> None:
        match origin:
            case Origin.FLIGHT:
                self.in_flight -= points
            case Origin.SPOOL:
                self.drained += points
            case _:
                assert_never(origin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Both sides of the accounting identity at one instant, in points."""

    accepted: int
    inherited: int
    stored: int
    spooled: int
    dead: int
    dropped: int
    in_memory: int

    @property
    def off_by(self) -> int:
        """What the identity is off by; anything but 0 is a bug of ours."""
        ends = self.stored + self.spooled + self.dead + self.dropped + self.in_memory
        return self.accepted + self.inherited - ends


class Auditor:
    """Logs an error when the accounting is off, once for each difference."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._off_by = 0

    def look(self, balance: Balance) -> None:
        """Compare the two sides."""
        if balance.off_by == self._off_by:
            return
        self._off_by = balance.off_by
        if balance.off_by:
            self._log.error(
                "bug: the points of a store do not add up",
                off_by=balance.off_by,
                **asdict(balance),
            )
