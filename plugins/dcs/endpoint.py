"""What is known of an API at a server, shared by all who use it: limits, and what it lists."""

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from ingestd.plugins._retryafter import http_date, pause_asked_for

from .sources import Source

LONGEST_PAUSE: Final = 300.0  # seconds
# Others wait for the same moment, elsewhere too.
JITTER: Final = 0.25  # seconds
# A list of sources is taken for good so long, in seconds.
FRESH: Final = 3600.0

# Windows are not made any shorter because their answers take long: a day is 5 kB.
SHORTEST: Final = timedelta(days=1)
# An answer that comes in this part of the time that another lacked is no strain to its server.
WITH_EASE: Final = 0.25


@dataclass(frozen=True, slots=True)
class Listing:
    """The sources of one kind that an account may see.

    Attributes:
        sources: All of them, each once.
        repeated: The ids of those that the server lists more than once.
        listed: When, in monotonic seconds.
    """

    sources: Sequence[Source]
    repeated: Sequence[str]
    listed: float

    def fresh(self, *, age: float = FRESH) -> bool:
        """Say whether the list is not older than so many seconds."""
        return asyncio.get_running_loop().time() - self.listed < age


class Endpoint:
    """One API of a server in one mode.

    Attributes:
        longest: The longest window that a source gave after it had refused a longer one.
        bearable: The longest window whose answer a run can await, if one was too long for that.
        listings: What was listed last, by account and kind.
        free_at: When it may be asked again, in monotonic seconds.
        parser_told: Whether the log has been told of a slow parser.
    """

    def __init__(self, url: str, mode: str) -> None:
        self.url, self.mode = url, mode
        self.longest: timedelta | None = None
        self.bearable: timedelta | None = None
        self._patience = 0.0  # seconds that the answer had that was too long
        self.listings: dict[tuple[str | None, bool], Listing] = {}
        self.parser_told = False
        self.free_at = 0.0

    def learn(self, longest: timedelta) -> None:
        """Note a window that was given where a longer one had been refused."""
        self.longest = longest if self.longest is None else min(longest, self.longest)

    def longest_window(self, most: timedelta) -> timedelta:
        """Return the longest window to ask for, of which the operator wants none above ``most``."""
        return min(most, self.longest or most, self.bearable or most)

    def cut_short(self, length: timedelta, *, seconds: float) -> None:
        """Note what could not be read, or no more than what could be, in so many seconds."""
        self.bearable, self._patience = max(SHORTEST, length / 2), seconds

    def ended(self, length: timedelta, *, seconds: float) -> None:
        """Note that a window was read in so many seconds; the next may be longer if that is few."""
        as_long = self.bearable is not None and length * 2 > self.bearable
        if self.bearable is not None and as_long and seconds < self._patience * WITH_EASE:
            self.bearable *= 2

    @property
    def pause(self) -> float:
        """For how long the endpoint wants to be left alone, in seconds."""
        return max(0.0, self.free_at - asyncio.get_running_loop().time())

    def leave_alone(self, seconds: float) -> None:
        """Let no collector ask for so many seconds, and up to a quarter of one more."""
        wait = min(seconds, LONGEST_PAUSE) + random.uniform(0, JITTER)  # noqa: S311 -- spreads load
        self.free_at = max(self.free_at, asyncio.get_running_loop().time() + wait)

    def note(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        """Heed what an answer says of the rate limit, which all callers share."""
        if status == 429:
            asked = pause_asked_for(headers, body, now=time.time())
            if asked is not None:
                self.leave_alone(asked)
        if headers.get("X-Rate-Limit-Remaining", "").strip() != "0":
            return
        wait = until_reset(headers)
        if wait is not None and wait > 0:
            self.leave_alone(wait)


def until_reset(headers: Mapping[str, str]) -> float | None:
    """Return in how many seconds a rate limit begins anew, by the server's own clock."""
    try:
        reset = datetime.fromisoformat(headers.get("X-Rate-Limit-Reset", ""))
    except ValueError:
        return None
    date = http_date(headers.get("Date", ""))
    aware = reset if reset.tzinfo else reset.replace(tzinfo=UTC)
    return None if date is None else aware.timestamp() - date
