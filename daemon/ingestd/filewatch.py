"""Notices that the files of the configuration were edited."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from ingestd.tasks import Blocking

Files = Callable[[], Sequence[Path]]


async def edits(
    files: Files, *, since: float, stop: asyncio.Event, blocking: Blocking
) -> AsyncIterator[None]:
    """Yield whenever the configuration may have become another.

    Args:
        files: Gives those of the configuration in use; a drop-in may join them.
        since: When they were read, in seconds since the Unix epoch: an edit after
            that, but before there was anything to notice it, counts as well.
        stop: Ends the watch when it is set.
        blocking: Calls what blocks.
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
            yield
        looked_back = True


def edited_since(since: float, files: Sequence[Path]) -> bool:
    """Return whether any file was written after a time, in seconds since the Unix epoch."""
    written = (path.stat().st_mtime for path in files if path.exists())
    # File times are as coarse as the kernel's ticks; reading once too often is harmless.
    return any(each > since - 1 for each in written)
