"""What the shipped plugins share to read local times, through the hour that comes twice.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, tzinfo
from math import inf
from zoneinfo import ZoneInfo


def zone_named(name: object, where: str) -> ZoneInfo:
    """Return a time zone.

    Raises:
        ValueError: There is none of this name.
    """
    try:
        return ZoneInfo(name)  # type: ignore[arg-type]  # whatever the operator wrote
    except (KeyError, ValueError, TypeError, OSError):
        raise ValueError(
            f"{where}: expected a time zone such as Europe/Vienna, got {name!r}"
        ) from None


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
