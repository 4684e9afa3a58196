"""What tells contents of files apart: a hash of all that is in one, which may take several runs."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final, Self

from .known import WIDTH
from .listing import Found
from .opening import opened

CHUNK: Final = 1024 * 1024
# The hash of a longer file is that of its last piece behind the hash of what is before it.
PIECE: Final = 64 * CHUNK


@dataclass(frozen=True, slots=True)
class Looked:
    """How far a file was looked through.

    Attributes:
        look: Which file, and how it looked.
        place: How far, in bytes.
        digest: The hash of what is before that; empty at the beginning.
        content: The hash of all, once the end is reached; empty until then.
    """

    look: bytes
    place: int = 0
    digest: bytes = b""
    content: bytes = b""

    @property
    def told(self) -> list[Any] | None:
        """It as state, unless there is nothing to go on from."""
        if not self.place or self.content:
            return None
        return [self.look.hex(), self.place, self.digest.hex()]

    @classmethod
    def of(cls, told: Any) -> Self:
        """Return what a state tells."""
        try:
            look, place, digest = told
            return cls(bytes.fromhex(look), int(place), bytes.fromhex(digest))
        except (TypeError, ValueError):
            return cls(b"")


def digests(file: Found, begin: Looked) -> Iterator[Looked]:
    """Yield how far a file is looked through, the last time to its end; may block.

    Args:
        file: Which file.
        begin: How far it was already.

    Raises:
        OSError: The file cannot be read.
    """
    with opened(file.path) as stream:
        stream.seek(begin.place)
        looked = begin
        while not looked.content:
            digest, size = sha256(looked.digest), 0
            for chunk in chunks(stream):
                digest.update(chunk)
                size += len(chunk)
                yield looked
            found = digest.digest()
            content = found[:WIDTH] if size < PIECE else b""
            looked = Looked(file.look, looked.place + size, found, content)
            yield looked


def chunks(stream: Any) -> Iterator[bytes]:
    """Yield a piece of a file, some at a time."""
    left = PIECE
    while left and (chunk := stream.read(min(CHUNK, left))):
        left -= len(chunk)
        yield chunk
