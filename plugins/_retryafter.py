"""For how long a server asks to be left alone, in a header or in the body of its answer.

Imported by its full name, so that a copy of a plugin works in any folder. The daemon
uses it, too: for `ctx.http`, and for stores.
"""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any, Final

# Unit -> seconds. The standard knows no units; servers and proxies write them.
UNITS: Final[Mapping[str, float]] = {
    "": 1,
    "ms": 0.001,
    "s": 1,
    "sec": 1,
    "m": 60,
    "min": 60,
    "h": 3600,
    "d": 86400,
}
# Seconds. Who asks for more than a day has its clock or its unit wrong, or means "go away";
# the callers have bounds of their own below it.
LONGEST: Final = 86_400.0
FAR: Final = 1e11  # Unix seconds; what is said in milliseconds lies beyond
DURATION: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", re.ASCII | re.IGNORECASE)
# The members of a JSON object that servers use for the same purpose.
IN_BODY: Final = ("backOffSuggestion", "retry_after", "retryAfter")
# One that says until when, in Unix seconds, as Enphase does for its quotas.
UNTIL_IN_BODY: Final = "period_end"

_LEAVING: Final[ContextVar[bool]] = ContextVar("leaving", default=False)


@contextmanager
def leaving() -> Iterator[None]:
    """Let requests pass although their server wants to be left alone.

    For those that end what it keeps open for us, such as a sign-out.
    """
    token = _LEAVING.set(True)
    try:
        yield
    finally:
        _LEAVING.reset(token)


def is_leaving() -> bool:
    """Say whether requests of this task pass in any case."""
    return _LEAVING.get()


def retry_after_seconds(header: str, *, now: float) -> float | None:
    """Return how long a ``Retry-After`` asks to wait, in seconds, or None if it says nothing.

    Besides whole seconds and HTTP dates, which the standard knows, servers and
    proxies send fractions and units: ``0.5``, ``3s``, ``500ms``, ``2m``.

    Args:
        header: The header's value.
        now: The current time, in seconds since the Unix epoch.
    """
    if DURATION.fullmatch(header):
        return seconds_in(header)
    when = http_date(header)
    return None if when is None else min(max(0.0, when - now), LONGEST)


def http_date(header: str) -> float | None:
    """Return a date of HTTP in Unix seconds, or None if it is none."""
    try:
        when = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    # A date without a zone is in UTC, by the standard.
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def server_time(headers: Mapping[str, str], *, now: float) -> float:
    """Return what a server's clock says, or else what ours does, in Unix seconds."""
    date = http_date(headers.get("Date", ""))
    return now if date is None else date


def pause_asked_for(headers: Mapping[str, str], body: bytes, *, now: float) -> float | None:
    """Return how long an answer asks to wait, in seconds, or None if it says nothing.

    Args:
        headers: Of the answer; whatever the case of their names.
        body: What has been read of it.
        now: The current time, in Unix seconds.
    """
    time = server_time(headers, now=now)
    asked = retry_after_seconds(headers.get("Retry-After", ""), now=time)
    return retry_after_in_body(body, now=now) if asked is None else asked


def retry_after_in_body(body: bytes | str, *, now: float) -> float | None:
    """Return how long a JSON object asks to wait, in seconds, or None if it says nothing.

    Args:
        body: The JSON.
        now: The current time, in Unix seconds.
    """
    try:
        found = json.loads(body.lstrip("\ufeff") if isinstance(body, str) else body)
    except (ValueError, RecursionError):
        return None
    said: Mapping[str, Any] = found if isinstance(found, dict) else {}
    hints = [said.get(name) for name in IN_BODY]
    until: Any = said.get(UNTIL_IN_BODY)
    if type(until) in {int, float} and abs(until) < FAR:
        hints.append(until - now)
    return next((asked for hint in hints if (asked := seconds_in(hint)) is not None), None)


def seconds_in(hint: Any) -> float | None:
    """Return the seconds in a number or in a text such as ``3s``, or None if it has none."""
    seconds: float | None = None
    if isinstance(hint, str) and (match := DURATION.fullmatch(hint)):
        unit = UNITS.get(match[2].lower())
        seconds = None if unit is None else float(match[1]) * unit
    elif isinstance(hint, int | float) and not isinstance(hint, bool):
        seconds = hint if isinstance(hint, float) or hint.bit_length() < 64 else None
    if seconds is None or not isfinite(seconds):
        return None
    return min(max(0.0, seconds), LONGEST)  # a time that is over by now comes as a negative number
