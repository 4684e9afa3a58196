"""The registers of devices that speak SunSpec."""

from collections.abc import Mapping, Sequence

NONE = 0xFFFF
NO_INT = 0x8000
MARKER = [0x5375, 0x6E53]
END = [0xFFFF, 0]


def u16(number: int) -> int:
    """Return a number, which may be negative, as a register."""
    return number & 0xFFFF


def model(number: int, length: int, filled: Mapping[int, Sequence[int]]) -> list[int]:
    """Return a model's registers; offsets count from its header, and the rest says nothing."""
    words = [number, length, *[NO_INT] * length]
    for at, some in filled.items():
        words[at : at + len(some)] = some
    return words


def common(maker: str, *, length: int = 66) -> list[int]:
    """Return the model that says who made a device."""
    name = maker.encode().ljust(32, b"\0")
    words = [int.from_bytes(name[at : at + 2]) for at in range(0, 32, 2)]
    return model(1, length, {2: words})


def chain(*parts: Sequence[int], first: Sequence[int] | None = None) -> list[int]:
    """Return the registers of a device: marker, common model, others, end."""
    begin = common("Make") if first is None else first
    return [*MARKER, *begin, *(word for each in parts for word in each), *END]
