"""How much memory a plugin may hold in its worker process, and how a shortage shows."""

from __future__ import annotations

import contextlib
import errno
import resource
from collections.abc import Iterator


@contextlib.contextmanager
def memory_limit(limit_bytes: int | None) -> Iterator[None]:
    """Bound the data that this process may hold, all in all.

    RLIMIT_DATA counts the heap and private writable mappings: what Python
    objects, NumPy arrays and thread stacks take. RLIMIT_AS would count mapped
    libraries and files too, which cost nothing.
    """
    if limit_bytes is None:
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def is_shortage(exc: BaseException | None) -> bool:
    """Return whether an error means that there was no more memory."""
    out_of_memory = isinstance(exc, OSError) and exc.errno == errno.ENOMEM
    return out_of_memory or isinstance(exc, MemoryError)
