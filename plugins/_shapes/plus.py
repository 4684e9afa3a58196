"""Times that a record tells by how long after another one they are."""

from datetime import datetime, timedelta
from math import isfinite
from typing import Any

from ingestd.plugins._limits import LONGEST_NUMBER
from ingestd.plugins._times import NO_TIME, NoTime
from ingestd.plugins._walltime import Twice


def later(time: Any, told: Any) -> Any:
    """Return a time that is later than another, or why there is none.

    Args:
        time: As the rules of times read it.
        told: By how many seconds, as number or text.
    """
    if isinstance(time, NoTime):
        return time
    if told is None:
        return NoTime("time_plus: expected seconds there, got nothing", NO_TIME)
    try:
        seconds = _seconds(told)
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
