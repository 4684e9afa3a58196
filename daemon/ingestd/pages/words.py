"""Times, sizes and numbers as people read them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Final

from ingestd.health import span

FILLING: Final = 60.0  # seconds after which it shows how fast a spool fills
NOTHING: Final = "\N{EN DASH}"


@dataclass(frozen=True, slots=True)
class Viewing:
    """When somebody looks.

    Attributes:
        now: In seconds since the Unix epoch.
        zone: In which times are shown.
        version: That of the daemon.
        seal: What a form of theirs has to carry to act.
        session: Whether they have logged in, and may log out.
    """

    now: float
    zone: tzinfo = UTC
    version: str = ""
    seal: str = field(default="", repr=False)
    session: bool = False


def ago(when: float, now: float) -> str:
    """Return how long ago, or until, a time in Unix seconds is: ``3s ago``, ``in 5m``."""
    seconds = now - when
    if abs(seconds) < 1:
        return "now"
    return f"{span(seconds)} ago" if seconds > 0 else f"in {span(-seconds)}"


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


def size(count: float) -> str:
    """Return bytes with three digits or so: ``512 B``, ``1.4 MiB``."""
    value, units = float(count), iter(("KiB", "MiB", "GiB", "TiB"))
    if value < 1024:
        return f"{value:.0f} B"
    unit = ""
    while value >= 1024 and unit != "TiB":
        value, unit = value / 1024, next(units)
    return f"{value:.1f} {unit}" if value < 100 else f"{value:,.0f} {unit}"


def number(value: float | None) -> str:
    """Return a number with its thousands apart."""
    if value is None:
        return NOTHING
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"


def counted(count: int, noun: str) -> str:
    """Return a number of things: ``1 reading``, ``2 readings``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


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
