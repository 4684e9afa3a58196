"""What a DCS server has read: a function of the register and the half hour.

Consumption repeats a table that belongs to the register, in eighths, so that totals
are exact and any of them is known at once. A total at an instant says what was used
before it; the consumption of a period is known once there is a later total.
"""

import math
import random
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from enum import IntFlag
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Final

from tests.support.dcs.campus import Campus, Register, VirtualMeter
from tests.support.dcs.periods import HALF_HOUR, Period, following, stamp

CYCLE: Final = 997  # half hours: prime, so that no calendar period repeats with it


class Status(IntFlag):
    """What the server says of a reading; GENERATED only in the legacy API."""

    NONE = 0
    INTERPOLATED = 1
    RESET = 2
    GENERATED = 65536


@dataclass(frozen=True, slots=True)
class Reading:
    """A reading as a client should see it.

    Attributes:
        at: When, in Unix seconds.
        value: What the standard format of the current API gives: the total of a
            cumulative register, the consumption of a virtual meter, or a sample.
        total: The total at that time; a sample; 0 for virtual meters.
        used: The consumption in the period that begins; 0 for samples.
        status: Status bits, unknown ones too.
    """

    at: int
    value: float
    total: float
    used: float
    status: int = 0

    @property
    def time(self) -> datetime:
        """When, as a datetime."""
        return datetime.fromtimestamp(self.at, UTC)

    def rounded(self, places: int) -> "Reading":
        """Return it with so many decimal places."""
        return replace(
            self,
            value=round(self.value, places) if math.isfinite(self.value) else self.value,
            total=round(self.total, places) if math.isfinite(self.total) else self.total,
            used=round(self.used, places) if math.isfinite(self.used) else self.used,
        )


@dataclass(frozen=True, kw_only=True)
class Query:
    """What is asked for.

    Attributes:
        start: The first period's beginning, in Unix seconds.
        end: Where the last one ends.
        now: When it is asked, in Unix seconds.
        period: Which periods.
        zone: Whose calendar.
        calibrated: Whether offsets are applied.
        interpolated: Whether gaps are filled with estimates.
        padded: Whether other gaps are filled with generated readings.
        padded_ahead: Whether the time after the newest reading is, too.
    """

    start: int
    end: int
    now: int
    period: Period = Period.HALF_HOUR
    zone: tzinfo = UTC
    calibrated: bool = False
    interpolated: bool = False
    padded: bool = False
    padded_ahead: bool = False


def readings(campus: Campus, source: Register | VirtualMeter, query: Query) -> Iterator[Reading]:
    """Yield what a server has for a query."""
    members = (
        [campus.register(f"R{number}") for number in source.registers]
        if isinstance(source, VirtualMeter)
        else [source]
    )
    # Neither samples nor virtual meters are interpolated or calibrated.
    if isinstance(source, VirtualMeter) or source.instantaneous:
        query = replace(query, interpolated=False, calibrated=False)
    views = [View(each, query) for each in members]
    at = query.start
    while at < query.end:
        until = following(at, query.period, query.zone)
        found = [view.reading(at, until) for view in views]
        there = [each for each in found if each is not None]
        if len(there) == len(found):
            yield summed(source, there) if isinstance(source, VirtualMeter) else there[0]
        at = until


def summed(source: VirtualMeter, parts: list[Reading]) -> Reading:
    """Return a virtual meter's reading."""
    used = 0.0 if source.instantaneous else sum(each.used for each in parts)
    value = sum(each.total for each in parts) if source.instantaneous else used
    generated = any(each.status & Status.GENERATED for each in parts)
    return Reading(parts[0].at, value, 0.0, used, Status.GENERATED if generated else 0)


class View:
    """A register as a query sees it."""

    def __init__(self, register: Register, query: Query) -> None:
        self._register, self._query = register, query
        self._first = stamp(register.first)
        self._table, self._sums = table(register.id)
        gaps = [
            (stamp(gap.start), stamp(gap.end))
            for gap in register.gaps
            if gap.until is None or query.now < stamp(gap.until)
        ]
        self._gap_starts = [start for start, _ in gaps]
        self._gap_ends = [end for _, end in gaps]
        self._resets = [stamp(each) for each in register.resets]
        self._offsets = [(stamp(each.start), each.offset) for each in register.calibrations]
        self._strange = {stamp(at): value for at, value in register.strange.items()}
        self._bits = {stamp(at): bits for at, bits in register.bits.items()}

    @cached_property
    def newest(self) -> int:
        """When it was read last; before its first reading if it never was."""
        # One that tells the consumption of a period itself tells of whole ones.
        known = self._query.now - (0 if self._register.polled else HALF_HOUR)
        at = known - known % HALF_HOUR
        gap = self._gap_at(at)
        return at if gap is None else gap[0] - HALF_HOUR

    def reading(self, at: int, until: int) -> Reading | None:
        """Return the reading of the period from an instant to another, if there is one."""
        status = self._bits.get(at, 0)
        if self._has(at):
            raw = self._raw(at)
        elif self._query.interpolated and (estimate := self._estimate(at)) is not None:
            raw, status = estimate, status | Status.INTERPOLATED
        else:
            return self._padding(at)
        if self._register.instantaneous:
            sample = self._strange.get(at, self._sample(at))
            return Reading(at, sample, sample, 0.0, status)
        if at in self._resets:
            status |= Status.RESET
        total = self._strange.get(at, raw - self._base(at))
        used = self._strange.get(at, self._raw_after(until) - raw)
        return Reading(at, total, total, used, status)

    def _padding(self, at: int) -> Reading | None:
        asked = self._query.padded and self._first <= at <= self.newest
        ahead = self._query.padded_ahead and at > self.newest
        return Reading(at, 0.0, 0.0, 0.0, Status.GENERATED) if asked or ahead else None

    def _gap_at(self, at: int) -> tuple[int, int] | None:
        index = bisect_right(self._gap_starts, at) - 1
        if index >= 0 and at < self._gap_ends[index]:
            return self._gap_starts[index], self._gap_ends[index]
        return None

    def _has(self, at: int) -> bool:
        return self._first <= at <= self.newest and self._gap_at(at) is None

    def _raw(self, at: int) -> float:
        """Return what was used since the first reading."""
        cycles, rest = divmod((at - self._first) // HALF_HOUR, CYCLE)
        return (cycles * self._sums[-1] + self._sums[rest]) * self._register.factor

    def _sample(self, at: int) -> float:
        return self._table[(at - self._first) // HALF_HOUR % CYCLE] * self._register.factor

    def _estimate(self, at: int) -> float | None:
        """Return what was used until an instant in a gap, on the line across it."""
        gap = self._gap_at(at)
        if gap is None:
            return None
        before, after = gap[0] - HALF_HOUR, gap[1]
        if not (self._has(before) and self._has(after)):
            return None
        share = (at - before) / (after - before)
        return self._raw(before) + (self._raw(after) - self._raw(before)) * share

    def _raw_after(self, until: int) -> float:
        """Return what was used until the end of a period, as far as it is known."""
        if not self._register.polled:
            return self._raw(min(until, self.newest + HALF_HOUR))
        if until >= self.newest:
            return self._raw(self.newest)
        if self._query.interpolated and (estimate := self._estimate(until)) is not None:
            return estimate
        gap = self._gap_at(until)
        return self._raw(until if gap is None else gap[1])  # to the next total

    def _base(self, at: int) -> float:
        """Return what the total at an instant lacks, negative if it has more."""
        index = bisect_right(self._resets, at) - 1
        base = self._raw(self._resets[index]) if index >= 0 else 0.0
        if self._query.calibrated:
            base -= next((each for start, each in reversed(self._offsets) if start <= at), 0.0)
        return base


@lru_cache(maxsize=10_000)
def table(number: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the consumption of a register in each half hour of a cycle, and the sums of it."""
    chance = random.Random(number)
    used = tuple(chance.randrange(1, 200) / 8 for _ in range(CYCLE))
    return used, (0.0, *accumulate(used))
