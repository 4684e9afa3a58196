"""Which files were read, by their content, in few bytes: a folder may hold very many."""

from collections.abc import Collection, Mapping
from itertools import islice
from typing import Any, Final

WIDTH: Final = 8  # bytes of a hash
MOST: Final = 50_000  # files that are there, and contents of others


class Known:
    """What was read.

    Args:
        read: How files looked that were read, each with the hash of its content.
        earlier: Hashes of contents whose files are not there any more, the newest last.
    """

    def __init__(self, read: Any, earlier: Any) -> None:
        halves = list(pieces(read))
        self._read = dict(zip(halves[::2], halves[1::2], strict=False))
        self._earlier = dict.fromkeys(pieces(earlier))
        self._contents = {*self._read.values(), *self._earlier}
        self._changed = False

    def of(self, look: bytes) -> bytes | None:
        """Return the content of a file that looks like this, if it was read."""
        return self._read.get(look)

    def has(self, content: bytes) -> bool:
        """Say whether a content was read."""
        return content in self._contents

    def add(self, look: bytes, content: bytes) -> None:
        """Note that a file was read."""
        self._read[look] = content
        self._contents.add(content)
        self._changed = True

    def keep(self, looks: Collection[bytes]) -> None:
        """Keep only the contents of files that are not there any more, the newest of them."""
        gone = self._read.keys() - set(looks)
        if gone:
            self._earlier |= dict.fromkeys(self._read.pop(look) for look in gone)
            surplus = max(0, len(self._earlier) - MOST)
            for content in list(islice(self._earlier, surplus)):
                del self._earlier[content]
            self._contents = {*self._read.values(), *self._earlier}
            self._changed = True

    def news(self) -> Mapping[str, bytes]:
        """Return the state, if it has changed since it was asked for."""
        if not self._changed:
            return {}
        self._changed = False
        pairs = [half for pair in self._read.items() for half in pair]
        return {"read": b"".join(pairs), "earlier": b"".join(self._earlier)}


def pieces(packed: Any) -> list[bytes]:
    """Return the hashes that stand one behind the other."""
    found = bytes(packed) if isinstance(packed, bytes | bytearray) else b""
    return [found[at : at + WIDTH] for at in range(0, len(found) - WIDTH + 1, WIDTH)]
