"""What the shipped plugins share to check their params.

What is wrong is told as in the rest of the configuration, because the same
functions read it: "where: what is expected, what was got".

Imported by its full name, so that a copy of a plugin works in any folder.
"""

from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from ingestd.plugins import _times, _units

T = TypeVar("T")


def duration(value: Any, where: str) -> float:
    """Return the seconds in a text such as ``200ms``, ``1h30m`` or ``7d``.

    Raises:
        ValueError: It is no duration.
    """
    return _read(_units.duration, value, where)


def time_zone(value: Any, where: str) -> ZoneInfo:
    """Return the time zone of a name such as ``America/Anchorage``.

    Raises:
        ValueError: There is none of this name.
    """
    return _read(_times.time_zone, value, where)


def zone_of(timezone: Any, around: str | None = None) -> ZoneInfo | None:
    """Read the option ``timezone``; where it says nothing, that of the collector counts.

    Args:
        timezone: What was written, or None.
        around: The name of the collector's zone, or None.

    Raises:
        ValueError: There is none of this name.
    """
    name = around if timezone is None else timezone
    return None if name is None else time_zone(name, "timezone")


def http_url(value: Any, where: str) -> str:
    """Return the address of a server, without a slash at its end.

    Raises:
        ValueError: It is none. The message has no query, and no password.
    """
    try:
        parts = urlsplit(value if isinstance(value, str) else "")
        good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good:
        bare = f"{value}".partition("?")[0].rpartition("@")[2]
        raise ValueError(f"{where}: expected http://... or https://..., got {bare!r:.80}")
    return str(value).rstrip("/")


def whole(number: Any, where: str, *, least: int = 1) -> int:
    """Return a whole number.

    Raises:
        ValueError: It is none, or too small.
    """
    if type(number) is not int or number < least:
        raise ValueError(f"{where}: expected a whole number of at least {least}, got {number!r}")
    return number


def _read(read: Callable[[str], T], value: Any, where: str) -> T:
    """Return what a function reads in a text, or say where it could not."""
    # YAML makes a number of 0, which means the same in any unit.
    text = value if isinstance(value, str) else "0" if value == 0 and type(value) is int else ""
    try:
        return read(text)
    except ValueError as error:
        raise ValueError(f"{where}: {error}, got {value!r:.80}") from None
