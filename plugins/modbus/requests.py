"""Which registers to ask for together, and how to ask when a device will not give them so."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from typing import Any, Final

from .registers import BITS, TABLES, Register

# The protocol allows 125 registers in a request, or 2,000 bits, which are as many bytes.
MOST: Final = 125
BITS_IN_A_REGISTER: Final = 16


@dataclass(frozen=True, slots=True)
class Block:
    """Registers that are read as they are.

    Attributes:
        address: The first.
        count: How many.
        table: Of which table.
    """

    address: int
    count: int
    table: str = "holding"

    @property
    def place(self) -> tuple[str, int, int]:
        """What tells it apart from requests that have other answers."""
        return self.table, self.address, self.count


@dataclass(frozen=True, slots=True)
class Request:
    """Neighbours in one table of a device.

    Attributes:
        registers: What is wanted of it, by address.
    """

    registers: tuple[Register, ...]

    @property
    def table(self) -> str:
        """The table that it asks."""
        return self.registers[0].table

    @property
    def address(self) -> int:
        """The first register, or bit."""
        return self.registers[0].start

    @property
    def count(self) -> int:
        """How many registers, or bits, from there on."""
        return max(each.stop for each in self.registers) - self.address

    @property
    def place(self) -> tuple[str, int, int]:
        """What tells it apart from requests that have other answers."""
        return self.table, self.address, self.count

    @property
    def optional(self) -> bool:
        """Whether a device may be without all of it."""
        return all(each.optional for each in self.registers)

    @property
    def label(self) -> str:
        """What the request is called in errors."""
        last = self.address + self.count - 1
        return f"{self.table} {self.address}" + (f"-{last}" if self.count > 1 else "")

    def values(self, found: Sequence[int]) -> list[tuple[Register, Any]]:
        """Return each register with the value that it has in an answer."""
        return [
            (each, each.value(found[each.start - self.address : each.stop - self.address]))
            for each in self.registers
        ]

    def halves(self) -> tuple["Request", "Request"] | None:
        """Return two requests for the same registers, or None if there is nothing to part."""
        groups = [tuple(found) for _, found in groupby(self.registers, key=place)]
        if len(groups) == 1:
            return None
        middle = len(groups) // 2
        first, second = chain(*groups[:middle]), chain(*groups[middle:])
        return Request(tuple(first)), Request(tuple(second))


def requests(registers: Iterable[Register], *, max_gap: int, max_registers: int) -> list[Request]:
    """Return the requests that read some registers of a device, as few as the limits allow.

    Args:
        registers: What is wanted, in any order.
        max_gap: How many registers, or bits, beside the wanted ones may lie between two of them.
        max_registers: How many of 16 bits may be in a request.
    """
    joined: list[list[Register]] = []
    reached = 0  # the address behind the last request
    for each in sorted(registers, key=place):
        most = max_registers * (BITS_IN_A_REGISTER if each.table in BITS else 1)
        if (
            joined
            and joined[-1][0].table == each.table
            and each.start - reached <= max_gap
            and each.stop - joined[-1][0].start <= most
        ):
            joined[-1].append(each)
            reached = max(reached, each.stop)
        else:
            joined.append([each])
            reached = each.stop
    return [Request(tuple(each)) for each in joined]


def place(register: Register) -> tuple[int, int, int]:
    """Return what orders registers, and is the same for those that cannot be parted."""
    return TABLES.index(register.table), register.start, register.stop - register.start
