"""The time by which points in the spool grow old: a wall clock that is not believed at once.

A wall clock may be wrong for a while: a board without a clock of its own starts in 1970,
a time server errs, an operator mistypes a year. What is dropped because of that is gone.
So the wall clock counts only after it has gone along with the monotonic clock for a
while, also after a start, when nothing else tells whether it is right.
"""

from typing import Final

from ingestd.clock import Clock

APART: Final = 60.0  # seconds; less than that is drift, or a leap second


class CheckedTime:
    """The wall clock, as far as it is believed.

    Args:
        clock: Where both times come from.
        agreeing: How long they must have gone alike, in seconds.
    """

    def __init__(self, clock: Clock, *, agreeing: float) -> None:
        self._clock, self._agreeing = clock, agreeing
        self._since = clock.monotonic()
        self._offset = clock.now() - self._since

    def now(self) -> float | None:
        """Return the wall clock's time in Unix seconds, or None while it is not believed."""
        wall, monotonic = self._clock.now(), self._clock.monotonic()
        if abs(wall - monotonic - self._offset) > APART:
            self._since, self._offset = monotonic, wall - monotonic
        return wall if monotonic - self._since >= self._agreeing else None
