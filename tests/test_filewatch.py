"""Edits of the configuration are noticed, wherever its files are by then."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from ingestd.clock import SystemClock
from ingestd.filewatch import edits
from tests.support.deadline import WITHIN

T = TypeVar("T")

LATER = 1e6  # seconds; nothing was written behind that, so that only what is watched counts


class Watching:
    """Reads a configuration again whenever it is edited.

    Attributes:
        files: Those that it consists of.
        found: What the next reading adds to them.
    """

    def __init__(self, *files: Path) -> None:
        self.files, self.found = list(files), list[Path]()
        self.begun = asyncio.Event()
        self._stop = asyncio.Event()
        self._edits: asyncio.Queue[None] = asyncio.Queue()

    async def run(self) -> None:
        """Watch until it is to stop."""
        found = edits(
            lambda: self.files,
            since=time.time() + LATER,
            stop=self._stop,
            blocking=self._blocking,
            clock=SystemClock(),
        )
        async for _ in found:
            self.files += self.found
            self.found = []
            self._edits.put_nowait(None)

    async def edited(self) -> None:
        """Return when an edit has been noticed."""
        async with asyncio.timeout(WITHIN):
            await self._edits.get()

    def stop(self) -> None:
        """Watch no longer."""
        self._stop.set()

    async def _blocking(self, function: Callable[..., T], *args: Any) -> T:
        found = await asyncio.to_thread(function, *args)
        self.begun.set()
        return found


@pytest.fixture
async def watching(tmp_path: Path) -> AsyncIterator[Watching]:
    """Give one that watches a file, from its first look on."""
    main = tmp_path / "ingestd.yaml"
    main.write_text("a: 1\n")
    made = Watching(main)
    task = asyncio.create_task(made.run())
    await made.begun.wait()
    await touched(made, main)
    yield made
    made.stop()
    await task


async def touched(watching: Watching, path: Path) -> None:
    """Edit a file again and again until it is watched and that has been noticed."""
    noticed = asyncio.create_task(watching.edited())
    size = 0
    while not noticed.done():
        size += 1
        path.write_text(f"a: {'1' * size}\n")
        await asyncio.wait({noticed}, timeout=1)
    await noticed


@pytest.mark.slow(8)  # it looks after five seconds for what came before it watched
async def test_drop_ins_whose_folder_is_made_later_are_watched(
    watching: Watching, tmp_path: Path
) -> None:
    """The first of them, and each edit of it from then on."""
    folder = tmp_path / "conf.d"
    folder.mkdir()
    await watching.edited()

    await touched(watching, folder / "site.yaml")


@pytest.mark.slow(8)  # likewise
async def test_files_that_join_the_configuration_are_watched(
    watching: Watching, tmp_path: Path
) -> None:
    """They may lie in another folder."""
    other = tmp_path / "series" / "names.csv"
    other.parent.mkdir()
    other.write_text("series\n")
    os.utime(other, (0, 0))
    watching.found = [other]
    await touched(watching, watching.files[0])
    assert other in watching.files

    await touched(watching, other)
