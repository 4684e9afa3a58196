"""Times as they can be compared."""

from datetime import datetime
from math import isfinite
from typing import Any, Final

# A millisecond count read as seconds lies beyond this year; nothing measured does.
FAR: Final = 100_000_000_000


def seconds(time: Any) -> float | None:
    """Return a reading's time in Unix seconds, or None if it has none that can be compared."""
    if isinstance(time, datetime):
        return time.timestamp() if time.tzinfo else None
    usable = type(time) in {int, float} and isfinite(time) and abs(time) < FAR
    return float(time) if usable else None
