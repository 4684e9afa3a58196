"""Every way in which a coroutine of a plugin can end, or try to end the daemon with it.

Coroutines run on the daemon's own event loop, where asyncio takes some of these for the end of
everything. Each has a failed record, at one tick after the other, and the others go on.
"""

from typing import Any, Final

import pytest

from tests.support.cli import CommandLine
from tests.support.daemonprocess import DaemonProcess, eventually

pytestmark = pytest.mark.slow

HEALTHY: Final = """
import asyncio
async def run(*, n=0, **_):
    await asyncio.sleep(0)
    yield {'readings': [(None, 'healthy', n)], 'n': n + 1}
"""
OWN: Final = "class Own(BaseException):\n    pass\n"
ODD: Final = """class Odd(Exception):
    def __str__(self): raise SystemExit(9)
    __repr__ = __str__
"""
# Plugin -> its code, and a part of what its run record says.
ENDINGS: Final = {
    "own": (f"{OWN}async def run(**_): raise Own('mine')", "Own: mine"),
    "generator_exit": ("async def run(**_): raise GeneratorExit", "GeneratorExit"),
    "generator_exit_late": (
        "async def run(**_):\n    yield {'readings': [(None, 'x', 1)]}\n    raise GeneratorExit",
        "GeneratorExit",
    ),
    "interrupt": ("async def run(**_): raise KeyboardInterrupt", "KeyboardInterrupt"),
    "exits": ("import sys\nasync def run(**_): sys.exit(3)", "sys.exit(3)"),
    "exits_oddly": (f"{ODD}async def run(**_): raise SystemExit(Odd())", "sys.exit("),
    "cancelled": (
        "import asyncio\nasync def run(**_): raise asyncio.CancelledError('mine')",
        "CancelledError: mine",
    ),
    "cancels_itself": (
        (
            "import asyncio\nasync def run(**_):\n"
            "    asyncio.current_task().cancel()\n    await asyncio.sleep(60)"
        ),
        "CancelledError",
    ),
    "cancels_itself_late": (
        (
            "import asyncio\nasync def run(**_):\n    yield {'readings': [(None, 'x', 1)]}\n"
            "    asyncio.current_task().cancel()\n    yield {}"
        ),
        "CancelledError",
    ),
    "cancels_all": (
        (
            "import asyncio\nasync def run(**_):\n"
            "    for each in asyncio.all_tasks(): each.cancel()\n    await asyncio.sleep(60)"
        ),
        "may cancel only tasks of its own",
    ),
    "closes_badly": (
        (
            "async def run(**_):\n    try:\n        yield {'readings': 5}\n"
            "    finally:\n        raise SystemExit(4)"
        ),
        "readings",
    ),
    "goes_on_at_close": (
        (
            "async def run(**_):\n    try:\n        yield {'readings': 5}\n"
            "    finally:\n        yield {}"
        ),
        "readings",
    ),
    "awaitable": (
        "class Odd:\n    def __await__(self): yield 'what?'\nasync def run(**_): await Odd()",
        "RuntimeError",
    ),
    "oddly": (f"{ODD}async def run(**_): raise Odd", "Odd: its text cannot be shown"),
    "group": (
        f"{OWN}async def run(**_): raise BaseExceptionGroup('several', [Own('mine')])",
        "Own: mine",
    ),
    "value": (
        (
            "class Odd:\n    def __float__(self): raise SystemExit(5)\n    __index__ = __float__\n"
            f"{OWN}async def run(**_): return {{'state': Odd(), 'readings': [(None, 'x', Odd())]}}"
        ),
        "state",
    ),
    "task_exits": (
        (
            "import asyncio, sys\nasync def job(): sys.exit(6)\n"
            "async def run(**_):\n    asyncio.create_task(job())\n    await asyncio.sleep(60)"
        ),
        "sys.exit(6)",
    ),
    "task_interrupts": (
        (
            "import asyncio\nasync def job(): raise KeyboardInterrupt\n"
            "async def run(**_):\n    asyncio.create_task(job())\n    await asyncio.sleep(60)"
        ),
        "KeyboardInterrupt",
    ),
    "awaited_task_exits": (
        (
            "import asyncio, sys\nasync def job(): sys.exit(6)\n"
            "async def run(**_): await asyncio.create_task(job())"
        ),
        "sys.exit(6)",
    ),
    "stops_the_loop": (
        "import asyncio\nasync def run(**_): asyncio.get_running_loop().stop()",
        "must not call loop.stop()",
    ),
    "handles_errors": (
        (
            "import asyncio\nasync def run(**_):\n"
            "    asyncio.get_running_loop().set_exception_handler(lambda *_: None)"
        ),
        "must not call loop.set_exception_handler()",
    ),
}
# What asks for the end of the daemon from where no run can be told, in a run that is well.
ASIDE: Final = {
    "callback_exits": (
        (
            "import asyncio, sys\nasync def run(**_):\n"
            "    asyncio.get_running_loop().call_soon(sys.exit, 7)\n"
            "    await asyncio.sleep(0.01)\n    return {}"
        ),
        "a plugin called sys.exit() in a callback, and the daemon goes on",
    ),
    "thread_stops_the_loop": (
        (
            "import asyncio, threading\nasync def run(**_):\n"
            "    loop = asyncio.get_running_loop()\n"
            "    stopping = threading.Thread(target=loop.call_soon_threadsafe, args=(loop.stop,))\n"
            "    stopping.start()\n    await asyncio.sleep(0.01)\n    return {}"
        ),
        "a plugin stopped the event loop, which goes on",
    ),
    "thread_exits": (
        (
            "import sys, threading\nasync def run(**_):\n"
            "    threading.Thread(target=sys.exit).start()\n    return {}"
        ),
        "run ok",
    ),
    "leaves_tasks": (
        (
            "import asyncio\nasync def run(**_):\n"
            "    asyncio.create_task(asyncio.sleep(3600), name='left')\n    return {}"
        ),
        "run left tasks behind, which were cancelled",
    ),
}


def test_each_way_to_end_is_a_failed_run(daemon: DaemonProcess) -> None:
    """The record says what it was; the daemon and the healthy one go on."""
    daemon.plugin("healthy", HEALTHY)
    for name, (text, _) in (ENDINGS | ASIDE).items():
        daemon.plugin(name, text)
    daemon.configure(
        collectors={
            name: {"plugin": name, "every": "500ms", "timeout": "2m"}
            for name in ("healthy", *ENDINGS, *ASIDE)
        }
    )
    daemon.start()
    for name in ENDINGS:
        daemon.wait_for("run failed", collector=name, failures=2)
    for name, (_, said) in ASIDE.items():
        whose: dict[str, Any] = {} if said.startswith("a plugin") else {"collector": name}
        daemon.wait_for(said, **whose)
    daemon.wait_for("run ok", collector="healthy", after=len(daemon.lines))
    records = {name: daemon.newest_run(name) for name in ENDINGS}
    assert daemon.stop() == 0

    for name, (_, why) in ENDINGS.items():
        assert (name, records[name]["outcome"]) == (name, "failed")
        assert why in records[name]["error"], name
    assert not daemon.logged("run failed", collector="healthy")


def window_of(text: str) -> str:
    """Return a plugin that also takes windows of the past, and ends in the same way in them."""
    return text.replace("run(**_)", "run(*, start=None, end=None, **_)").replace(
        "run(*, n=0, **_)", "run(*, start=None, end=None, n=0, **_)"
    )


@pytest.mark.slow(10)  # workers start anew
def test_each_way_to_end_is_a_failed_window(daemon: DaemonProcess) -> None:
    """A backfill says what it was and tries again; the daemon and the healthy backfill go on."""
    plugins = {"healthy": HEALTHY, **{name: text for name, (text, _) in (ENDINGS | ASIDE).items()}}
    for name, text in plugins.items():
        daemon.plugin(name, window_of(text))
    daemon.configure(
        collectors={name: {"plugin": name, "every": "365d", "timeout": "2m"} for name in plugins}
    )
    daemon.start()
    for name in (*ENDINGS, *ASIDE, "healthy"):
        daemon.post("backfills", {"collector": name, "spans": [[1_600_000_000, 1_600_000_060]]})

    def backfills() -> dict[str, dict[str, Any]]:
        return {each["collector"]: each for each in daemon.get("backfills")}

    eventually(lambda: all(backfills()[name]["failures"] >= 2 for name in ENDINGS))
    eventually(lambda: all(backfills()[name]["status"] == "done" for name in ("healthy", *ASIDE)))
    found = backfills()
    assert daemon.stop() == 0

    for name, (_, why) in ENDINGS.items():
        assert why in found[name]["error"], name
    assert not daemon.logged("a window met a bug of the daemon")


# Those that would end a process that has nothing but the run to do.
ENDING_ALL: Final = [
    "cancels_all",
    "exits",
    "generator_exit_late",
    "interrupt",
    "stops_the_loop",
    "task_exits",
    "value",
]


@pytest.mark.parametrize("options", [(), ("--dry-run",)], ids=["real", "dry"])
@pytest.mark.parametrize("name", ENDING_ALL)
def test_each_way_to_end_is_told_by_once(
    daemon: DaemonProcess, cli: CommandLine, name: str, options: tuple[str, ...]
) -> None:
    """There is no daemon: the process of the command runs the plugin, and says what it was."""
    text, why = ENDINGS[name]
    daemon.plugin(name, text)
    daemon.configure(collectors={name: {"plugin": name, "every": "365d", "timeout": "2m"}})

    said = cli("once", name, *options)

    assert (said.code, why in said.out + said.err) == (1, True), said
    assert f"{name}: failed" in said.out


@pytest.mark.parametrize("options", [(), ("--dry-run",)], ids=["real", "dry"])
@pytest.mark.parametrize("name", ASIDE)
def test_what_a_good_run_leaves_behind_does_not_end_once(
    daemon: DaemonProcess, cli: CommandLine, name: str, options: tuple[str, ...]
) -> None:
    """Its readings are brought to safety, and the command ends well."""
    daemon.plugin(name, ASIDE[name][0])
    daemon.configure(collectors={name: {"plugin": name, "every": "365d", "timeout": "2m"}})

    said = cli("once", name, *options)

    assert said.code == 0, said
    assert f"{name}: ok" in said.out
