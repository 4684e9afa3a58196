"""Times that a record tells by how long after another one they are."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from math import isfinite
from typing import Any, Final

from ingestd.plugins import _units
from ingestd.plugins._limits import LONGEST_NUMBER
from ingestd.plugins._params import duration
from ingestd.plugins._times import NO_TIME, NoTime
from ingestd.plugins._walltime import Twice

from .lookups import Lookup, lookup_of
from .records import Records

# A duration as the operator writes it, and as ISO 8601 has those that are always as long.
LITERAL: Final = re.compile(r"\d.*")
EXACT: Final = re.compile(
    r"PT(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9}(?:\.\d{1,9})?)S)?", re.ASCII
)


UNITS: Final = {"days": 86_400, "hours": 3600, "minutes": 60, "seconds": 1, "milliseconds": 0.001}


def plus_in(plus: Any, records: Records) -> Lookup:
    """Read the option ``time_plus``: where it stands by how much a time is later than another.

    Args:
        plus: A path to seconds, or one for each of some units, such as ``{hours: hour}``.
        records: Where the records are.

    Raises:
        ValueError: It is neither.
    """
    if not isinstance(plus, Mapping):
        return lookup_of(plus, records, where="time_plus")
    if not plus or not set(plus) <= UNITS.keys():
        raise ValueError(
            f"time_plus: expected a path to seconds, or paths to {', '.join(UNITS)}, "
            f"got {', '.join(map(str, plus)) or 'none'}"
        )
    found = {
        unit: lookup_of(path, records, where=f"time_plus.{unit}") for unit, path in plus.items()
    }
    own = {unit: each.own for unit, each in found.items() if each.own is not None}
    whole = len(own) == len(found)
    return Lookup(
        partial(total, own) if whole else None,
        partial(total, {unit: each.node for unit, each in found.items()}),
    )


def total(finds: Mapping[str, Callable[[Any], Any]], record: Any) -> Any:
    """Return how many seconds some units make, None if one is missing, or why they are none."""
    seconds = 0.0
    for unit, find in finds.items():
        told = find(record)
        if told is None:
            return None
        try:
            seconds += _seconds(told) * UNITS[unit]
        except (TypeError, ValueError, OverflowError):
            return NoTime(f"time_plus: expected {unit} there, got {told!r:.80}")
    return seconds


def later(time: Any, told: Any) -> Any:
    """Return a time that is later than another, or why there is none.

    Args:
        time: As the rules of times read it.
        told: By how many seconds, as number or text, or by which duration.
    """
    if isinstance(time, NoTime):
        return time
    if isinstance(told, NoTime):
        return told
    if told is None:
        return NoTime("time_plus: expected seconds there, got nothing", NO_TIME)
    try:
        seconds = _duration(told)
        if isinstance(time, Twice):
            return Twice(time.first + seconds, time.second + seconds)
        return time + (timedelta(seconds=seconds) if isinstance(time, datetime) else seconds)
    except (TypeError, ValueError, OverflowError):
        return NoTime(f"time_plus: expected seconds there, got {told!r:.80}")


def _seconds(told: Any) -> float:
    if isinstance(told, bool) or (isinstance(told, str) and len(told) > LONGEST_NUMBER):
        raise TypeError
    found = float(told)
    if not isfinite(found):
        raise ValueError
    return found


def step_of(step: Any, records: Records) -> Lookup:
    """Read the option ``time_step``: how far apart the records of a list are.

    Args:
        step: A duration such as ``15m``, or a path to one.
        records: Where the records are.

    Raises:
        ValueError: It is neither.
    """
    if not isinstance(step, str) or LITERAL.fullmatch(step):
        seconds = duration(step, "time_step")
        return Lookup(None, lambda node: stepped(node.place, seconds))
    find = lookup_of(step, records, where="time_step").node
    return Lookup(None, lambda node: stepped(node.place, find(node)))


def stepped(place: int | None, step: Any) -> Any:
    """Return how many seconds a record is behind the first of its list, or why that is unknown.

    Args:
        place: Its place in the list.
        step: How far apart they are: seconds, as number or text, or a duration.
    """
    if place is None:
        return NoTime("time_step: expected records in a list, got one that is in none")
    try:
        return place * _duration(step)
    except (TypeError, ValueError, OverflowError):
        return NoTime(f"time_step: expected seconds, or such as 15m or PT15M, got {step!r:.80}")


def _duration(told: Any) -> float:
    if not isinstance(told, str):
        return _seconds(told)
    text = told.strip()
    if (exact := EXACT.fullmatch(text)) and any(exact.groups()):
        hours, minutes, seconds = (float(each or 0) for each in exact.groups())
        return hours * 3600 + minutes * 60 + seconds
    try:
        return _seconds(text)
    except ValueError:
        return _units.duration(text)
