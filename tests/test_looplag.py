"""What holds up the event loop is named, while it does."""

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from ingestd.looplag import LoopWatch
from tests.support.daemonprocess import DaemonProcess

BLOCKING: Final = """
import pathlib
import time

async def run(**_):
    until = pathlib.Path(__file__).with_name("release")
    while not until.exists():
        time.sleep(0.05)  # the line that blocks
    return {}
"""
HARMLESS: Final = """
import asyncio

async def run(**_):
    await asyncio.sleep(2.5)
    return {}
"""


class Told:
    """Takes what the watch logs, and says when something came."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []
        self.statuses: list[str] = []
        self.came = threading.Event()
        self.over = asyncio.Event()

    def error(self, event: str, **values: Any) -> None:
        """Take what is told while the loop is held up."""
        self.lines.append((event, values))
        self.came.set()

    def warning(self, event: str, **values: Any) -> None:
        """Take what is told when the loop turns again."""
        self.lines.append((event, values))
        self.over.set()


async def hold_up_until(blocks: Callable[[], object], told: Told, *roots: Path) -> None:
    """Block the loop in a task of a collector until the watch has told of it, and a beat more."""
    watch = LoopWatch(
        lambda: [(f"c{number}", root) for number, root in enumerate(roots)],
        log=told,
        status=told.statuses.append,
    )
    watching = asyncio.create_task(watch.run(), name="ingestd[looplag]")
    await asyncio.sleep(0)

    async def run() -> None:
        blocks()

    await asyncio.create_task(run(), name="ingestd[c0].stream")
    await told.over.wait()
    watching.cancel()
    await asyncio.wait({watching})


@pytest.mark.slow  # waits for the loop to count as held up
async def test_the_line_of_the_plugin_is_named_while_it_blocks() -> None:
    """The innermost line in the plugin's own files, not that of the library which it called."""
    told = Told()

    def blocks() -> None:
        assert told.came.wait(60)

    await hold_up_until(blocks, told, Path(__file__), Path("/elsewhere.py"))

    (during, at), (after, then) = told.lines
    assert during == "event loop is held up"
    assert at["collectors"] == ["c0"]
    assert at["where"].startswith(f"{__file__}:")
    assert at["where"].endswith(" in blocks")
    assert told.statuses == [f"event loop is held up by collector c0 at {at['where']}"]
    assert after == "event loop was held up"
    assert then["where"] == at["where"]


@pytest.mark.slow  # the same
async def test_of_two_collectors_with_one_plugin_the_one_that_blocks_is_named() -> None:
    """Its task tells them apart, since the file does not."""
    told = Told()

    await hold_up_until(lambda: told.came.wait(60), told, Path(__file__), Path(__file__))

    assert told.lines[0][1]["collectors"] == ["c0"]


@pytest.mark.slow  # the same
async def test_what_holds_the_global_lock_is_named_as_well() -> None:
    """The thread can look only when the call is over, but then at the line that made it."""
    told = Told()
    document = "[" + ",".join(["1.25"] * 2_000_000) + "]"

    def parses() -> None:
        while not told.came.is_set():
            json.loads(document)

    await hold_up_until(parses, told, Path(__file__))

    assert told.lines[0][1]["collectors"] == ["c0"]
    assert told.lines[0][1]["where"].endswith(" in parses")


@pytest.mark.slow  # the same
async def test_what_is_no_plugin_is_named_without_a_collector() -> None:
    """A fault of the daemon is not blamed on a collector that happens to run."""
    told = Told()

    await hold_up_until(lambda: told.came.wait(60), told, Path("/elsewhere.py"))

    assert told.lines[0][1]["collectors"] == []


@pytest.mark.slow  # real processes
def test_a_daemon_names_the_plugin_that_blocks_it(daemon: DaemonProcess) -> None:
    """The line is in the log while the plugin still blocks."""
    daemon.plugin("blocking", BLOCKING)
    path = daemon.folder / "plugins" / "blocking.py"
    daemon.plugin("quick", "async def run(**_):\n    return {}\n")
    collectors = {"b": {"plugin": "blocking", "every": "3s"}}
    daemon.configure(collectors={**collectors, "q": {"plugin": "quick", "every": "365d"}})
    daemon.start()

    line = daemon.wait_for("event loop is held up")
    path.with_name("release").touch()
    after = daemon.wait_for("event loop was held up")

    number = BLOCKING.splitlines().index("        time.sleep(0.05)  # the line that blocks") + 1
    assert line["collectors"] == after["collectors"] == ["b"]
    assert line["where"] == f"{path}:{number} in run"


@pytest.mark.slow  # the run takes longer than the loop may be held up
def test_a_run_that_waits_holds_up_nothing(daemon: DaemonProcess) -> None:
    """Long runs are fine as long as they await."""
    daemon.plugin("harmless", HARMLESS)
    daemon.configure(collectors={"h": {"plugin": "harmless", "every": "1s"}})
    daemon.start()
    daemon.wait_for("run ok")

    assert [line for line in list(daemon.lines) if line.get("collectors") == ["h"]] == []
