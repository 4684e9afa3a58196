"""What tells one file that grows from others: how it begins, and what lies before a position."""

from hashlib import blake2b
from typing import Final

PRINT: Final = 1024  # bytes of each
# Hashes of both.
Prints = tuple[str, str]


def hashed(data: bytes) -> str:
    """Return a short hash."""
    return blake2b(data, digest_size=8).hexdigest()
