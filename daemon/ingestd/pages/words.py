"""Times, sizes and numbers as people read them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Final

from ingestd.health import number as spoken

FILLING: Final = 60.0  # seconds after which it shows how fast a spool fills
NOTHING: Final = "\N{EN DASH}"


@dataclass(frozen=True, slots=True)
class Viewing:
    """When somebody looks.

    Attributes:
        now: In seconds since the Unix epoch.
        zone: In which times are shown.
        version: That of the daemon.
        csrf_token: What a form of theirs has to carry to act.
        logged_in: Whether they have logged in, and may log out.
    """

    now: float
    zone: tzinfo = UTC
    version: str = ""
    csrf_token: str = field(default="", repr=False)
    logged_in: bool = False


def written(when: float, zone: tzinfo) -> str:
    """Return a time in Unix seconds, in a zone and with its name."""
    try:
        return f"{datetime.fromtimestamp(when, zone):%Y-%m-%d %H:%M:%S %Z}"
    except (ValueError, OverflowError, OSError):  # beyond what a calendar has
        return f"{when:.0f}"


def for_machines(when: float) -> str | None:
    """Return a time in Unix seconds as the attribute of an element has it, or None if it cannot."""
    try:
        return f"{datetime.fromtimestamp(when, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        return None


def number(value: float | None) -> str:
    """Return a number as people read it, or a dash if it is not known."""
    return NOTHING if value is None else spoken(value)


def room_left(waiting: float, limit: float, *, since: float | None, now: float) -> float | None:
    """Return for how long a spool has room if it goes on to fill as it did, in seconds.

    Nothing is said of one that is empty, or that has just begun to fill.

    Args:
        waiting: What it holds, in bytes.
        limit: The most that it may hold.
        since: When the oldest of that came, in seconds since the Unix epoch, or None.
        now: The current time, likewise.
    """
    if since is None or waiting <= 0 or now - since < FILLING:
        return None
    return max(0.0, limit - waiting) * (now - since) / waiting
