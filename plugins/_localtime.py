"""Time zones by their names, and local times through the hour that comes twice.

The daemon uses it, too, so that a zone that is none is told in the same words everywhere.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, tzinfo
from difflib import get_close_matches
from math import inf
from zoneinfo import ZoneInfo, available_timezones


def time_zone(name: str) -> ZoneInfo:
    """Return the time zone of an IANA name.

    Raises:
        ValueError: There is none of this name. The message is the first half of one,
            "expected ...".
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        near = get_close_matches(name, available_timezones(), n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise ValueError(f"expected a time zone such as America/Anchorage{hint}") from None


def instants(times: Iterable[datetime], zone: tzinfo, *, after: float = -inf) -> Iterator[float]:
    """Yield local times, which were written one after the other, as Unix seconds.

    In autumn an hour comes twice. A time in it is of the first pass, unless that
    would put it before what was written before it.

    Args:
        times: Without a zone.
        zone: Where the clock stands that showed them.
        after: What is known to lie before all of them, in Unix seconds.
    """
    latest = after
    for time in times:
        first = time.replace(tzinfo=zone, fold=0).timestamp()
        second = time.replace(tzinfo=zone, fold=1).timestamp()
        found = second if first < second and first < latest else first
        latest = max(latest, found)
        yield found
