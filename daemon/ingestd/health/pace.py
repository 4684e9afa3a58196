"""How fast the newest reading of a series moves, and when it has stood still for too long.

What is learnt comes from the *moves*: a move is a newer reading than any before it. Its
length is the time between the two readings or between their arrivals, the longer of both,
because a source that hands over a day at once is expected to stay quiet for a day.

The longest and the shortest move are kept of two windows, the one that fills and the
one before it, so a change of cadence is learnt and an old gap is forgotten. A window
has at least eight moves and spans at least an hour: a burst of messages is no cadence.
A series is regular if the longest move is at most four times the shortest.

A series is late when its newest reading has not moved for longer than its *allowance*:

* ``cadence:`` is given      -> 2 x cadence + two ticks + 30 s
* regular                    -> 2 x longest move + two ticks + 30 s
* anything else              -> a day, or 2 x longest move + two ticks + 30 s if that is more

``two ticks`` is the time from the last good run to the second tick after it; 0 for a stream.
"""

import math
from dataclasses import dataclass
from typing import Final

MARGIN: Final = 30.0  # seconds; a run takes its time, and a tick has its jitter
UNLEARNT: Final = 86_400.0  # seconds; most meters speak at least once a day
WINDOW_MOVES: Final = 8
WINDOW_SECONDS: Final = 3600.0
REGULAR: Final = 4  # times as long as the shortest
SECOND_US: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class PaceKept:
    """What is kept of a pace over a restart.

    Attributes:
        newest_us: The time of the newest reading, in microseconds since the Unix epoch, or None.
        moved_at: When that came, in seconds since the Unix epoch, or None.
        shortest: The shortest move that was learnt, in seconds, or None.
        longest: The longest.
    """

    newest_us: int | None = None
    moved_at: float | None = None
    shortest: float | None = None
    longest: float | None = None


class Pace:
    """Follows the newest reading of one series.

    Args:
        now: When it is met, in monotonic seconds; silence counts from here.

    Attributes:
        newest_us: The time of the newest reading, in microseconds since the Unix epoch, or None.
        moved: When the newest reading moved last, in monotonic seconds.
        lag: How old it was then, in seconds.
    """

    __slots__ = (
        "_before",
        "_fresh",
        "_longest",
        "_moves",
        "_shortest",
        "_since",
        "lag",
        "moved",
        "newest_us",
    )

    def __init__(self, now: float) -> None:
        self.newest_us: int | None = None
        self.moved, self.lag = now, 0.0
        self._fresh = True
        self._before: tuple[float, float] | None = None  # shortest and longest
        self._shortest, self._longest, self._moves, self._since = math.inf, 0.0, 0, now

    @classmethod
    def resumed(cls, kept: PaceKept, *, silent: float, now: float) -> "Pace":
        """Go on where a former daemon ended.

        Args:
            kept: What it left.
            silent: For how many seconds of its life the series had given nothing.
            now: In monotonic seconds.
        """
        pace = cls(now)
        pace.newest_us, pace.moved = kept.newest_us, now - silent
        if kept.newest_us is not None and kept.moved_at is not None:
            pace.lag = max(0.0, kept.moved_at - kept.newest_us / SECOND_US)
        if kept.shortest is not None and kept.longest is not None:
            pace._before = kept.shortest, kept.longest
        return pace

    def see(self, time_us: int, *, now: float, now_us: int) -> bool:
        """Note the newest of some readings; return whether it moved.

        Args:
            time_us: Its time. What lies in the future counts as now, or it would hide all
                that comes later.
            now: In monotonic seconds.
            now_us: By the wall clock, in microseconds since the Unix epoch.
        """
        time_us = min(time_us, now_us)
        before = self.newest_us
        if before is not None and time_us <= before:
            return False
        # The first move after a start is as long as the stop was.
        if before is not None and not self._fresh:
            self._learn(max((time_us - before) / SECOND_US, now - self.moved), now)
        self.newest_us, self.moved, self._fresh = time_us, now, False
        self.lag = (now_us - time_us) / SECOND_US
        return True

    def _learn(self, length: float, now: float) -> None:
        self._shortest = min(self._shortest, length)
        self._longest = max(self._longest, length)
        self._moves += 1
        if self._moves >= WINDOW_MOVES and now - self._since >= WINDOW_SECONDS:
            self._before = self._shortest, self._longest
            self._shortest, self._longest, self._moves, self._since = math.inf, 0.0, 0, now

    @property
    def longest(self) -> float:
        """The longest move of both windows, in seconds; 0 if there was none."""
        return max(self._longest, self._before[1] if self._before else 0.0)

    @property
    def learnt(self) -> float | None:
        """How long a move takes at most, in seconds, or None if they are not regular."""
        if self._before is None:
            return None
        shortest, longest = min(self._shortest, self._before[0]), self.longest
        return longest if longest <= REGULAR * shortest else None

    def kept(self, *, now: float, wall: float) -> PaceKept:
        """Return what to keep of the pace.

        Args:
            now: In monotonic seconds.
            wall: The same moment in seconds since the Unix epoch.
        """
        shortest, longest = self._before or (None, None)
        moved_at = None if self.newest_us is None else wall - (now - self.moved)
        return PaceKept(self.newest_us, moved_at, shortest, longest)


def expected(pace: Pace, cadence: float | None) -> float | None:
    """Return how often readings are expected, in seconds, or None if that is not known."""
    return cadence if cadence is not None else pace.learnt


def allowance(pace: Pace, *, cadence: float | None, two_ticks: float) -> float:
    """Return for how long the newest reading may stand still, in seconds.

    Args:
        pace: That of the series.
        cadence: What the operator says, in seconds, or None.
        two_ticks: From the last good run to the second tick after it, in seconds; 0 for a stream.
    """
    known = expected(pace, cadence)
    if known is not None:
        return 2 * known + two_ticks + MARGIN
    return max(UNLEARNT, 2 * pace.longest + two_ticks + MARGIN)
