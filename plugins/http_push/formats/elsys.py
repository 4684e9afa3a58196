"""Payloads of Elsys: a byte that says what follows, and that, again and again.

Each table row is what one kind becomes: the names of its values, the bytes of each, whether it
is signed, and what it is divided by. Temperatures are in °C, voltages in V, pressure in hPa.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from .message import FormatError

PORT: Final = 5
KIND: Final = 0x3F  # the two bits above say that an offset in time follows


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value.

    Attributes:
        names: Of its values, which follow each other.
        size_bytes: Of one of them.
        signed: Whether it may be below 0.
        divisor: What the number in the bytes is divided by.
        order: Of the bytes.
    """

    names: tuple[str, ...]
    size_bytes: int
    signed: bool = False
    divisor: float = 1
    order: Literal["big", "little"] = "big"


def _temperature(*names: str) -> Kind:
    return Kind(names, 2, signed=True, divisor=10)


KINDS: Final = {
    1: _temperature("temperature"),
    2: Kind(("humidity",), 1),
    3: Kind(("x", "y", "z"), 1, signed=True, divisor=63),
    4: Kind(("light",), 2),
    5: Kind(("motion",), 1),
    6: Kind(("co2",), 2),
    7: Kind(("vdd",), 2, divisor=1000),
    8: Kind(("analog",), 2, divisor=1000),
    9: Kind(("lat", "long"), 3, signed=True, divisor=10_000, order="little"),
    10: Kind(("pulse",), 2),
    11: Kind(("pulseAbs",), 4),
    12: _temperature("extTemperature"),
    13: Kind(("digital",), 1),
    14: Kind(("distance",), 2),
    15: Kind(("accMotion",), 1),
    16: _temperature("irIntTemperature", "irExtTemperature"),
    17: Kind(("occupancy",), 1),
    18: Kind(("waterleak",), 1),
    20: Kind(("pressure",), 4, divisor=1000),
    21: Kind(("soundPeak", "soundAvg"), 1),
    22: Kind(("pulse2",), 2),
    23: Kind(("pulseAbs2",), 4),
    24: Kind(("analog2",), 2, divisor=1000),
    25: _temperature("extTemperature2"),
    26: Kind(("digital2",), 1),
    27: Kind(("analogUv",), 4, signed=True),
    28: Kind(("tvoc",), 2),
}
GRID: Final = 19  # a camera of 64 points, each so many tenths above a first
GRID_POINTS: Final = 64


def elsys(payload: bytes, port: int | None) -> dict[str, Any]:
    """Return the values in a payload; of those that come several times, a list.

    Raises:
        FormatError: It is none.
    """
    if port != PORT:  # of settings
        return {}
    found: dict[str, list[float]] = {}
    for name, value in values_in(payload):
        found.setdefault(name, []).append(value)
    return {name: each if len(each) > 1 else each[0] for name, each in found.items()}


def values_in(payload: bytes) -> Iterator[tuple[str, float]]:
    """Yield name and value of all that a payload holds.

    Raises:
        FormatError: Something in it is unknown here, or its end is missing.
    """
    at = 0
    while at < len(payload):
        kind = payload[at]
        if kind == GRID:
            part = taken(payload, at + 1, 1 + GRID_POINTS)
            yield from (("grideye", part[0] + each / 10) for each in part[1:])
            at += 1 + len(part)
            continue
        known = KINDS.get(kind)
        if known is None:
            why = "an offset in time" if kind & ~KIND else "a kind that is not known here"
            raise FormatError(f"elsys: expected a kind of value at byte {at}, got {kind}, {why}")
        at += 1
        for name in known.names:
            part = taken(payload, at, known.size_bytes)
            number = int.from_bytes(part, known.order, signed=known.signed)
            yield name, number / known.divisor
            at += known.size_bytes


def taken(payload: bytes, at: int, size_bytes: int) -> bytes:
    """Return some bytes of a payload.

    Raises:
        FormatError: It ends before.
    """
    part = payload[at : at + size_bytes]
    if len(part) < size_bytes:
        raise FormatError(f"expected {at + size_bytes} bytes or more, got {len(payload)}")
    return part
