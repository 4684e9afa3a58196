"""Notices that the files of the configuration were edited."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Final

from ingestd.clock import Clock
from ingestd.config import DROP_INS
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
        files: Gives those of the configuration in use; others may join them, and so may
            the folder of drop-ins.
        since: When they were read, in seconds since the Unix epoch: an edit after
            that, but before there was anything to notice it, counts as well.
        stop: Set when no edit is of interest any more.
        blocking: Calls what blocks.
        clock: Where the time comes from.
    """
    import watchfiles  # noqa: PLC0415 -- it weighs as much as the rest of the idle daemon's modules

    def counts(_change: object, path: str) -> bool:
        return path.endswith((".yaml", f"/{DROP_INS}")) or Path(path) in files()

    while not stop.is_set():
        folders, looked_back = await blocking(folders_of, files()), False
        changes = watchfiles.awatch(
            *folders, watch_filter=counts, stop_event=stop, recursive=False, yield_on_timeout=True
        )
        async with aclosing(changes):
            async for changed in changes:
                if changed or (not looked_back and await blocking(edited_since, since, files())):
                    await standing_still(files, blocking=blocking, clock=clock)
                    since = clock.now()
                    yield
                looked_back = True
                if await blocking(folders_of, files()) != folders:
                    break


def folders_of(files: Sequence[Path]) -> list[Path]:
    """Return the folders that some files are in, and those of drop-ins beside them."""
    beside = {path.parent for path in files}
    folders = beside | {folder / DROP_INS for folder in beside}
    return sorted(each for each in folders if each.is_dir())


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
    """Return whether any file was written, or a drop-in joined them, after a time.

    Args:
        since: In seconds since the Unix epoch.
        files: Those of the configuration in use.
    """
    drop_ins = (path.parent / DROP_INS for path in files)
    written = (path.stat().st_mtime for path in {*files, *drop_ins} if path.exists())
    # File times are as coarse as the kernel's ticks; reading once too often is harmless.
    return any(each > since - 1 for each in written)
