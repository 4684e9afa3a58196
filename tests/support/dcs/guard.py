"""Who may ask: sign-in cookies, rate limits, and one transaction at a time."""

import asyncio
import math
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Final

from tests.support.dcs.rules import Rules

# Long enough to hear that the last client has gone away.
NEWS_SECONDS: Final = 0.05


class Cookies:
    """The cookies of those who have signed in to one API."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._left: dict[str, float] = {}

    @property
    def valid(self) -> set[str]:
        """Cookies that have not expired, and with which no client has signed out."""
        return set(self._left)

    def make(self, rules: Rules) -> str:
        """Return a new one."""
        token = secrets.token_urlsafe(24)
        self._left[token] = rules.cookie_requests or math.inf
        return token

    def accept(self, token: str | None) -> bool:
        """Whether a request with a cookie is let in; it may be the last."""
        if token not in self._left:
            return False
        if not self._left[token]:
            del self._left[token]
            return False
        self._left[token] -= 1
        return True

    def revoke(self, token: str | None) -> bool:
        """End one, if it is valid."""
        return self._left.pop(token or "", None) is not None

    def expire(self) -> None:
        """End them all."""
        self._left.clear()


class RateLimit:
    """So many requests in each window of time, from all clients together."""

    def __init__(self) -> None:
        self._ends = 0.0
        self._used = 0
        self.refused = 0

    def admit(self, most: int, window: float) -> bool:
        """Count a request; say whether it is within the limit."""
        now = time.time()
        if now >= self._ends:
            self._ends, self._used = now + window, 0
        if self._used >= most:
            self.refused += 1
            return False
        self._used += 1
        return True

    @property
    def wait(self) -> float:
        """How long until the next window, in seconds."""
        return max(0.0, self._ends - time.time())

    def headers(self, most: int, window: float) -> dict[str, str]:
        """Return what a normal reply says about it."""
        reset = datetime.fromtimestamp(self._ends, UTC).isoformat(timespec="milliseconds")
        return {
            "X-Rate-Limit-Limit": f"{window:g}s",
            "X-Rate-Limit-Remaining": str(most - self._used),
            "X-Rate-Limit-Reset": reset.replace("+00:00", "Z"),
        }


class Transactions:
    """Those that are going on, each from its request to the last byte of the answer.

    Attributes:
        overlaps: Pairs of requests that were not one after the other.
    """

    def __init__(self) -> None:
        self.overlaps: list[str] = []
        self._open: dict[object, str] = {}
        self._abandoned: set[object] = set()

    @asynccontextmanager
    async def one(self, line: str) -> AsyncIterator[None]:
        """Hold one open, and tell if there is another."""
        others, mine = dict(self._open), object()
        self._open[mine] = line
        try:
            if others:
                await self._judge(others, line)
            yield
        except (asyncio.CancelledError, ConnectionError):
            self._abandoned.add(mine)
            raise
        finally:
            del self._open[mine]

    async def _judge(self, others: dict[object, str], line: str) -> None:
        # A client may close a connection and open another one at the same instant;
        # the end of the first may be heard of last.
        await asyncio.sleep(NEWS_SECONDS)
        self.overlaps += [
            f"{other} / {line}" for key, other in others.items() if key not in self._abandoned
        ]
