"""A collector's plugin as its file has it now, for all that ask for it."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from ingestd.loading.current import CurrentPlugin
from tests.support.plugins import COROUTINE, LogLines, PluginFolder

T = TypeVar("T")


async def in_thread(function: Callable[..., T], *args: Any) -> T:
    """Call a function that blocks."""
    return await asyncio.to_thread(function, *args)


async def test_an_edit_is_told_once_however_many_ask_at_the_same_time(
    plugin_folder: PluginFolder,
) -> None:
    """A run, a backfill and the watch of a stream may; they get the same version."""
    log = LogLines()
    current = CurrentPlugin("probe", loader=plugin_folder.loader, blocking=in_thread, log=log)
    plugin_folder.write("probe", COROUTINE)
    before = await current.get()
    plugin_folder.write("probe", f"{COROUTINE}# edited\n")

    after = await asyncio.gather(*(current.get() for _ in range(3)))

    assert set(map(id, after)) == {id(after[0])} != {id(before)}
    assert [event for _, event, _ in log.lines] == ["plugin changed, and was read again"]


async def test_a_broken_edit_is_told_once_however_many_ask_at_the_same_time(
    plugin_folder: PluginFolder,
) -> None:
    """All go on with the last good version."""
    log = LogLines()
    current = CurrentPlugin("probe", loader=plugin_folder.loader, blocking=in_thread, log=log)
    plugin_folder.write("probe", COROUTINE)
    before = await current.get()
    plugin_folder.write("probe", "async def run(**_:\n")

    after = await asyncio.gather(*(current.get() for _ in range(3)))

    assert [each is before for each in after] == [True, True, True]
    assert len(log.lines) == 1
