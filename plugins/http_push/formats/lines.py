"""Influx line protocol: ``cpu,host=a usage=1.5,idle=3i 1700000000000000000``."""

from collections.abc import Iterator, Mapping
from math import floor
from typing import Final

from ingestd.plugins._linedoubled import parsed_doubled
from ingestd.plugins._linereadings import readings_of_line
from ingestd.plugins._lines import Line, parsed

from .message import FormatError, Found, Message, sift

# What one second is in the unit of the times. All versions of the API in one table.
PRECISIONS: Final[Mapping[str, float]] = {
    "": 1e9, "n": 1e9, "ns": 1e9, "u": 1e6, "us": 1e6, "µ": 1e6, "ms": 1e3,
    "s": 1, "m": 1 / 60, "h": 1 / 3600,
    "nanosecond": 1e9, "microsecond": 1e6, "millisecond": 1e3, "second": 1,
}  # fmt: skip

AUTO: Final = "auto"
SIZES: Final = (1, 1e3, 1e6)
FIVE_BILLION: Final = 5e9  # seconds: until the year 2128
# How one ingestd writes to another that it takes for a VictoriaMetrics.
DOUBLED: Final = "victoriametrics"


def lines(message: Message) -> Found:
    """Find a reading for each numeric field of each line.

    Raises:
        FormatError: The precision is none, or a line is bad and all should be refused then.
    """
    per_second = per_second_in(message.query)
    now = message.now if per_second is None else floor(message.now * per_second) / per_second
    found = Found()
    for number, line in taken_apart(message):
        if isinstance(line, str):
            found.reject(f"line {number}: {line}")
        else:
            told = readings_of_line(line, per_second=per_second or guessed(line.time), now=now)
            sift(told, found, message)
    if found.rejected and message.query.get("accept_partial") == "false":
        raise FormatError("; ".join(found.samples))
    return found


def taken_apart(message: Message) -> Iterator[tuple[int, Line | str]]:
    """Yield each line of a message with its number, or what is wrong with it."""
    text = message.document.decode(errors="surrogateescape")
    if message.query.get("dialect") == DOUBLED:
        return parsed_doubled(text)
    return parsed(text, unsigned=message.named.get("first") is None)


def per_second_in(query: Mapping[str, str]) -> float | None:
    """Return what one second is in the unit of the times, or None if their size tells.

    Raises:
        FormatError: There is no such unit.
    """
    precision = query.get("precision", "")
    if precision == AUTO:
        return None
    if precision not in PRECISIONS:
        known = ", ".join(filter(None, PRECISIONS))
        raise FormatError(f"precision: expected one of {known}, got {precision!r:.80}")
    return PRECISIONS[precision]


def guessed(time: int | None) -> float:
    """Return what one second is in the unit of a time, by its size, as InfluxDB 3 takes it."""
    return next((unit for unit in SIZES if abs(time or 0) < unit * FIVE_BILLION), 1e9)
