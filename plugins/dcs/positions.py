"""How far each source has been read, and so what to read next.

A position is the time of the newest reading. That reading is read again: of a
register that is polled, its consumption is final only when the next one is there.
Over a stretch without readings the position stays, because a meter that was offline
delivers late, unless the stretch is older than a year.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from math import inf
from typing import Any
from zlib import crc32

from .periods import Window

LATE = timedelta(days=365)
HASHES = 2**32


def position_in(state: Mapping[str, Any], key: str) -> datetime | None:
    """Return a time that the state holds, or None where it holds none."""
    found = state.get(key)
    if isinstance(found, date) and not isinstance(found, datetime):
        found = datetime.combine(found, time())
    if not isinstance(found, datetime):
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def first_wanted(
    position: datetime | None, *, since: datetime, now: datetime, revisit: timedelta
) -> datetime:
    """Return where a normal run begins to read a source.

    A known one goes on where it was, however long ago: ``since`` bounds only what is
    read again.
    """
    return since if position is None else min(position, max(since, now - revisit))


class Progress:
    """The position of one source while it is read.

    Args:
        position: Where it was.
        now: The time that it is.
    """

    def __init__(self, position: datetime | None, *, now: datetime) -> None:
        self._moved = -inf if position is None else position.timestamp()
        self._late = (now - LATE).timestamp()
        self._end = inf
        self._ordered = True
        self._newest = -inf

    def begin(self, window: Window) -> None:
        """Note that a window is about to be read."""
        self._end = window.end.timestamp()
        self._ordered, self._newest = True, -inf

    @property
    def reached(self) -> datetime | None:
        """Where to go on if the window breaks off; None: at its beginning."""
        known = self._ordered and self._newest > -inf
        return datetime.fromtimestamp(self._newest, UTC) if known else None

    def see(self, times: Sequence[float]) -> datetime | None:
        """Note times that were read; return the position if it has moved.

        It does so within a window only as long as times ascend; and no time from
        beyond the window may move it, because a wrong clock would hide what comes.
        """
        if not times:
            return None
        newest = max(times)
        if newest >= self._end:
            times = [time for time in times if time < self._end]
            newest = max(times, default=-inf)
        self._ordered = (
            self._ordered and (not times or times[0] >= self._newest) and times == sorted(times)
        )
        self._newest = max(self._newest, newest)
        return self._move(self._newest) if self._ordered else None

    def finish(self) -> datetime | None:
        """Note that all of the window has been read; return the position if it has moved."""
        return self._move(max(self._newest, min(self._end, self._late)))

    def _move(self, to: float) -> datetime | None:
        if to <= self._moved:
            return None
        self._moved = to
        return datetime.fromtimestamp(to, UTC)


@dataclass(frozen=True, slots=True)
class Rereading:
    """Which sources are due to be read again from their beginning.

    Each is once in ``every``, at a moment of its own, so that a run has few of them.

    Attributes:
        every: How often.
        done: The moments until which all that was due has been begun; None at first.
        reached: How far those have come that were begun but not ended.
        now: The time that it is.
    """

    every: timedelta | None
    done: datetime | None
    reached: Mapping[str, Any]
    now: datetime

    def begin(self, key: str, *, since: datetime) -> datetime | None:
        """Return from when on a source is to be read again, or None if it is not."""
        if self.every is None:
            return None
        reached = position_in(self.reached, key)
        return since if reached is None and self.due(key) is not None else reached

    def due(self, key: str) -> datetime | None:
        """Return the moment at which a source became due, or None if it is not."""
        if self.every is None or self.done is None:
            return None
        phase = crc32(key.encode()) / HASHES * self.every
        epoch = datetime(1970, 1, 1, tzinfo=UTC)
        moment = epoch + phase + (self.now - epoch - phase) // self.every * self.every
        return moment if moment > self.done else None
