"""Schedules as tests write them."""

from zoneinfo import ZoneInfo

from ingestd.collecting.schedule import Schedule
from ingestd.collecting.schedule import cron as cron_ticks
from ingestd.config.cron import CronExpression

HOUR = 3600.0
DAY = 86_400.0
YEAR = 365.25 * DAY
UTC_ZONE = ZoneInfo("UTC")


def cron(
    expression: str, *, zone: ZoneInfo, offset: float = 0, jitter: float = 0, key: str = ""
) -> Schedule:
    """Return the ticks of an expression as the configuration reads it."""
    return cron_ticks(
        CronExpression.parse(expression), zone=zone, offset=offset, jitter=jitter, key=key
    )


def ticks_within(schedule: Schedule, since: float, until: float) -> list[float]:
    """Walk through the ticks in (since, until]."""
    found = []
    while (since := schedule.next_after(since)) <= until:
        found.append(since)
    return found
