"""Messages of protobuf written by hand, from the numbers in their protocol's own text.

With the classes of the plugin, tests would only show that its tables fit themselves.
"""

import struct
from collections.abc import Sequence

import cramjam


def field(number: int, value: bytes | str | float) -> bytes:
    """Return a field: texts with their length, whole numbers as varints, floats as doubles."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value % 2**64)
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def varint(number: int) -> bytes:
    """Return a whole number, seven bits in each byte."""
    if number < 128:
        return bytes([number])
    return bytes([number % 128 | 128]) + varint(number >> 7)


def zigzag(number: int) -> int:
    """Return what a field of the kind sint has for a number."""
    return 2 * number if number >= 0 else -2 * number - 1


def sample(value: float, time_ms: int) -> bytes:
    """Return a sample of remote write, the same in both versions."""
    return field(1, value) + field(2, time_ms)


def series_1(labels: dict[str, str] | Sequence[tuple[str, str]], *rest: bytes) -> bytes:
    """Return a series of version 1.

    Args:
        labels: Names and values.
        rest: Fields such as ``field(2, sample(1.0, 2))``.
    """
    pairs = labels.items() if isinstance(labels, dict) else labels
    told = (field(1, field(1, name) + field(2, value)) for name, value in pairs)
    return field(1, b"".join(told) + b"".join(rest))


def series_2(labels_refs: Sequence[int], *rest: bytes) -> bytes:
    """Return a series of version 2.

    Args:
        labels_refs: Which symbols its labels are.
        rest: Fields such as ``field(2, sample(1.0, 2))``.
    """
    return field(5, field(1, b"".join(map(varint, labels_refs))) + b"".join(rest))


def symbols(*texts: str) -> bytes:
    """Return the symbols of a request of version 2."""
    return b"".join(field(4, text) for text in texts)


def snappy(data: bytes) -> bytes:
    """Compress as remote write has it."""
    return bytes(cramjam.snappy.compress_raw(data))
