"""What names and times may be, so that every store can keep them.

The daemon refuses readings by these limits, and plugins that answer their senders
tell by the same ones what it will refuse.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

from math import inf
from typing import Any, Final

# InfluxDB counts nanoseconds in 63 bits: about 1678 to 2261.
LATEST: Final = 9_200_000_000  # Unix seconds, before the epoch as well as after it
# Unix seconds reach this in the year 5138; Unix milliseconds did in 1973.
MILLISECONDS: Final = 100_000_000_000
# No meter that is read today means a time before; a clock that is not set does.
NOT_BEFORE: Final = 946_684_800  # 2000-01-01 in UTC
NOT_AFTER: Final = 366 * 86_400  # seconds ahead of now; forecasts and tariffs are known days ahead
LONGEST_NAME: Final = 1024  # characters
# No number that a sender means takes more characters; what does, only costs time.
LONGEST_NUMBER: Final = 64
LONGEST_TIME: Final = 100  # characters of a text that can be a time


def is_name(text: Any) -> bool:
    """Say whether a value can be the name of a series."""
    return is_word(text) and not text.isspace()


def is_tag(name: Any, text: Any) -> bool:
    """Say whether values can be the name and the text of a tag; ``series`` is the daemon's own."""
    return is_word(name) and is_word(text) and name != "series"


def is_word(text: Any) -> bool:
    """Say whether a value is a text that every store can keep in one piece."""
    return isinstance(text, str) and 0 < len(text) <= LONGEST_NAME and text.isprintable()


def name_problem(shown: str) -> str:
    """Return what to say of a name that is none.

    Args:
        shown: The name as it may be shown.
    """
    return f"expected a printable name of at most {LONGEST_NAME} characters, got {shown}"


def is_time(seconds: float) -> bool:
    """Say whether Unix seconds are a time that every store can keep."""
    return abs(seconds) <= LATEST


def time_problem(seconds: float, shown: str) -> tuple[str, str]:
    """Return a word for what is wrong with a time that is none, and what to say of it.

    Args:
        seconds: Since the Unix epoch.
        shown: The time as it may be shown.
    """
    if MILLISECONDS <= abs(seconds) < inf:
        return "milliseconds", f"expected Unix seconds, got {shown}, milliseconds?"
    return "time", f"expected a year from 1679 to 2261, got {shown}"
