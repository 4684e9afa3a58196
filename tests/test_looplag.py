"""A coroutine that blocks the event loop is pointed out."""

import pytest

from tests.support.daemonprocess import DaemonProcess

pytestmark = pytest.mark.slow

BLOCKING = """
import time

async def run(**_):
    time.sleep(2.5)
    return {}
"""
HARMLESS = """
import asyncio

async def run(**_):
    await asyncio.sleep(2.5)
    return {}
"""


def test_who_holds_up_the_loop_is_named(daemon: DaemonProcess) -> None:
    """Though its run is over by the time that anybody can look."""
    daemon.plugin("blocking", BLOCKING)
    daemon.plugin("quick", "async def run(**_):\n    return {}\n")
    collectors = {"b": {"plugin": "blocking", "every": "3s"}}
    daemon.configure(collectors={**collectors, "q": {"plugin": "quick", "every": "365d"}})
    daemon.start()

    line = daemon.wait_for("event loop was held up")

    assert "b" in line["collectors"]
    assert 1 < line["seconds"] < 4


def test_who_waits_holds_up_nobody(daemon: DaemonProcess) -> None:
    """Long runs are fine as long as they await."""
    daemon.plugin("harmless", HARMLESS)
    daemon.configure(collectors={"h": {"plugin": "harmless", "every": "1s"}})
    daemon.start()
    daemon.wait_for("run ok")

    assert daemon.logged("event loop was held up") == []
