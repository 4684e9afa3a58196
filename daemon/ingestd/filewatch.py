"""Notices that the files of the configuration were edited."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Final

from ingestd.clock import Clock
from ingestd.tasks import Blocking

STILL: Final = 0.5  # seconds without a change, after which an editor has written all of a file
# An editor that takes longer, or a file that is to stay empty, is read as it is.
PATIENCE: Final = 10.0  # seconds

Files = Callable[[], Sequence[Path]]
# Of each file: when it was written, in nanoseconds, and its size, or None if it is not there.
Looks = Sequence[tuple[int, int] | None]


async def edits(
    files: Files, *, since: float, stop: asyncio.Event, blocking: Blocking, clock: Clock
) -> AsyncIterator[None]:
    """Yield whenever the configuration may have become another, and stands still.

    Args:
        files: Gives those of the configuration in use; a drop-in may join them.
        since: When they were read, in seconds since the Unix epoch: an edit after
            that, but before there was anything to notice it, counts as well.
        stop: Set when no edit is of interest any more.
        blocking: Calls what blocks.
        clock: Where the time comes from.
    """
    import watchfiles  # noqa: PLC0415 -- it weighs as much as the rest of the idle daemon's modules

    folders = {path.parent for path in files()}
    folders |= {drop_ins for drop_ins in (f / "conf.d" for f in folders) if drop_ins.is_dir()}
    changes = watchfiles.awatch(
        *folders,
        watch_filter=lambda _change, path: Path(path) in files() or path.endswith(".yaml"),
        stop_event=stop,
        recursive=False,
        yield_on_timeout=True,
    )
    looked_back = False
    async for changed in changes:
        if changed or (not looked_back and await blocking(edited_since, since, files())):
            await standing_still(files, blocking=blocking, clock=clock)
            yield
        looked_back = True


async def standing_still(files: Files, *, blocking: Blocking, clock: Clock) -> None:
    """Return when no file changes and none is empty any more, or patience has run out.

    An editor may empty a file first and write it a moment later, or write it in pieces.
    """
    give_up_at = clock.monotonic() + PATIENCE
    before = await blocking(looks, files())
    while clock.monotonic() < give_up_at:
        await clock.sleep(STILL)
        now = await blocking(looks, files())
        if now == before and all(each is None or each[1] for each in now):
            return
        before = now


def looks(files: Sequence[Path]) -> Looks:
    """Return how each file looks from outside."""
    return [look(path) for path in files]


def look(path: Path) -> tuple[int, int] | None:
    """Return when a file was written, in nanoseconds, and its size; None if it is not there."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def edited_since(since: float, files: Sequence[Path]) -> bool:
    """Return whether any file was written after a time, in seconds since the Unix epoch."""
    written = (path.stat().st_mtime for path in files if path.exists())
    # File times are as coarse as the kernel's ticks; reading once too often is harmless.
    return any(each > since - 1 for each in written)
