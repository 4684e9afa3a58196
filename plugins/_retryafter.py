"""For how long a server asks to be left alone, in its headers or in the body of its answer.

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
from itertools import islice
from math import isfinite
from typing import Any, Final

from ingestd.plugins._isotimes import iso_time

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
# Headers that say for how long, or until when, in the order in which they are believed.
WAITS: Final = (
    *("Retry-After", "X-Retry-After", "X-RateLimit-Retry-After", "X-Rate-Limit-Retry-After"),
    *("Retry-After-Ms", "X-Ms-Retry-After-Ms"),
)
# Those that say when there is a new quota. They come with good answers as well, so they count only
# where a server says that too much was asked.
RESETS: Final = (
    *("RateLimit-Reset", "X-RateLimit-Reset-After", "X-RateLimit-Reset"),
    *("X-Rate-Limit-Reset", "X-RateLimit-Reset-Requests"),
)
REMAINING: Final = ("RateLimit-Remaining", "X-RateLimit-Remaining", "X-Rate-Limit-Remaining")
# The seconds in a `RateLimit`, as the drafts for one standard have written it: `reset=50`, `t=50`.
RATE_LIMIT: Final = re.compile(r"(?:^|[\s,;])(?:reset|t)=(\d+)", re.ASCII)
TOO_MANY_REQUESTS: Final = 429
FORBIDDEN: Final = 403
LATEST: Final = 1e14  # Unix milliseconds
NUMBER: Final = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
LONGEST_NUMBER: Final = 20  # characters
RECENT: Final = 1e9  # a larger number is no pause in seconds, but when it is over, in Unix seconds
# The members of JSON that servers use for the same purpose, as letters alone.
IN_BODY: Final = frozenset(
    {
        *("backoffsuggestion", "retryafter", "retryafterseconds", "retryafterms"),
        *("retrydelay", "retryin", "retryinseconds"),
    }
)
# One that says until when, in Unix seconds, as Enphase does for its quotas.
UNTIL_IN_BODY: Final = "periodend"
DEPTH: Final = 5  # how far below the top they are looked for
MEMBERS: Final = 1000  # how many are looked at

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


def pause_asked_for(
    headers: Mapping[str, str], body: bytes, *, now: float, status: int | None = None
) -> float | None:
    """Return how long an answer asks to wait, in seconds, or None if it says nothing.

    Args:
        headers: Of the answer; whatever the case of their names.
        body: What has been read of it.
        now: The current time, in Unix seconds.
        status: Of the answer, if it is known.
    """
    time = server_time(headers, now=now)
    hints = [pause_in(headers.get(name, ""), name, now=time) for name in WAITS]
    if is_too_much(status, headers):
        hints.append(pause_until_reset(headers, now=time))
    asked = next((each for each in hints if each is not None), None)
    return retry_after_in_body(body, now=now) if asked is None else asked


def is_too_much(status: int | None, headers: Mapping[str, str]) -> bool:
    """Say whether an answer refuses because too much was asked: GitHub and others say so by 403."""
    spent = any(headers.get(name, "").strip() == "0" for name in REMAINING)
    return status == TOO_MANY_REQUESTS or (
        status == FORBIDDEN and (spent or "Retry-After" in headers)
    )


def pause_in(text: str, name: str, *, now: float) -> float | None:
    """Return how long a header, or a member of a body, asks to wait, or None if it says nothing.

    Args:
        text: What stands there.
        name: What it is called.
        now: The current time, in Unix seconds.
    """
    text = text.strip()
    if name.lower().endswith("ms") and text.isdecimal():
        return seconds_in(f"{text}ms")
    until = moment_in(text)
    if until is None:
        return retry_after_seconds(text, now=now)
    return min(max(0.0, until - now), LONGEST)


def moment_in(text: str) -> float | None:
    """Return a time as no standard has it there, in Unix seconds, or None if it is none.

    That is in ISO 8601, or a number that would be a pause of decades.
    """
    if NUMBER.fullmatch(text):
        number = float(text) if len(text) <= LONGEST_NUMBER else 0.0
        return None if number < RECENT else number / 1000 if number > FAR else number
    try:
        moment = iso_time(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def pause_until_reset(headers: Mapping[str, str], *, now: float) -> float | None:
    """Return how long it takes until there is a new quota, or None if that is not known.

    One that is not spent is not what was asked too much of; one that should be new by now says
    nothing, either.
    """
    left = next((headers[name].strip() for name in REMAINING if name in headers), "0")
    if left != "0":
        return None
    found = RATE_LIMIT.search(headers.get("RateLimit", ""))
    hints = [seconds_in(found[1])] if found else []
    hints += [pause_in(headers.get(name, ""), name, now=now) for name in RESETS]
    return next((each for each in hints if each), None)


def retry_after_in_body(body: bytes | str, *, now: float) -> float | None:
    """Return how long JSON asks to wait, in seconds, or None if it says nothing.

    Args:
        body: The JSON.
        now: The current time, in Unix seconds.
    """
    try:
        found = json.loads(body.lstrip("\ufeff") if isinstance(body, str) else body)
    except (ValueError, RecursionError):
        return None
    members = islice(members_of(found, DEPTH), MEMBERS)
    hints = (hint_of(name, each, now=now) for name, each in members)
    return next((each for each in hints if each is not None), None)


def members_of(value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    """Yield the members of JSON with the letters of their names, those at the top first."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if isinstance(value, dict):
        for name, each in value.items():
            yield "".join(filter(str.isalnum, name)).lower(), each
    if depth > 1:
        for each in inner:
            yield from members_of(each, depth - 1)


def hint_of(name: str, value: Any, *, now: float) -> float | None:
    """Return how long a member of JSON asks to wait, in seconds, or None if it says nothing."""
    if name == UNTIL_IN_BODY:
        known = type(value) in {int, float} and abs(value) < FAR
        return seconds_in(value - now) if known else None
    if name not in IN_BODY:
        return None
    if type(value) in {int, float} and RECENT < value < LATEST:
        return pause_in(f"{value:.0f}", name, now=now)
    if isinstance(value, str):
        return pause_in(value, name, now=now)
    if name.endswith("ms") and type(value) in {int, float}:
        return seconds_in(value / 1000 if abs(value) < FAR else None)
    return seconds_in(value)


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
