"""When a day begins by the clock on a wall: not always at a midnight that it shows once.

In Havana, Beirut and Cairo the clocks are set at midnight. Where they skip it, the day begins with
what they show first; where they show it twice, with the first of both.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

from datetime import datetime, tzinfo

from ingestd.plugins._walltime import NoTime, Twice, change_between, instant, shown


def day_begins(midnight: datetime, zone: tzinfo) -> float | NoTime:
    """Return when a day begins, in Unix seconds; the whole day may be skipped.

    Args:
        midnight: Of the day, without a zone.
        zone: Where the clock stands.
    """
    found = instant(midnight, zone)
    if isinstance(found, Twice):
        return found.first
    if not isinstance(found, NoTime):
        return found
    around = sorted(int(midnight.replace(tzinfo=zone, fold=f).timestamp()) for f in (0, 1))
    change = float(change_between(around[0], around[1], zone))
    return change if shown(change, zone).date() == midnight.date() else found
