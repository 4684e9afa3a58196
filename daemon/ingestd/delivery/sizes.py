"""How large a body a store takes, learnt from what it has refused as too large."""

import math
from typing import Final

from ingestd.clock import Clock

# Seconds. A limit may be raised any day, and to find that out costs one request.
FORGOTTEN: Final = 3600.0


class Sizes:
    """What is known of a store's limit, so that bodies are cut before they are sent."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._refused: float = math.inf
        self._passed = 0
        self._learnt_at = 0.0

    def refused(self, size_bytes: int) -> None:
        """Note that a body of that size was too large."""
        self._refused = min(self._refused, size_bytes)
        self._passed = self._passed if self._passed < size_bytes else 0
        self._learnt_at = self._clock.monotonic()

    def passed(self, size_bytes: int) -> None:
        """Note that the store has read a body of that size."""
        if size_bytes >= self._refused:
            self._refused = math.inf
        self._passed = max(self._passed, size_bytes)

    def parts(self, size_bytes: int) -> int:
        """Return in how many parts a body of that size should travel."""
        if self._clock.monotonic() - self._learnt_at > FORGOTTEN:
            self._refused = math.inf
        if size_bytes < self._refused:
            return 1
        # Between the two sizes nothing is known; half of what was refused is worth a try.
        limit = max(1, self._passed, int(self._refused) // 2)
        return max(2, math.ceil(size_bytes / limit))
