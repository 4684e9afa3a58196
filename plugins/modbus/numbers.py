"""How registers become a number, for each type there is.

Types of SunSpec, such as ``acc32``, have numbers that say that there is none.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import nan
from typing import Any, Final

Decode = Callable[[bytes], Any]


@dataclass(frozen=True, slots=True)
class Type:
    """A type of number.

    Attributes:
        count: How many registers of 16 bits it takes; 0 if the operator says it.
        decode: Makes a number of its bytes, or a text of those that are none, which the daemon
            counts as unusable.
        nothing: Numbers that say that there is none.
        bits: Whether single bits can be taken of it.
    """

    count: int
    decode: Decode
    nothing: tuple[float, ...] = ()
    bits: bool = False


def packed(form: str) -> Decode:
    """Return what decodes a number as ``struct`` calls it."""
    unpack = struct.Struct(f">{form}").unpack
    return lambda data: unpack(data)[0]


def whole(*, signed: bool, last: int | None = None) -> Decode:
    """Return what decodes an integer, of the last bytes if not of all."""
    start = None if last is None else -last
    return lambda data: int.from_bytes(data[start:], "big", signed=signed)


def decimal(data: bytes) -> Any:
    """Return the number whose decimal digits the bytes hold, four bits for each."""
    digits = data.hex()
    return int(digits) if digits.isdecimal() else f"{digits} (not decimal digits)"


def text(data: bytes) -> str:
    """Return the text up to the first zero."""
    return data.partition(b"\0")[0].decode("utf-8", "replace").strip()


TYPES: Final[Mapping[str, Type]] = {
    "uint16": Type(1, packed("H"), bits=True),
    "int16": Type(1, packed("h")),
    "uint32": Type(2, packed("I"), bits=True),
    "int32": Type(2, packed("i")),
    "float32": Type(2, packed("f")),
    "uint48": Type(3, whole(signed=False), bits=True),
    "int48": Type(3, whole(signed=True)),
    "uint64": Type(4, packed("Q"), bits=True),
    "int64": Type(4, packed("q")),
    "float64": Type(4, packed("d")),
    # The lower byte of a register; the upper one with the other `byte_order`.
    "uint8": Type(1, whole(signed=False, last=1), bits=True),
    "int8": Type(1, whole(signed=True, last=1)),
    "bcd16": Type(1, decimal),
    "bcd32": Type(2, decimal),
    "bcd48": Type(3, decimal),
    "bcd64": Type(4, decimal),
    "string": Type(0, text),
    "enum16": Type(1, packed("H"), (0xFFFF,), bits=True),
    "enum32": Type(2, packed("I"), (0xFFFF_FFFF,), bits=True),
    "bitfield16": Type(1, packed("H"), (0xFFFF,), bits=True),
    "bitfield32": Type(2, packed("I"), (0xFFFF_FFFF,), bits=True),
    "bitfield64": Type(4, packed("Q"), (0xFFFF_FFFF_FFFF_FFFF,), bits=True),
    "acc16": Type(1, packed("H"), (0,)),
    "acc32": Type(2, packed("I"), (0,)),
    "acc64": Type(4, packed("Q"), (0,)),
    "sunssf": Type(1, packed("h"), (-0x8000,)),
}
# What plain types mean by nothing in SunSpec.
SUNSPEC: Final[Mapping[str, tuple[float, ...]]] = {
    "uint16": (0xFFFF,),
    "int16": (-0x8000,),
    "uint32": (0xFFFF_FFFF,),
    "int32": (-0x8000_0000,),
    "uint64": (0xFFFF_FFFF_FFFF_FFFF,),
    "int64": (-0x8000_0000_0000_0000,),
    "float32": (nan,),
    "float64": (nan,),
}
