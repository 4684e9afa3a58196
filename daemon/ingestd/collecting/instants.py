"""The times of readings: what local ones mean, and which are believed.

Pure. A time that no live meter means comes from a clock that is not set, or from a number that
was read in another unit: it would be stored where nobody looks.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from math import inf
from operator import lt
from typing import Any, Final

from ingestd.contract import safe_repr
from ingestd.errors import ReadingError
from ingestd.model import MICROSECONDS, Point, Series
from ingestd.plugins._limits import LATEST, is_time, time_problem
from ingestd.plugins._times import Bounds, NoTime, Twice, instant, settle

TOO_EARLY: Final = "too_early"
TOO_LATE: Final = "too_late"
WIDE: Final = 16  # series in a turn
CONTRADICTION: Final = "contradiction"  # another value for the same series and time
# A machine whose clock says less has not set it, and knows no future.
RELEASED: Final = 1_793_491_200  # 2026-11-01 in UTC


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """Between which times those of readings are believed.

    Attributes:
        not_before: The earliest, in Unix seconds.
        not_after: How far the latest is ahead of now, in seconds.
    """

    not_before: float = -inf
    not_after: float = inf

    def span(self, now: float) -> tuple[float, float]:
        """Return the earliest and the latest time, in Unix seconds."""
        return max(self.not_before, -LATEST), min(max(now, RELEASED) + self.not_after, LATEST)

    def check(self, name: str, time: float, *, now: float) -> None:
        """Refuse a time that lies outside.

        Raises:
            ReadingError: It does.
        """
        if found := self.problem(time, now=now):
            reason, message = found
            raise ReadingError(reason, f"{name}: {message}")

    def problem(self, time: float, *, now: float) -> tuple[str, str] | None:
        """Return a word for what is wrong with a time that lies outside, and what to say of it."""
        if not is_time(time):
            return time_problem(time, safe_repr(time))
        earliest, latest = self.span(now)
        if time < earliest:
            wanted = f"from {_text(earliest)} on (not_before)"
            return TOO_EARLY, f"expected a time {wanted}, got {_text(time)}"
        if time > latest:
            wanted = f"before {_text(latest)} (not_after)"
            return TOO_LATE, f"expected a time {wanted}, got {_text(time)}"
        return None


def nothing_known(_: Series) -> tuple[float, float] | None:
    """Say of every series that nothing is known of it."""
    return None


@dataclass(slots=True)
class Past:
    """What is known of a run's readings before a slice of them comes.

    Attributes:
        after: Nothing before this was asked for, in Unix seconds.
        until: Nothing behind this was asked for, likewise; now, if that is sooner.
        known: Tells up to when a series was read before, likewise, and how old that was when it
            came, in seconds; None if that is not known.
        points: The points of the slice before.
    """

    after: float = -inf
    until: float = inf
    known: Callable[[Series], tuple[float, float] | None] = nothing_known
    points: Sequence[Point] = ()

    def bounds(self, series: Series, *, now: float) -> Bounds:
        """Return what is known of the times of a series."""
        now = min(now, self.until)
        read, lag = self.known(series) or (None, None)
        if read is None or read > now:  # forecasts tell nothing
            return Bounds(after=self.after, now=now)
        return Bounds(after=self.after, now=now, read=read, lag=lag)


def instant_of(name: str, time: Any, *, zone: tzinfo | None) -> float | Twice:
    """Return the instant of a reading's time, in Unix seconds.

    Raises:
        ReadingError: It has none.
    """
    if isinstance(time, datetime):
        time = _instant(name, time, zone=zone)
    if isinstance(time, NoTime):
        raise ReadingError(time.reason, f"{name}: {time}")
    if type(time) is Twice:
        return time
    if type(time) not in {int, float} or time != time:  # noqa: PLR0124 -- isnan fails for long ints
        raise ReadingError(
            "time",
            f"{name}: expected Unix seconds, an aware datetime or None, got {safe_repr(time)}",
        )
    return time  # type: ignore[no-any-return]  # mypy does not follow type()


def _instant(name: str, time: datetime, *, zone: tzinfo | None) -> float | Twice | NoTime:
    if time.utcoffset() is not None:
        return time.timestamp()
    if zone is None:
        raise ReadingError(
            "naive_time",
            f"{name}: expected a time with its zone, or `timezone:` on the collector, "
            f"got {safe_repr(time)}",
        )
    return instant(time.replace(tzinfo=None), zone)


def settled(
    times: Sequence[Any], series: Sequence[Series], *, past: Past, now: float
) -> Sequence[float]:
    """Return times with an instant for each local one that came twice.

    Args:
        times: Of a slice of a result, in its order.
        series: The series of each.
        past: What is known of those before it.
        now: In Unix seconds.
    """
    if not any(type(time) is Twice for time in times):
        return times
    last: Mapping[Any, float] = {id(each): us / MICROSECONDS for each, us, _ in past.points}
    known = {id(each): past.bounds(each, now=now) for each in series}
    keys = list(map(id, series))
    return settle(times, keys, before=last, bounds=list(map(known.__getitem__, keys)))


def contradictions(
    series: Sequence[Series], times_us: Sequence[int], values: Sequence[float], *, turn: int = 0
) -> Sequence[int]:
    """Return the places of readings after which another value comes for the same series and time.

    Nearly always a time was misread: stores would keep the last, and say nothing.

    Args:
        series: A series for each reading.
        times_us: Its time.
        values: Its value.
        turn: After how many readings the series come again in the same order; 0 if they do not.
    """
    count = len(times_us)
    if turn == count or (turn and _each_turn_is_later(times_us, turn)):
        return ()
    last = dict(zip(zip(map(id, series), times_us, strict=True), values, strict=True))
    if len(last) == count:
        return ()
    return [
        at
        for at, (each, time_us, value) in enumerate(zip(series, times_us, values, strict=True))
        if last[id(each), time_us] != value
    ]


def turn_of(names: Sequence[Any]) -> int:
    """Return after how many names they come again in the same order; 0 if they do not.

    Most sources give all series of one time, and then those of the next.
    """
    try:
        turn = names.index(names[0], 1)
    except ValueError:
        turn = len(names)
    by_turns = names[turn:] == names[: len(names) - turn]
    return turn if by_turns and len(set(names[:turn])) == turn else 0


def _each_turn_is_later(times_us: Sequence[int], turn: int) -> bool:
    """Say whether no time is before the one before it, and a turn has none of another one's."""
    begins, ends = times_us[turn::turn], times_us[turn - 1 :: turn]
    if not all(map(lt, ends, begins)):
        return False
    return (
        turn == 1 or _each_turn_is_of_one_time(times_us, turn) or list(times_us) == sorted(times_us)
    )


def _each_turn_is_of_one_time(times_us: Sequence[int], turn: int) -> bool:
    if turn < WIDE:  # looking at each turn would take longer than sorting
        return False
    rows = (times_us[at : at + turn] for at in range(0, len(times_us), turn))
    return all(row.count(row[0]) == len(row) for row in rows)


def contradiction(point: Point) -> ReadingError:
    """Return what to say of a point that another one contradicts."""
    series, time_us, value = point
    return ReadingError(
        CONTRADICTION,
        f"{series.name}: expected one value at {_text(time_us / MICROSECONDS)}, "
        f"got {value!r} and another (was a time misread? see `timezone`)",
    )


def _text(time: float) -> str:
    """Return Unix seconds as people read them."""
    moment = datetime.fromtimestamp(time, UTC)
    return f"{moment:%Y-%m-%d}" if time % 86_400 == 0 else f"{moment:%Y-%m-%dT%H:%M:%SZ}"
