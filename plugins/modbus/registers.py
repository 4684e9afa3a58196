"""What one reading is made of: where it lies in a device, and how its bits become a number."""

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ingestd.plugins._problems import Gathering
from ingestd.plugins._values import numbers

from .options import Options

TABLES: Final = ("holding", "input", "coil", "discrete")
BITS: Final = frozenset({"coil", "discrete"})
# How many registers of 16 bits each type takes, and what it is in `struct`.
TYPES: Final[Mapping[str, tuple[int, str]]] = {
    "uint16": (1, "H"),
    "int16": (1, "h"),
    "uint32": (2, "I"),
    "int32": (2, "i"),
    "float32": (2, "f"),
    "uint64": (4, "Q"),
    "int64": (4, "q"),
    "float64": (4, "d"),
}
ORDERS: Final = ("big", "little")
NUMERIC: Final = ("type", "bit", "word_order", "byte_order", "nothing")
KNOWN: Final = ("series", "address", "table", *NUMERIC, "scale", "offset", "tags")
LAST: Final = 65_535
FIELD: Final = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """A value in a device, and the series it becomes.

    Attributes:
        where: The path of the option that asks for it.
        series: The name of the series.
        tags: Its tags.
        table: ``holding``, ``input``, ``coil`` or ``discrete``.
        address: Of its first register, or its bit, counted from 0.
        type: One of ``TYPES``; bits have none.
        word_order: Which register of several comes first, the ``big`` end or the ``little`` one.
        byte_order: The same for the two bytes in a register.
        bit: Which bit to take of the number, 0 being the lowest; None takes all.
        scale: What the number is multiplied by.
        offset: What is added to it then.
        nothing: Numbers, as they are in the device, that say that there is no value.
    """

    where: str
    series: str
    tags: Mapping[str, str]
    table: str
    address: int
    type: str = "uint16"
    word_order: str = "big"
    byte_order: str = "big"
    bit: int | None = None
    scale: float = 1
    offset: float = 0
    nothing: frozenset[float] = frozenset()

    @property
    def count(self) -> int:
        """How many registers, or bits, it takes."""
        return 1 if self.table in BITS else TYPES[self.type][0]

    @property
    def label(self) -> str:
        """What the register is called in errors."""
        last = self.address + self.count - 1
        return f"{self.table} {self.address}" + (f"-{last}" if self.count > 1 else "")

    def value(self, found: Sequence[int]) -> float | None:
        """Return the value that the registers, or the bit, stand for; None if it is `nothing`."""
        raw = int(found[0]) if self.table in BITS else self._number(found)
        if raw in self.nothing:
            return None
        if self.bit is not None:
            raw = int(raw) >> self.bit & 1
        return raw * self.scale + self.offset

    def _number(self, words: Sequence[int]) -> float:
        ordered = words if self.word_order == "big" else reversed(words)
        data = b"".join(struct.pack(">H" if self.byte_order == "big" else "<H", w) for w in ordered)
        number: float = struct.unpack(f">{TYPES[self.type][1]}", data)[0]
        return number


def register(options: Options, *, device: str | None, tags: Mapping[str, str]) -> Register:
    """Read one entry of ``registers``.

    Args:
        options: The entry, in the options of its device.
        device: The device's name, if it has one, for the names of series.
        tags: The device's tags.

    Raises:
        ValueError: Says what is wrong.
    """
    with Gathering() as wrong:
        read = wrong.read
        table = read(lambda: options.choice("table", TABLES, default="holding"))
        needless = filter(options.has, NUMERIC) if table in BITS else ()
        wrong.problems += [
            f"{options.path(name)}: expected none, because a {table} is one bit"
            for name in needless
        ]
        found = Register(
            where=options.where,
            series=read(lambda: series(options, device=device)),
            tags={**tags, **(read(options.tags) or {})},
            table=table,
            address=read(lambda: options.whole("address", least=0, most=LAST)),
            type=read(lambda: options.choice("type", TYPES, default="uint16")),
            word_order=read(lambda: options.choice("word_order", ORDERS)),
            byte_order=read(lambda: options.choice("byte_order", ORDERS)),
            scale=read(lambda: options.number("scale", default=1)),
            offset=read(lambda: options.number("offset", default=0)),
            bit=None if table in BITS else read(lambda: bit(options)),
            nothing=frozenset() if table in BITS else read(lambda: nothing(options)),
        )
    if found.address + found.count - 1 > LAST:
        raise ValueError(
            f"{options.path('address')}: expected at most {LAST + 1 - found.count} for a "
            f"{found.type}, got {found.address!r}"
        )
    return found


def nothing(options: Options) -> frozenset[float]:
    """Return which numbers say that there is no value: written once, or for each type.

    Raises:
        ValueError: There is something else than numbers, or an unknown type.
    """
    said, where = options.find("nothing")
    if not isinstance(said, Mapping):
        return frozenset(numbers(said, where))
    if unknown := sorted(map(str, set(said) - set(TYPES))):
        raise ValueError(f"{where}: expected only {', '.join(TYPES)}, got {unknown[0]!r}")
    by_type = {name: numbers(each, f"{where}.{name}") for name, each in said.items()}
    return frozenset(by_type.get(options.choice("type", TYPES, default="uint16"), ()))


def bit(options: Options) -> int | None:
    """Return which bit to take, or None for the whole number.

    Raises:
        ValueError: The type has no such bit.
    """
    if not options.has("bit"):
        return None
    type_ = options.choice("type", TYPES, default="uint16")
    if not type_.startswith("uint"):
        raise ValueError(f"{options.path('bit')}: expected a type such as uint16, got {type_!r}")
    return options.whole("bit", least=0, most=16 * TYPES[type_][0] - 1)


def series(options: Options, *, device: str | None) -> str:
    """Return the name of the series, with that of the device filled in.

    Raises:
        ValueError: It has other fields, or the device has no name.
    """
    text = options.text("series")
    where = options.path("series")
    plain = text.replace("{device}", "")
    if FIELD.search(plain) or set("{}") & set(plain):
        raise ValueError(f"{where}: expected no other field than {{device}}, got {text!r}")
    if plain != text and device is None:
        raise ValueError(f"{where}: expected a device with a `name`, got none for {text!r}")
    return text.replace("{device}", device or "")


def distinct(registers: Sequence[Register]) -> None:
    """Check that no two values would go to one series.

    Raises:
        ValueError: Two do.
    """
    seen: dict[Any, Register] = {}
    for each in registers:
        other = seen.setdefault((each.series, frozenset(each.tags.items())), each)
        if other is not each:
            raise ValueError(
                f"{each.where}.series: expected a name that nothing else has (is {{device}} "
                f"missing?), got {each.series!r}, the same as {other.where}"
            )
