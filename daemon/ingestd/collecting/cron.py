"""The instants at which a cron expression matches the local time.

cronsim tells which local times match. Which instants those are is decided here,
by the rule in docs/scheduling.md for local times that come never or twice:
cronsim's own answer loses runs where the clock moves by half an hour, and gives
an extra one to a midnight that is skipped.

Times are whole seconds: since the Unix epoch, or the same count in local time.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from ingestd.config import CronExpression

DAY: Final = 86_400  # seconds
EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 -- the zero of local seconds, of no zone


@dataclass(frozen=True, slots=True)
class LocalCron:
    """A cron expression in a time zone.

    Attributes:
        expression: Which local times match.
        zone: Whose local time that is.
    """

    expression: CronExpression
    zone: tzinfo

    def after(self, time: int) -> int:
        """Return the first match strictly after a time."""
        return self._after_wildcard(time) if self.expression.wildcard else self._after_fixed(time)

    def _after_fixed(self, time: int) -> int:
        """Return the next run of a job for certain hours.

        A local time that comes twice counts the first time; one that is skipped
        counts at the moment of the change.
        """
        local = self._match(time + self._shift(time))
        while (found := self._instant(local)) <= time:
            local = self._match(local)
        return found

    def _after_wildcard(self, time: int) -> int:
        """Return the next instant whose local time matches.

        Walks from one change of the local time to the next, because matches do
        not come in the order of their local times when an hour is repeated. Only
        a change within a day can bring back local times before ``time``.
        """
        shift = self._shift(time)
        while True:
            found = self._match(time + shift) - shift
            horizon = min(found, time + DAY)
            if self._shift(horizon) != shift:
                change = self._change(time, horizon, shift)
                time, shift = change - 1, self._shift(change)
            elif found == horizon:
                return found
            else:
                time = found - DAY
                shift = self._shift(time)

    def _match(self, local: int) -> int:
        """Return the first local time after another that the expression matches."""
        found = self.expression.next_match(EPOCH + timedelta(seconds=local))
        return (found - EPOCH) // timedelta(seconds=1)

    def _instant(self, local: int) -> int:
        """Return when a local time is first reached or passed over."""
        wall = (EPOCH + timedelta(seconds=local)).replace(tzinfo=self.zone)
        instant = int(wall.timestamp())
        if instant + self._shift(instant) == local:
            return instant
        before = int(wall.replace(fold=1).timestamp())  # in a gap, fold 1 is the earlier
        return self._change(before, instant, self._shift(before))

    def _change(self, low: int, high: int, shift: int) -> int:
        """Return the first second in (low, high] whose shift is another one."""
        while high - low > 1:
            middle = (low + high) // 2
            if self._shift(middle) == shift:
                low = middle
            else:
                high = middle
        return high

    def _shift(self, time: int) -> int:
        """Return by how many seconds local time is ahead of UTC."""
        utc = datetime.fromtimestamp(time, UTC).replace(tzinfo=None)
        return (datetime.fromtimestamp(time, self.zone).replace(tzinfo=None) - utc) // timedelta(
            seconds=1
        )
