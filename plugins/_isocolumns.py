"""Columns of times that are written as nearly all sources write them, at little cost for each.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import repeat
from operator import sub
from struct import unpack
from typing import Final

import msgspec

# What stands between the digits of most times, by its place.
_MARKS: Final = ((4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":"))
_BARE: Final = 19  # the length of a time without its zone
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PACKED: Final = 6  # bytes of a time in MessagePack: two that say so, and a number
_PACKER: Final = msgspec.msgpack.Encoder()


def unix_second(text: str) -> float | None:
    """Return the time that a text means in Unix seconds, if it is written as most single ones are.

    That is `2026-07-01T12:30:15Z`. None: it is written in another way, or is no time.
    """
    if len(text) != _BARE + 1 or text[_BARE] != "Z":
        return None
    try:
        return msgspec.convert(text, datetime).timestamp()
    except msgspec.ValidationError:
        return None


def alike(texts: Sequence[str]) -> bool:
    """Say whether all texts are written as most times are, and in one way.

    Then Python's parser may read them: `2026-07-01T12:30:15`, with an offset or a `Z`
    behind it, which may have decimals of a second before it.
    """
    size = len(texts[0])
    if set(map(len, texts)) != {size} or size <= _BARE:
        return False
    joined, count = "".join(texts), len(texts)
    marks = all(joined[at::size] == mark * count for at, mark in _MARKS)
    return marks and _ends_alike(joined, size, count)


def unix_seconds(texts: Sequence[str]) -> Sequence[float]:
    """Return the times that texts mean which are written ``alike``, in Unix seconds.

    Raises:
        ValueError: One means none.
    """
    if texts[0][_BARE] != "." and (found := _whole_seconds(texts)):
        return found
    moments = map(datetime.fromisoformat, texts)
    return list(map(timedelta.total_seconds, map(sub, moments, repeat(_EPOCH))))


def _whole_seconds(texts: Sequence[str]) -> Sequence[int]:
    """Return times without decimals in Unix seconds; nothing if one is not from 1970 to 2106.

    MessagePack has such a time as a number of four bytes, and what makes it of a text takes a
    third of the time of Python's arithmetic (https://github.com/msgpack/msgpack/blob/master/spec.md).
    """
    try:
        packed = _PACKER.encode(msgspec.convert(texts, list[datetime]))
    except msgspec.ValidationError:  # it does not know 24:00
        return ()
    count = len(texts)
    head = 1 if count < 16 else 3 if count < 1 << 16 else 5  # bytes that say how many there are
    if len(packed) != head + _PACKED * count:
        return ()
    return unpack(f">{head}x{'xxI' * count}", packed)


def _ends_alike(joined: str, size: int, count: int) -> bool:
    """Say whether what stands behind the seconds is a zone, perhaps behind decimals."""
    if size == _BARE + 6 and joined[_BARE + 3 :: size] == ":" * count:
        minutes = set(joined[_BARE + 4 :: size])
        return set(joined[_BARE::size]) <= {"+", "-"} and minutes <= set("012345")
    if joined[size - 1 :: size] != "Z" * count:
        return False
    if size == _BARE + 1:
        return True
    decimals = "".join(joined[at::size] for at in range(_BARE + 1, size - 1))
    return joined[_BARE::size] == "." * count and decimals.isascii() and decimals.isdecimal()
