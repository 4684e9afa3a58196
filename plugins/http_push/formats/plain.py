"""Plain JSON: readings as a plugin of ingestd writes them."""

from itertools import starmap
from typing import Any, Final

from ingestd.plugins._limits import is_tag
from ingestd.plugins._times import notation

from .message import FormatError, Found, Message, finite, sift

TIMES: Final = notation(None)


class UnusableError(ValueError):
    """One reading cannot be stored."""


def readings(message: Message) -> Found:
    """Find readings in a list, or in the ``readings`` of an object.

    Each is ``[time, series, value]``, perhaps with an object of tags behind, or an
    object with these as names.

    Raises:
        FormatError: There is no list.
    """
    document: Any = message.document
    listed = document.get("readings") if isinstance(document, dict) else document
    if not isinstance(listed, list):
        raise FormatError(f"expected a list of [time, series, value], got {listed!r:.80}")
    found = Found()
    for each in listed:
        try:
            sift([reading(each, message)], found, message)
        except UnusableError as error:
            found.reject(str(error))
    return found


def reading(told: Any, message: Message) -> tuple[Any, ...]:
    """Return one reading.

    Raises:
        UnusableError: It is none.
    """
    if isinstance(told, dict):
        told = [told.get("time"), told.get("series"), told.get("value"), told.get("tags") or {}]
    if not isinstance(told, list) or len(told) not in {3, 4}:
        raise UnusableError(f"expected [time, series, value], got {told!r:.80}")
    time, series, value, *rest = told
    tags = rest[0] if rest else {}
    if not isinstance(tags, dict) or not all(starmap(is_tag, tags.items())):
        raise UnusableError(f"{series!s:.80}: expected an object of text tags, got {tags!r:.80}")
    return moment(time, message, series), series, number(value, series), tags


def moment(time: Any, message: Message, series: Any) -> float:
    """Return when it was, in seconds since the Unix epoch.

    Raises:
        UnusableError: It does not say so.
    """
    if time is None:
        return message.now
    found = TIMES.read(time)
    if finite(found) is None:
        raise UnusableError(
            f"{series!s:.80}: expected Unix seconds, ISO 8601 with an offset, or null as the time"
        )
    return float(found)


def number(value: Any, series: Any) -> float:
    """Return the value.

    Raises:
        UnusableError: It is no finite number.
    """
    found = finite(value)
    if found is None:
        raise UnusableError(f"{series!s:.80}: expected a finite number, got {value!r:.80}")
    return found
