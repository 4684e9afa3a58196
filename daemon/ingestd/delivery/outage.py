"""Whether a store is up, as its answers tell: up, down, or being probed.

While a store is down nothing is sent to it, until the backoff is over and one
body probes it. The log gets one line for each change, not one for each failure.
"""

import asyncio
from enum import StrEnum
from typing import Any, Final

from ingestd.clock import Clock
from ingestd.plugins._backoff import Backoff

# Seconds. A store knows best how long it needs, but one that asks for days has its clock
# or its unit wrong, and the collectors behind a full spool would wait as long.
HEARD: Final = 900.0


class Health(StrEnum):
    """What is known of a store."""

    UP = "up"
    DOWN = "down"
    PROBING = "probing"


class Outage:
    """The health of one store, and when to try it again.

    Args:
        first: The first backoff between two probes, in seconds; it doubles with each failure.
        longest: The longest.
        clock: Where the time comes from.
        log: Gets one line for each change.
    """

    def __init__(self, *, first: float, longest: float, clock: Clock, log: Any) -> None:
        self._backoff = Backoff(first=first, longest=longest)
        self._clock, self._log = clock, log
        self.health = Health.UP
        self.failures = 0
        self.message = ""
        self.since = clock.now()
        self._down_at = 0.0
        self._retry_at = 0.0
        self.is_up = asyncio.Event()
        self.is_up.set()

    def failed(self, message: str, *, retry_after: float | None = None) -> None:
        """Note that the store did not take a body.

        Args:
            message: Why, for people.
            retry_after: How long the store asked us to wait, in seconds.
        """
        now = self._clock.monotonic()
        self.failures += 1
        # A server may ask for years, or for a date that is wrong.
        asked = min(retry_after or 0.0, max(HEARD, self._backoff.longest))
        wait = max(self._backoff.spread_pause(self.failures), asked)
        self._retry_at = now + wait
        self.message = message
        if self.health is Health.UP:
            self._down_at, self.since = now, self._clock.now()
            self._log.warning("store unavailable", error=message, retry_in=round(wait, 1))
        self.health = Health.DOWN
        self.is_up.clear()

    def succeeded(self) -> None:
        """Note that the store answered as it should."""
        if self.health is not Health.UP:
            down = self._clock.monotonic() - self._down_at
            self._log.info("store is back", seconds=round(down, 1), failures=self.failures)
            self.since = self._clock.now()
        self.health, self.failures, self.message = Health.UP, 0, ""
        self.is_up.set()

    @property
    def up(self) -> bool:
        """Whether bodies may be sent freely."""
        return self.health is Health.UP

    @property
    def down_for(self) -> float | None:
        """For how many seconds the store has taken nothing, or None if it is up."""
        return None if self.up else self._clock.monotonic() - self._down_at

    @property
    def retry_in(self) -> float:
        """Seconds until the store may be probed; 0 or less when it may be now."""
        return 0.0 if self.up else self._retry_at - self._clock.monotonic()

    def try_now(self) -> None:
        """End the backoff: a person asks for it, or something has changed."""
        self._retry_at = self._clock.monotonic()

    def probe(self) -> bool:
        """Claim the one probe; say whether it may be sent."""
        if self.health is Health.DOWN and self.retry_in <= 0:
            self.health = Health.PROBING
        elif self.health is not Health.UP:
            return False
        return True

    def give_back(self) -> None:
        """Let another probe be sent, if the one that was claimed was not."""
        if self.health is Health.PROBING:
            self.health = Health.DOWN
