"""A run over a window of the past: it never moves what the collector remembers as its position."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from ingestd.calling import PluginResult
from ingestd.collecting import SLICE, Conversion, Past, Run
from ingestd.contract import Result
from ingestd.model import Point, Priority, Receipt


class Admission(Protocol):
    """Keeps a window behind what is collected now and behind what waits for a store."""

    @property
    def portion(self) -> int:
        """The most readings that may be handed over at a time."""

    async def admit(self, readings: int) -> None:
        """Return when so many readings more may be handed over.

        Raises:
            NotNow: That would take too long.
        """

    async def within_patience(self, put: Awaitable[Receipt]) -> Receipt:
        """Return what comes of handing points over.

        Raises:
            NotNow: That would take too long.
        """


@dataclass(kw_only=True)
class WindowRun(Run):
    """One call of a collector's plugin with a window, beside its scheduled runs.

    Attributes:
        admission: Says when readings may be handed over.
        span: The first time of the window, and the first one after it; aware.
    """

    admission: Admission
    span: tuple[datetime, datetime]

    def _known_past(self) -> Past:
        start, end = self.span
        return Past(after=start.timestamp(), until=end.timestamp())

    @property
    def _span(self) -> tuple[datetime | None, datetime | None]:
        return self.span

    @property
    def _endless(self) -> bool:
        return False

    @property
    def _slice(self) -> int:
        # A larger one would need the whole buffer, and keep all other points out of it.
        return min(SLICE, self.setup.services.buffer.most_backfill, self.admission.portion)

    @property
    def _most(self) -> int:
        return self.setup.services.buffer.capacity  # it has a bound for all windows together

    def _priority(self, _given: PluginResult, _result: Result) -> Priority:
        return Priority.BACKFILL

    async def _put(self, readings: Sequence[Any], priority: Priority) -> Receipt | None:
        await self.admission.admit(len(readings))
        return await super()._put(readings, priority)

    async def _buffered(self, points: Sequence[Point], priority: Priority) -> Receipt:
        return await self.admission.within_patience(super()._buffered(points, priority))

    def _follow(self, _readings: Sequence[Any], _found: Conversion) -> None:
        """Note nothing: the past says nothing of how the collector is now."""

    def _keep(self, _given: PluginResult, result: Result, _receipts: Sequence[Receipt]) -> None:
        """Keep the secrets alone, at once: a renewed token depends on no readings."""
        remembering = self._with_secrets_of(result)
        if remembering(self._committer.memory) != self._committer.memory:
            self._committer.amend(remembering)
