"""A collector's plugin as its file has it now, for all that ask for it."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from ingestd.loading.current import CurrentPlugin
from tests.support.clock import VirtualClock
from tests.support.plugins import COROUTINE, LogLines, PluginFolder

T = TypeVar("T")


async def in_thread(function: Callable[..., T], *args: Any) -> T:
    """Call a function that blocks."""
    return await asyncio.to_thread(function, *args)


def current_plugin(
    folder: PluginFolder, log: LogLines, clock: VirtualClock | None = None
) -> CurrentPlugin:
    """Return the plugin of a collector."""
    clock = clock or VirtualClock()
    return CurrentPlugin("probe", loader=folder.loader, blocking=in_thread, clock=clock, log=log)


def two_of_one_plugin(folder: PluginFolder) -> tuple[VirtualClock, CurrentPlugin, CurrentPlugin]:
    """Return the plugin of two collectors that share its file, and their clock."""
    folder.write("probe", COROUTINE)
    clock, log = VirtualClock(), LogLines()
    return clock, current_plugin(folder, log, clock), current_plugin(folder, log, clock)


async def test_an_edit_is_told_once_however_many_ask_at_the_same_time(
    plugin_folder: PluginFolder,
) -> None:
    """A run, a backfill and the watch of a stream may; they get the same version."""
    log = LogLines()
    current = current_plugin(plugin_folder, log)
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
    current = current_plugin(plugin_folder, log)
    plugin_folder.write("probe", COROUTINE)
    before = await current.get()
    plugin_folder.write("probe", "async def run(**_:\n")

    after = await asyncio.gather(*(current.get() for _ in range(3)))

    assert [each is before for each in after] == [True, True, True]
    assert len(log.lines) == 1


async def test_files_are_looked_at_once_for_all_collectors_of_an_instant(
    plugin_folder: PluginFolder,
) -> None:
    """Thousands may begin at a full minute; each look waits for a thread."""
    plugin_folder.write("probe", COROUTINE)
    asked: list[str] = []

    async def counting(function: Callable[..., T], *args: Any) -> T:
        asked.append(function.__name__)
        return await in_thread(function, *args)

    clock, log = VirtualClock(), LogLines()
    many = [
        CurrentPlugin("probe", loader=plugin_folder.loader, blocking=counting, clock=clock, log=log)
        for _ in range(20)
    ]
    before = [await each.get() for each in many]
    await clock.advance(2.0)
    asked.clear()

    after = await asyncio.gather(*(each.get() for each in many))

    assert asked == ["changed"]
    assert set(map(id, after)) == set(map(id, before))


async def test_files_are_looked_at_once_a_second_for_all_collectors(
    plugin_folder: PluginFolder,
) -> None:
    """An edit is seen by what asks a second later, whoever looked last before it."""
    clock, one, other = two_of_one_plugin(plugin_folder)
    before = await one.get()
    assert await other.get() is await one.get() is before

    plugin_folder.write("probe", f"{COROUTINE}# edited\n")
    await clock.advance(0.9)
    assert await other.get() is before
    await clock.advance(0.2)
    after = await other.get()

    assert after is not before
    assert await one.get() is after


async def test_a_version_that_one_collector_has_found_is_had_by_the_next_to_ask(
    plugin_folder: PluginFolder,
) -> None:
    """However soon after the other it asks."""
    clock, one, other = two_of_one_plugin(plugin_folder)
    before = await one.get()
    assert await other.get() is before
    plugin_folder.write("probe", f"{COROUTINE}# edited\n")
    await clock.advance(1.1)
    after = await one.get()
    assert await one.get() is after

    assert await other.get() is after is not before
