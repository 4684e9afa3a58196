"""Devices that answer as the documents of their makers say, quirks and all."""

import struct
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pymodbus.constants import ExcCodes
from pymodbus.simulator import DataType, SimData, SimDevice

BITS: Final = [SimData(0, values=[False] * 16, datatype=DataType.BITS)]
NOWHERE: Final = [SimData(65_535, values=[0], datatype=DataType.REGISTERS)]
FORMS: Final = {"float32": "f", "uint32": "I", "int32": "i", "uint64": "Q"}
FORMS_OF_ONE: Final = {"uint16": "H", "int16": "h"}


def words(kind: str, number: float, *, little: bool = False) -> list[int]:
    """Return the registers that hold a number, the higher digits first or last."""
    packed = struct.pack(f">{(FORMS | FORMS_OF_ONE)[kind]}", number)
    found = [word for (word,) in struct.iter_unpack(">H", packed)]
    return found[::-1] if little else found


def image(
    numbers: Mapping[int, tuple[str, float]], *, little: bool = False
) -> dict[int, list[int]]:
    """Return the registers of a device by address, of the type and number at each."""
    return {at: words(*each, little=little) for at, each in numbers.items()}


def blocks(registers: Mapping[int, Iterable[int]]) -> list[SimData]:
    """Return registers for a server, in which there is nothing between them."""
    flat = {at + n: word for at, some in registers.items() for n, word in enumerate(some)}
    found: list[tuple[int, list[int]]] = []
    for at in sorted(flat):
        if found and found[-1][0] + len(found[-1][1]) == at:
            found[-1][1].append(flat[at])
        else:
            found.append((at, [flat[at]]))
    return [SimData(at, values=list(some), datatype=DataType.REGISTERS) for at, some in found]


def device(
    unit: int, registers: Mapping[int, Iterable[int]], *, table: str, most: int, action: Any = None
) -> SimDevice:
    """Make a device with registers in one table, and none in between.

    Args:
        unit: Its number.
        registers: By address.
        table: ``holding`` or ``input``.
        most: How many it gives in one answer; it refuses more.
        action: What it does before it answers, or instead.
    """

    async def limited(function: int, start: int, address: int, count: int, *more: Any) -> Any:
        if count > most:
            return ExcCodes.ILLEGAL_VALUE
        return None if action is None else await action(function, start, address, count, *more)

    held = blocks(registers)
    tables = (BITS, BITS, held, NOWHERE) if table == "holding" else (BITS, BITS, NOWHERE, held)
    return SimDevice(unit, tables, action=limited)
