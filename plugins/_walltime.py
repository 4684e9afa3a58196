"""What a clock on a wall shows, and when that was: a zone's local times, and instants.

Twice a year this is not one to one. In spring an hour is skipped: no clock has shown its times.
In autumn an hour comes twice, and its times mean two instants. A source that writes one time
after another tells by their order which is meant, so such a time stays ``Twice`` until
``settle`` has seen its neighbours.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from difflib import get_close_matches
from functools import lru_cache
from itertools import accumulate, pairwise
from math import inf
from typing import Any, Final, NamedTuple, Self
from zoneinfo import ZoneInfo, available_timezones

# How far the clock of a source may be ahead of ours, in seconds.
AHEAD: Final = 300.0
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 -- what a clock in UTC showed


class NoTime(str):
    """Stands where the time of a reading should: it could not be read, and this says why.

    Attributes:
        reason: One word for that, under which the daemon counts the reading.
    """

    __slots__ = ("reason",)
    reason: str

    def __new__(cls, text: str, reason: str = "time") -> Self:
        """Make one of a text such as "expected ..., got ..."."""
        made = super().__new__(cls, text)
        made.reason = reason
        return made


class Twice(NamedTuple):
    """The two instants that a time may mean which a clock has shown twice, in Unix seconds."""

    first: float
    second: float

    @property
    def apart(self) -> float:
        """How far the clock was set back, in seconds."""
        return self.second - self.first


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


def instant(shown: datetime, zone: tzinfo) -> float | Twice | NoTime:
    """Return when a clock showed a time, in Unix seconds.

    Args:
        shown: Without a zone.
        zone: Where the clock stands.
    """
    ahead = _offset_of_day(shown.toordinal(), zone)
    if ahead is not None:
        return (shown - _EPOCH).total_seconds() - ahead
    time = shown.replace(tzinfo=zone, fold=0)
    again = time.replace(fold=1)
    if time.utcoffset() == again.utcoffset():
        return time.timestamp()
    first, second = time.timestamp(), again.timestamp()
    if first < second:
        return Twice(first, second)
    return NoTime(f"{shown}: expected a time that a clock in {zone} shows", "no_such_time")


@lru_cache(maxsize=4096)
def _offset_of_day(ordinal: int, zone: tzinfo) -> float | None:
    """Return how far a zone is ahead of UTC on a day, in seconds, if that is one all day."""
    begin = datetime.fromordinal(ordinal)
    ends = [begin, begin + timedelta(days=1, microseconds=-1)]
    found = {each.replace(tzinfo=zone, fold=f).utcoffset() for each in ends for f in (0, 1)}
    ahead = found.pop()
    return ahead.total_seconds() if ahead is not None and not found else None


def shown(time: float, zone: tzinfo) -> datetime:
    """Return what a clock shows at an instant, without a zone, to the microsecond."""
    return datetime.fromtimestamp(time, zone).replace(tzinfo=None, fold=0)


def repeated(time: float, zone: tzinfo) -> tuple[datetime, datetime] | None:
    """Return local times around the span that comes twice, if an instant lies in one, or None.

    A request in local time cannot say which pass is meant, so it has to ask for both: from
    a second before, which comes once, to the first time behind them.

    Args:
        time: In Unix seconds.
        zone: Where the clock stands.
    """
    change = _set_back_near(int(time), zone)
    if change is None:
        return None
    at, apart = change
    if not at - apart <= time < at + apart:
        return None
    begin = shown(at, zone)
    return begin - timedelta(seconds=1), begin + timedelta(seconds=apart)


@lru_cache(maxsize=1024)
def _set_back_near(time: int, zone: tzinfo) -> tuple[int, int] | None:
    """Return when the clock was set back within a day of an instant, and by how many seconds."""
    low, high = time - 86_400, time + 86_400
    for begin, end in pairwise(range(low, high + 1, 10_800)):
        apart = _offset(begin, zone) - _offset(end, zone)
        if apart > 0:
            return change_between(begin, end, zone), apart
    return None


def change_between(low: int, high: int, zone: tzinfo) -> int:
    """Return the first second that has the offset of the end of a span, in Unix seconds."""
    wanted = _offset(high, zone)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _offset(middle, zone) == wanted else (middle, high)
    return high


def _offset(time: int, zone: tzinfo) -> int:
    """Return how far a zone is ahead of UTC at an instant, in seconds."""
    offset = datetime.fromtimestamp(time, zone).utcoffset()
    return int(offset.total_seconds()) if offset else 0


def offsets(shown_time: datetime, zone: tzinfo) -> dict[str, timedelta]:
    """Return the names that a zone has for its offsets in that half of a year, as in "CEST"."""
    near = (timedelta(0), timedelta(days=-182), timedelta(days=182))
    moments = [(shown_time + each).replace(tzinfo=zone, fold=f) for each in near for f in (1, 0)]
    return {each.tzname() or "": each.utcoffset() or timedelta(0) for each in reversed(moments)}


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is known of the times of an answer before it is read.

    Attributes:
        after: Nothing before this was asked for, in Unix seconds.
        now: When it came, in Unix seconds.
        live: Whether what was pushed tells how things are when it comes.
        read: Up to when was read before, in Unix seconds; None: that is not known.
        lag: How old the newest time was when it came, in seconds; None: that is not known.
    """

    after: float = -inf
    now: float = inf
    live: bool = False
    read: float | None = None
    lag: float | None = None


NO_BOUNDS: Final = Bounds()


def settle(
    times: Sequence[Any],
    keys: Sequence[Hashable],
    *,
    before: Mapping[Any, float] | None = None,
    bounds: Bounds | Sequence[Bounds] = NO_BOUNDS,
) -> list[Any]:
    """Return times with an instant for each that came twice; the others stay as they are.

    The times of one key belong together: they come one after the other, the oldest or the
    newest first. Of several ways to read them the one is taken that has the fewest
    steps back, and then the one without a hole.

    Args:
        times: In the order of the answer.
        keys: For each, what it is the time of, such as its series.
        before: The last time of the answer before this one, for each key.
        bounds: Of all of them, or of each.
    """
    found = list(times)
    if not any(type(time) is Twice for time in times):
        return found
    known = [bounds] * len(found) if isinstance(bounds, Bounds) else bounds
    sequences = _sequences(times, keys, known, before or {})
    ways = [_read(sequences, newest_first=each) for each in (False, True)]
    best = min(ways, key=lambda way: way.cost)
    for at, time in best.times:
        found[at] = time
    return found


class _Step(NamedTuple):
    """One time of a sequence; ``at`` is its place in the answer, or -1 for what came before."""

    at: int
    time: Any
    bounds: Bounds


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to read sequences: the instants by place, and what speaks against it."""

    times: list[tuple[int, float]]
    cost: tuple[int, int, float]


def _sequences(
    times: Sequence[Any],
    keys: Sequence[Hashable],
    bounds: Sequence[Bounds],
    before: Mapping[Any, float],
) -> list[list[_Step]]:
    """Return the times of each key for which one of them came twice."""
    sequences: dict[Hashable, list[_Step]] = {}
    unclear = {key for key, time in zip(keys, times, strict=True) if type(time) is Twice}
    for key in unclear & before.keys():
        sequences[key] = [_Step(-1, before[key], Bounds())]
    for at, (key, time) in enumerate(zip(keys, times, strict=True)):
        if key in unclear and type(time) in {Twice, float, int}:
            sequences.setdefault(key, []).append(_Step(at, time, bounds[at]))
    return list(sequences.values())


def _read(sequences: Sequence[Sequence[_Step]], *, newest_first: bool) -> _Way:
    times: list[tuple[int, float]] = []
    back, odd, holes = 0, 0, 0.0
    for each in sequences:
        steps = each[::-1] if newest_first else each
        instants, against, widest = _instants(steps)
        back += sum(after < one for one, after in pairwise(instants))
        odd, holes = odd + against, holes + widest
        times += [(step.at, t) for step, t in zip(steps, instants, strict=True) if step.at >= 0]
    return _Way(times, (back, odd, holes))


def _instants(steps: Sequence[_Step]) -> tuple[list[float], int, float]:
    """Return the instants of a sequence, the oldest first, and what speaks against them.

    That is how many of them are odd, as no one has asked for them or they are still to come,
    and the widest holes around changes.
    """
    found: list[float] = []
    odd, widest = 0, 0.0
    for begin, end in _runs(steps):
        if type(steps[begin].time) is not Twice:
            found.append(float(steps[begin].time))
            continue
        earlier = found[-1] if found else None
        following = steps[end].time if end < len(steps) else None
        later = following.first if type(following) is Twice else following
        again = begin == 1 and steps[0].at < 0  # an answer may repeat what the one before had
        switch, against, hole = _switch(steps[begin:end], earlier, later, again=again)
        found += [step.time[at >= switch] for at, step in enumerate(steps[begin:end])]
        odd, widest = odd + against, widest + hole
    return found, odd, widest


def _runs(steps: Sequence[_Step]) -> Iterator[tuple[int, int]]:
    """Yield where each run of times that came twice in the same night begins and ends."""
    begin = 0
    for end in range(1, len(steps) + 1):
        if end == len(steps) or not _same_night(steps[end - 1].time, steps[end].time):
            yield begin, end
            begin = end


def _same_night(one: Any, other: Any) -> bool:
    both = type(one) is Twice and type(other) is Twice
    return both and abs(one.first - other.first) < one.apart


def _switch(
    steps: Sequence[_Step], earlier: float | None, later: float | None, *, again: bool
) -> tuple[int, int, float]:
    """Return how many times of a run are of the first pass, how many are odd, and the widest hole.

    Args:
        steps: The run.
        earlier: The time before it, or None.
        later: The time behind it, or None.
        again: Whether the time before is of another answer.
    """
    firsts = [step.time.first for step in steps]
    gaps = [after - one for one, after in pairwise(firsts)]
    apart, size = steps[0].time.apart, len(steps)
    # Only where a time is not later than the one before may the second pass begin.
    options = [*(at for at, gap in enumerate(gaps, 1) if gap <= 0), size, 0]
    too_early = [0, *accumulate(_too_early(step, earlier) for step in steps)]
    too_late = [0, *accumulate(_too_late(step, later) for step in steps)]
    widest_to = [0.0, 0.0, *accumulate(gaps, max)]
    widest_from = [*[*accumulate(reversed(gaps), max)][::-1], 0.0, 0.0]

    def cost(switch: int) -> tuple[int, int, int, float]:
        begin = firsts[0] + (apart if switch == 0 else 0.0)
        end = firsts[-1] + (apart if switch < size else 0.0)
        hole, back = _around(steps[-1], begin, end, earlier, later)
        to_come = too_late[size] - too_late[switch]
        inside = max(widest_to[switch], widest_from[switch])
        if 0 < switch < size:
            inside = max(inside, gaps[switch - 1] + apart)
            back -= gaps[switch - 1] < 0
        # A source may give more than it was asked for, so its order says more.
        odd = too_early[switch] + to_come
        if again:
            return 0, to_come, back + odd, max(hole, inside)
        return back, 0, odd, max(hole, inside)

    best = min(options, key=cost)
    return best, *cost(best)[-2:]


def _too_early(step: _Step, earlier: float | None) -> bool:
    """Say whether a time of the first pass was not asked for."""
    return earlier is None and step.time.first < step.bounds.after


def _too_late(step: _Step, later: float | None) -> bool:
    """Say whether a time of the second pass is still to come."""
    bound = step.bounds.live or later is None
    return bool(bound and step.time.second > step.bounds.now + AHEAD)


def _around(
    last: _Step, begin: float, end: float, earlier: float | None, later: float | None
) -> tuple[float, int]:
    """Return the widest hole around a run, and how many of its ends lie beyond its neighbours."""
    back = (earlier is not None and begin < earlier) + (later is not None and later < end)
    late = last.bounds.now - last.time.second
    fresh = last.bounds.live and late < last.time.apart
    if fresh or (earlier is None and later is None):
        return _alone(last.bounds, begin, end), back
    # What was read before may come again, so that a run begins ahead of it, and ends behind it.
    before = 0.0 if earlier is None else max(begin - earlier, earlier - end)
    return max(before, 0.0 if later is None else later - end), back


def _alone(bounds: Bounds, begin: float, end: float) -> float:
    """Return the narrower of the holes between a run and what else is known: now, and then.

    A source that is behind has nothing near now, but goes on where it was read before. If it is
    known how far it is behind, that says most.
    """
    if bounds.lag is not None:
        return abs(bounds.now - bounds.lag - end)
    holes = [max(0.0, bounds.now - end)] if bounds.now < inf else []
    if bounds.read is not None:
        holes.append(max(0.0, begin - bounds.read, bounds.read - end))
    return min(holes, default=0.0)
