"""What one reading is made of: where it lies in a device, and how its bits become a number."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any, Final

from ingestd.plugins._problems import Gathering
from ingestd.plugins._values import ValueReader

from .meanings import LAST, bits, length, nothing, scale_from, words
from .numbers import TYPES
from .options import Options

TABLES: Final = ("holding", "input", "coil", "discrete")
BITS: Final = frozenset({"coil", "discrete"})
ORDERS: Final = ("big", "little")
NUMERIC: Final = (
    *(
        "type",
        "bit",
        "bits",
        "length",
        "words",
        "scale_from",
        "word_order",
        "byte_order",
        "nothing",
    ),
)
KNOWN: Final = ("series", "address", "table", *NUMERIC, "scale", "offset", "tags")
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
        bits: The lowest bit to take of the number, and how many; None takes all.
        length: How many registers a text takes.
        words: What texts mean; of no use to other types.
        scale_from: The address of a register that holds a power of ten to multiply by.
        scale: What the number is multiplied by.
        offset: What is added to it then.
        nothing: Numbers, as they are in the device, that say that there is no value.
        optional: Whether a device may be without it, as one of a family is.
    """

    where: str
    series: str
    tags: Mapping[str, str]
    table: str
    address: int
    type: str = "uint16"
    word_order: str = "big"
    byte_order: str = "big"
    bits: tuple[int, int] | None = None
    length: int = 0
    words: ValueReader | None = None
    scale_from: int | None = None
    scale: float = 1
    offset: float = 0
    nothing: frozenset[float] = frozenset()
    optional: bool = False

    @property
    def count(self) -> int:
        """How many registers, or bits, it takes."""
        return 1 if self.table in BITS else TYPES[self.type].count or self.length

    @property
    def start(self) -> int:
        """The first address that is read for it."""
        return self.address if self.scale_from is None else min(self.address, self.scale_from)

    @property
    def stop(self) -> int:
        """The address behind the last that is read for it."""
        stop = self.address + self.count
        return stop if self.scale_from is None else max(stop, self.scale_from + 1)

    @property
    def span(self) -> int:
        """How many registers, or bits, are read for it."""
        return self.stop - self.start

    @property
    def label(self) -> str:
        """What the register is called in errors."""
        last = self.address + self.count - 1
        return f"{self.table} {self.address}" + (f"-{last}" if self.count > 1 else "")

    def value(self, found: Sequence[int]) -> Any:
        """Return what the registers, or the bit, stand for.

        Args:
            found: From ``start`` to ``stop``.

        Returns:
            A number, None if it is `nothing`, or what is no number.
        """
        if self.table in BITS:
            return int(found[0]) * self.scale + self.offset
        first = self.address - self.start
        raw = self._raw(found[first : first + self.count])
        if self.words is not None:
            raw = self.words.number(raw)
        if raw is None or isinstance(raw, str) or self._is_nothing(raw):
            return None if not isinstance(raw, str) else raw
        if self.bits is not None:
            raw = raw >> self.bits[0] & (1 << self.bits[1]) - 1
        if self.scale_from is not None:
            power = self._raw_of("sunssf", found[self.scale_from - self.start :][:1])
            raw = shifted(raw, power)
        return None if raw is None else raw * self.scale + self.offset

    def _is_nothing(self, raw: float) -> bool:
        return raw in self.nothing or (isnan(raw) and any(map(isnan, self.nothing)))

    def _raw(self, words: Sequence[int]) -> Any:
        return self._raw_of(self.type, words)

    def _raw_of(self, type_: str, words: Sequence[int]) -> Any:
        ordered = words if self.word_order == "big" else reversed(words)
        order: Any = self.byte_order
        return TYPES[type_].decode(b"".join(word.to_bytes(2, order) for word in ordered))


def shifted(number: float, power: int) -> float | None:
    """Return a number times a power of ten, or None if that is none, as SunSpec says."""
    if not -10 <= power <= 10:
        return None
    # A division is exact to the last digit where a factor of 0.1 is not.
    return float(number * 10.0**power) if power >= 0 else float(number / 10.0**-power)


def register(
    options: Options, *, device: str | None, tags: Mapping[str, str], optional: bool = False
) -> Register:
    """Read one entry of ``registers``.

    Args:
        options: The entry, in the options of its device.
        device: The device's name, if it has one, for the names of series.
        tags: The device's tags.
        optional: Whether a device may be without it.

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
            optional=optional,
            address=read(lambda: options.whole("address", least=0, most=LAST)),
            type=read(lambda: options.choice("type", TYPES, default="uint16")),
            word_order=read(lambda: options.choice("word_order", ORDERS)),
            byte_order=read(lambda: options.choice("byte_order", ORDERS)),
            scale=read(lambda: options.number("scale", default=1)),
            offset=read(lambda: options.number("offset", default=0)),
            bits=None if table in BITS else read(lambda: bits(options)),
            length=0 if table in BITS else read(lambda: length(options)),
            words=None if table in BITS else read(lambda: words(options)),
            scale_from=None if table in BITS else read(lambda: scale_from(options)),
            nothing=frozenset() if table in BITS else read(lambda: nothing(options)),
        )
    if found.address + found.count - 1 > LAST:
        raise ValueError(
            f"{options.path('address')}: expected at most {LAST + 1 - found.count} for a "
            f"{found.type}, got {found.address!r}"
        )
    return found


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
