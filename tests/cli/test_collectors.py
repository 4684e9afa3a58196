"""``ingestd collectors``: what is said of each."""

import re

import pytest

from tests.support.cli import CommandLine
from tests.support.daemonprocess import DaemonProcess, eventually

pytestmark = pytest.mark.slow

STREAM = """
import asyncio

async def run(*, count=0, **_):
    yield {"readings": [(1_700_000_000, "level", 4.25)]}
    await asyncio.sleep(3600)
"""


def test_a_collector_that_backs_off_is_awaited(daemon: DaemonProcess, cli: CommandLine) -> None:
    """Its next run lies ahead, however often it has failed."""
    daemon.plugin("bad", "def run(**_):\n    raise OSError('no route')\n")
    daemon.configure(collectors={"bad": {"plugin": "bad", "every": "1s"}})
    daemon.start()
    daemon.wait_for("run failed", failures=2)

    row = cli("collectors").lines[1]

    assert re.search(r" in \d+s ", row), row


def test_a_stream_that_was_stopped_has_no_error(daemon: DaemonProcess, cli: CommandLine) -> None:
    """The end of the daemon is nothing to complain of."""
    daemon.plugin("s", STREAM)
    daemon.configure(collectors={"s": {"plugin": "s"}})
    daemon.start()
    eventually(lambda: cli.json("latest", "--within", "36500d"))
    assert daemon.stop() == 0
    daemon.start()

    said = cli("collectors")

    assert "stopped it" not in said.out
    assert cli.json("collectors")[0]["last_run"]["outcome"] == "cancelled"
