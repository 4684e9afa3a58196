"""Bodies of hundreds of megabytes, made beforehand: what is measured is who reads them.

No server has so many half hours, so these readings are a minute apart.
"""

from collections.abc import Callable, Iterator
from typing import Final

from tests.support.dcs.periods import written

STEP: Final = 60
PIECE: Final = 5000  # readings


def legacy_element(number: int, at: int) -> str:
    """Write a reading as the legacy API does."""
    return (
        f'{{"id":{26_167_735 + number},"startTime":"{written(at)}","duration":30,'
        f'"totalValue":{10_000 + number / 4!r},"periodValue":{number % 97 / 4!r},'
        '"isGenerated":false,"isInterpolated":false}'
    )


def current_element(number: int, at: int) -> str:
    """Write a reading as the current API does, in its complete format."""
    return (
        f'{{"status":0,"timestamp":"{written(at)}",'
        f'"totalValue":{10_000 + number / 4!r},"periodValue":{number % 97 / 4!r}}}'
    )


def elements(write: Callable[[int, int], str], first: int, size: int) -> Iterator[str]:
    """Yield readings from an instant on until they have so many bytes."""
    number = 0
    while size > 0:
        element = write(number, first + number * STEP)
        size -= len(element) + 1
        number += 1
        yield element


def body(megabytes: float, *, legacy: bool, last: int) -> tuple[list[bytes], int, int]:
    """Make a body.

    Args:
        megabytes: About how large.
        legacy: In which API.
        last: Before when all of its readings are, in Unix seconds.

    Returns:
        The body in pieces, the time of its first reading and how many it has.
    """
    write = legacy_element if legacy else current_element
    about = int(megabytes * 1e6 / (len(write(1_000_000, last)) + 1)) + 1000
    first = (last // STEP - about) * STEP
    head = b"[" if legacy else b'{"name":"Meter 1: Energy","unit":"kWh","readings":['
    pieces, some, count = [head], [], 0
    for element in elements(write, first, int(megabytes * 1e6)):
        count += 1
        some.append(element)
        if len(some) == PIECE:
            pieces.append((",".join(some) + ",").encode())
            some = []
    pieces.append(",".join(some).encode() if some else b"")
    if not some:
        pieces[-2] = pieces[-2].removesuffix(b",")
    pieces.append(b"]" if legacy else b"]}")
    return pieces, first, count
