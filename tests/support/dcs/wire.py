"""How a DCS server writes: replies, errors, and long bodies piece by piece."""

import json
import math
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any


@dataclass
class Reply:
    """An answer; the body comes in pieces."""

    status: int = 200
    body: Iterable[bytes] = ()
    headers: dict[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """A request is refused with a status and, for people, the details."""

    def __init__(self, status: int, details: str) -> None:
        super().__init__(details)
        self.status, self.details = status, details


def as_json(document: Any, status: int = 200) -> Reply:
    """Return a reply with a document."""
    headers = {"Content-Type": "application/json; charset=utf-8"}
    return Reply(status, [json.dumps(document).encode()], headers)


def as_text(text: str, status: int) -> Reply:
    """Return a reply with plain text."""
    return Reply(status, [text.encode()], {"Content-Type": "text/plain; charset=utf-8"})


def number(value: float) -> str:
    """Write a number; what is none is a string."""
    if math.isfinite(value):
        return repr(value)
    return '"NaN"' if math.isnan(value) else '"Infinity"' if value > 0 else '"-Infinity"'


def array(elements: Iterator[str], *, at_once: int) -> Iterator[bytes]:
    """Yield a JSON array in pieces of so many elements."""
    yield b"["
    first = True
    while some := list(islice(elements, at_once)):
        yield (("" if first else ",") + ",".join(some)).encode()
        first = False
    yield b"]"


def compressed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a body as gzip, piece by piece."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    for piece in pieces:
        yield packer.compress(piece) + packer.flush(zlib.Z_SYNC_FLUSH)
    yield packer.flush()
