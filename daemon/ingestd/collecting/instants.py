"""The times of readings: what local ones mean, and which are believed.

Pure. A time that no live meter means comes from a clock that is not set, or from a number that
was read in another unit: it would be stored where nobody looks.
"""

from collections.abc import Mapping, Sequence
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
        if not is_time(time):
            reason, message = time_problem(time, safe_repr(time))
            raise ReadingError(reason, f"{name}: {message}")
        earliest, latest = self.span(now)
        if time < earliest:
            raise ReadingError(
                TOO_EARLY,
                f"{name}: expected a time from {_text(earliest)} on (not_before), "
                f"got {_text(time)}",
            )
        if time > latest:
            raise ReadingError(
                TOO_LATE,
                f"{name}: expected a time before {_text(latest)} (not_after), got {_text(time)}",
            )


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
    times: Sequence[Any], series: Sequence[Series], *, before: Sequence[Point], now: float
) -> Sequence[float]:
    """Return times with an instant for each local one that came twice.

    Args:
        times: Of a slice of a result, in its order.
        series: The series of each.
        before: The points of the slice before it.
        now: In Unix seconds.
    """
    if not any(type(time) is Twice for time in times):
        return times
    last: Mapping[Any, float] = {id(each): us / MICROSECONDS for each, us, _ in before}
    return settle(times, list(map(id, series)), before=last, bounds=Bounds(now=now))


def contradictions(
    series: Sequence[Series], times_us: Sequence[int], values: Sequence[float]
) -> Sequence[int]:
    """Return the places of readings after which another value comes for the same series and time.

    Nearly always a time was misread: stores would keep the last, and say nothing.
    """
    count = len(times_us)
    if len(set(times_us)) == count:
        return ()
    keys = list(map(id, series))
    width = len(set(keys))
    if width == count or _by_turns(keys, times_us, width):
        return ()
    last = dict(zip(zip(keys, times_us, strict=True), values, strict=True))
    if len(last) == count:
        return ()
    return [
        at
        for at, (key, time_us, value) in enumerate(zip(keys, times_us, values, strict=True))
        if last[key, time_us] != value
    ]


def _by_turns(keys: Sequence[int], times_us: Sequence[int], width: int) -> bool:
    """Say whether all series come in the same order again and again, each turn later."""
    if keys[width:] != keys[:-width]:
        return False
    begins, ends = times_us[width::width], times_us[width - 1 :: width]
    return list(times_us) == sorted(times_us) and all(map(lt, ends, begins))


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
