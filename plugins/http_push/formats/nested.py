"""The fields of an uplink as readings: nested by path, words as numbers, samples at their times."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Any, Final

from ingestd.plugins._limits import LONGEST_NUMBER
from ingestd.plugins._times import notation

from .message import FormatError, finite

NOT_FIELDS: Final = frozenset({"event"})
# What a sample in a list may call its time.
TIMES: Final = ("time", "timestamp", "ts")
# As BMON reads them: a contact is 1 when it is closed.
WORDS: Final = {
    **dict.fromkeys(("on", "true", "closed", "close"), 1.0),
    **dict.fromkeys(("off", "false", "open", "opened"), 0.0),
}
# A number and, perhaps, its unit; a date or a version has more digits behind.
NUMBER: Final = re.compile(r"\s*([-+]?\d+(?:\.\d+)?)(?:[\s°%A-Za-z/²³µΩ]*)", re.ASCII)
UTC_TIME: Final = notation(None, UTC)
DEEPEST: Final = 16

Field = tuple[float, str, Any]


def fields_of(decoded: Mapping[str, Any], time: float) -> Iterator[Field]:
    """Yield time, name and value of each field; a value that is no number stays as it came."""
    known = {name: each for name, each in decoded.items() if name not in NOT_FIELDS}
    return _within(known, "", time, DEEPEST)


def _within(value: Any, path: str, time: float, depth: int) -> Iterator[Field]:
    """Yield the fields of a part.

    Raises:
        FormatError: It nests too deeply, or a sample has a time that is none.
    """
    if depth == 0:
        raise FormatError(f"{path:.80}: expected at most {DEEPEST} levels of fields")
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _within(each, f"{path}_{name}" if path else str(name), time, depth - 1)
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from _listed(each, f"{path}_{at}", path, time, depth)
    else:
        yield time, path, number_of(value)


def _listed(value: Any, numbered: str, path: str, time: float, depth: int) -> Iterator[Field]:
    """Yield the fields of what stands in a list: a sample with its own time, or one of several."""
    named = next((each for each in TIMES if isinstance(value, dict) and each in value), None)
    if named is None:
        yield from _within(value, numbered, time, depth - 1)
        return
    own = UTC_TIME.read(value[named])
    if not isinstance(own, float | int):
        raise FormatError(f"{numbered}.{named}: expected a time, got {value[named]!r:.80}")
    rest = {name: each for name, each in value.items() if name != named}
    yield from _within(rest, path, float(own), depth - 1)


def number_of(value: Any) -> Any:
    """Return the number that a value says, or the value itself if it says none."""
    if not isinstance(value, str) or len(value) > LONGEST_NUMBER:
        return value
    word = WORDS.get(value.strip().lower())
    if word is not None:
        return word
    found = finite(value)
    if found is None and (told := NUMBER.fullmatch(value)):
        found = float(told[1])
    return value if found is None else found
