"""What keeps requests back for longer than a run: pauses that servers ask for, and quotas.

Collectors that ask one server share its pause, or those of one account there. Both outlive the
daemon, so that a restart, or a command beside its schedule, asks no sooner and no more.
"""

import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final

import aiohttp
from yarl import URL

from ingestd.config import Quota
from ingestd.errors import StateError
from ingestd.plugins._retryafter import LONGEST

Keep = Callable[[bytes], Awaitable[None]]

# Requests of a quota that come within this part of its time are remembered as one moment, the
# latest of them, so that a thousand moments are enough for any quota.
MOMENT: Final = 0.001


class MustWaitError(aiohttp.ClientError):
    """A request is not made now: its server, or the operator, wants that it waits."""


@dataclass(slots=True)
class Used:
    """The requests of a collector that count towards its quota.

    Attributes:
        seconds: For how long each of them counts.
        moments: The first and the last time of some, in Unix seconds, and how many they are.
    """

    seconds: float
    moments: list[tuple[float, float, int]] = field(default_factory=list)

    def add(self, now: float) -> None:
        """Count a request."""
        if self.moments and 0 <= now - self.moments[-1][0] < self.seconds * MOMENT:
            first, _, count = self.moments.pop()
            self.moments.append((first, now, count + 1))
        else:
            self.moments.append((now, now, 1))

    def forget(self, now: float) -> None:
        """Forget the requests that count no more, and those that a clock put into the future."""
        self.moments = [each for each in self.moments if now - self.seconds < each[1] <= now]

    def free_at(self, number: int) -> float:
        """Return when one more may be made of at most so many, in Unix seconds; 0 is at once."""
        too_many = sum(count for *_, count in self.moments) + 1 - number
        free = 0.0
        for _, last, count in self.moments:
            if too_many <= 0:
                break
            free = last + self.seconds
            too_many -= count
        return free


class HttpLimits:
    """When each server may be asked again, and what collectors have asked of their quotas."""

    def __init__(self) -> None:
        self._free_at: dict[str, float] = {}
        self._used: dict[str, Used] = {}
        self._keep: Keep | None = None

    def restore(self, kept: bytes, *, keep: Keep) -> None:
        """Go on with what was kept; what cannot be read is forgotten.

        Args:
            kept: What a former daemon gave to its ``keep``, or nothing.
            keep: Puts on disk what there is to be kept.
        """
        self._keep = keep
        with suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError):
            found = json.loads(kept or b"{}")
            free_at = {str(k): finite(v) for k, v in found.get("servers", {}).items()}
            used = {str(name): used_of(each) for name, each in found.get("quotas", {}).items()}
            self._free_at, self._used = free_at, used

    async def keep(self) -> None:
        """Put on disk what there is to be kept; if that fails, it holds for this daemon alone."""
        if self._keep is None:
            return
        quotas = {
            name: {"seconds": each.seconds, "moments": each.moments}
            for name, each in self._used.items()
        }
        with suppress(StateError):  # a committer meets the same error, and logs it
            await self._keep(json.dumps({"servers": self._free_at, "quotas": quotas}).encode())

    def hold(self, url: URL, seconds: float, *, now: float, account: str = "") -> None:
        """Let nobody ask a server for so many seconds, or not for an account there."""
        self._free_at = {name: at for name, at in self._free_at.items() if at > now}
        name = held_name(url, account)
        self._free_at[name] = max(self._free_at.get(name, 0.0), now + min(seconds, LONGEST))

    def pause(
        self, url: URL, user: str, quota: Quota | None, *, now: float, account: str = ""
    ) -> tuple[float, str]:
        """Return for how many seconds a request has to wait, and why.

        Args:
            url: What is asked.
            user: The collector.
            quota: How often that may ask.
            now: The current time, in Unix seconds.
            account: Whose requests the server counts, if not those of all.
        """
        server = str(url.origin())
        held = max(self._held(held_name(url, each), now=now) for each in ("", account))
        spent = self._spent(user, quota, now=now)
        if held >= spent:
            return max(0.0, held - now), f"{server} asked to be left alone until {shown(held)}"
        return max(0.0, spent - now), f"http.quota: {quota} are spent until {shown(spent)}"

    def _held(self, name: str, *, now: float) -> float:
        """Return until when something is held, in Unix seconds."""
        held = self._free_at.get(name, 0.0)
        if held - now > LONGEST:  # a clock was put back
            held = self._free_at[name] = 0.0
        return held

    def take(self, user: str, quota: Quota | None, *, now: float) -> bool:
        """Count a request towards a quota; return whether there is something new to keep."""
        if quota is None:
            return False
        self._used.setdefault(user, Used(quota.seconds)).add(now)
        return True

    def _spent(self, user: str, quota: Quota | None, *, now: float) -> float:
        """Return when a quota allows another request, in Unix seconds."""
        if quota is None or user not in self._used:
            return 0.0
        used = self._used[user]
        used.seconds = quota.seconds
        used.forget(now)
        return used.free_at(quota.number)


def held_name(url: URL, account: str) -> str:
    """Return what is held: a server, or an account there."""
    return f"{url.origin()} {account}" if account else str(url.origin())


def finite(value: Any) -> float:
    """Return a number.

    Raises:
        ValueError: It is none, or has no end.
    """
    number = float(value)
    if not isfinite(number):
        raise ValueError("expected a finite number")
    return number


def used_of(kept: Any) -> Used:
    """Return what was kept of a quota.

    Raises:
        ValueError: It is not what was kept.
    """
    moments = [(finite(first), finite(last), int(count)) for first, last, count in kept["moments"]]
    return Used(finite(kept["seconds"]), moments)


def shown(time: float) -> str:
    """Return Unix seconds as people read them."""
    return f"{datetime.fromtimestamp(time, UTC):%F %T}Z"
