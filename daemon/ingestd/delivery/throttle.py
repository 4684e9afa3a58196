"""Bounds how many requests a second are spent on looking for bad points."""

from typing import Final

from ingestd.clock import Clock

RATE: Final = 200.0  # a second; a small InfluxDB answers ten times as many
AT_ONCE: Final = 256


class Throttle:
    """A bucket of so many tries, which fills up again with time."""

    def __init__(self, clock: Clock, *, rate: float = RATE, at_once: int = AT_ONCE) -> None:
        self._clock, self._rate, self._at_once = clock, rate, at_once
        self._left, self._at = float(at_once), clock.monotonic()

    def take(self) -> float:
        """Use up one try; return how long to wait before the next, in seconds."""
        now = self._clock.monotonic()
        self._left = min(self._at_once, self._left + (now - self._at) * self._rate) - 1
        self._at = now
        return max(0.0, -self._left / self._rate)
