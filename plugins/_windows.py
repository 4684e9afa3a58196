"""The windows of time that a source is asked for, and how they are written.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Final

from ingestd.plugins._places import LAST, SINCE, UNTIL, Place, Write
from ingestd.plugins._rounding import (
    DAY,
    SECOND,
    before,
    before_change,
    behind_change,
    ceiling,
    floor,
    later,
    resolution,
)
from ingestd.plugins._times import Notation, notation

ENDS: Final = (UNTIL, LAST)  # the ways to name where a window ends
# For people: the shortest span that a notation can say, by its resolution in seconds.
SHORTEST: Final = {60.0: "1m", 3600.0: "1h", DAY: "1d"}


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time.

    Attributes:
        since: Where it begins, in Unix seconds; None: where the source begins.
        until: Where it ends, likewise.
        behind: Where to begin once it was read.
    """

    since: float | None
    until: float
    behind: float


@dataclass(frozen=True, slots=True)
class Windows:
    """How time is cut into windows.

    Attributes:
        notations: How each place is written.
        span: The longest window, in seconds; None: any.
    """

    notations: Mapping[Place, Notation]
    span: float | None

    @classmethod
    def of(
        cls,
        places: Sequence[tuple[str, Place]],
        *,
        pattern: str | None,
        zone: tzinfo | None,
        span: float | None,
    ) -> "Windows":
        """Check how the places are to be written.

        Args:
            places: Each with the option in which it stands.
            pattern: How those without a pattern of their own are.
            zone: What clock patterns without a zone are meant for.
            span: As the attribute.

        Raises:
            ValueError: Says what is wrong.
        """
        default = notation(pattern, zone, where="since_format", asking=True)
        windows = cls(
            {
                place: notation(place.pattern, zone, where=where, asking=True)
                if place.pattern
                else default
                for where, place in places
            },
            span,
        )
        if span is not None and not windows.has(SINCE):
            raise ValueError("span: expected {since} in url, query or body, or since_param")
        least = windows.resolution(SINCE)
        if span is not None and span < max(SECOND, least):
            shortest = SHORTEST.get(least, "1s")
            raise ValueError(f"span: expected at least {shortest}, which is what can be asked for")
        return windows

    def has(self, *names: str) -> bool:
        """Say whether requests name an end of a window in one of these ways."""
        return any(place.name in names for place in self.notations)

    @property
    def without_zone(self) -> str:
        """What names an end in a notation that says no zone; empty if nothing does."""
        found = (
            place.name
            for place, each in self.notations.items()
            if (each.pattern is not None and not each.pattern.tells_zone)
            or (each.count is not None and each.count.by_clock)
        )
        return next(found, "")

    def cut(self, begin: float | None, end: float) -> Iterator[Window]:
        """Yield the windows from one time to another, the oldest first.

        They begin no later and end no earlier than asked for, by what can be written.
        """
        if self.has(*ENDS):
            for each in self._of(*ENDS):
                end = behind_change(each, end)
            end = ceiling(end, max(SECOND, self.resolution(*ENDS)), self.clock(*ENDS))
        if begin is None or not self.has(SINCE):
            yield Window(None, end, end)
            return
        at = self._clear(floor(begin, self.resolution(SINCE), self.clock(SINCE)))
        if not self.has(*ENDS) and self.span is None:
            yield Window(at, end, end)
            return
        while at < end:
            until = end if self.span is None else min(self._after(at, self.span), end)
            behind = until if until == end else self._clear(until - self._shared)
            yield Window(at, until, behind)
            at = behind if until < end else end

    @property
    def _shared(self) -> float:
        """How much two windows have in common, in seconds.

        A source may leave out what lies at the ends that it is told, and so at both sides of one.
        Days are asked for whole.
        """
        least = max(SECOND, self.resolution(SINCE))
        return 0.0 if self.span is None or least >= DAY or self.span < 2 * least else least

    def _after(self, at: float, span: float) -> float:
        """Return where a window of the whole span ends, where the next one can begin."""
        clock = self.clock(SINCE)
        end = later(at, span, clock)
        exact = self._clear(floor(end, self.resolution(SINCE), clock))
        return exact if exact > at else end

    def _clear(self, time: float) -> float:
        """Return a time, or one before it that means one instant."""
        return min(before_change(each, time) for each in self._of(SINCE))

    def writer(self, window: Window) -> Write:
        """Return what writes the ends of a window in their places."""

        def write(place: Place) -> str | int | None:
            seconds = window.since if place.name == SINCE else window.until
            if seconds is None:
                return None
            found = self.notations[place]
            if place.name == LAST:
                seconds = before(found, seconds)
            text = found.write(seconds)
            return int(text) if found.is_number else text

        return write

    def resolution(self, *names: str) -> float:
        """Return what the places of an end tell apart, in seconds."""
        return min(map(resolution, self._of(*names)), default=SECOND)

    def clock(self, *names: str) -> tzinfo:
        """Return where the clock stands that the coarsest place of an end is written by."""
        coarsest = max(self._of(*names), key=resolution, default=None)
        return UTC if coarsest is None else coarsest.clock

    def _of(self, *names: str) -> list[Notation]:
        return [each for place, each in self.notations.items() if place.name in names]
