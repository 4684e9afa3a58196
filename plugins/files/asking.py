"""Questions about files that the kernel may never answer, asked beside the event loop."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from ingestd.plugins import _files

T = TypeVar("T")

PATIENCE: Final = 30.0  # seconds: a large folder at a slow server takes this long at most


async def answer(path: Path, function: Callable[[], T], *, patience: float = PATIENCE) -> T:
    """Return what a function returns that is called in a thread, which may be left behind.

    Args:
        path: What it asks about.
        function: What may take a while, or never come back.
        patience: How long it may take, in seconds.

    Raises:
        OSError: It did not come back in time.
        Exception: What the function raises.
    """
    loop, came = asyncio.get_running_loop(), asyncio.Event()

    def tell() -> None:
        with suppress(RuntimeError):  # the loop may have been closed meanwhile
            loop.call_soon_threadsafe(came.set)

    call = _files.Call(path, function, when_done=tell)
    with suppress(TimeoutError):
        async with asyncio.timeout(patience):
            await came.wait()
    return call.result(patience)


async def each_of(path: Path, make: Callable[[], Iterator[T]]) -> AsyncGenerator[T, None]:
    """Yield what an iterator gives that asks about a path at each step.

    Args:
        path: What it asks about.
        make: Makes the iterator.

    Raises:
        OSError: It did not come back in time.
        Exception: What the iterator raises.
    """
    found = make()
    while part := await answer(path, lambda: list(zip(range(1), found, strict=False))):
        yield part[0][1]
