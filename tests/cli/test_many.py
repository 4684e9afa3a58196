"""Commands with 2,000 collectors answer, and do the work of a plugin once for all of them."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import pytest

from tests.support.cli import CommandLine
from tests.support.daemonprocess import DaemonProcess

# A daemon starts 2,000 collectors.
pytestmark = pytest.mark.slow

MANY: Final = 2000
# Connects to the test with each import: worker processes may write nothing beside it.
METER: Final = """
    import socket
    socket.create_connection(("127.0.0.1", {port})).close()
    def run(*, number, **_):
        if number == 7:
            raise OSError("the meter said no")
        return {{"readings": [(None, f"level_{{number}}", number)]}}
"""


@pytest.fixture
def imports() -> Iterator[socket.socket]:
    """Give the socket to which the plugin connects when it is imported."""
    with socket.create_server(("127.0.0.1", 0), backlog=MANY) as listener:
        listener.setblocking(False)
        yield listener


def counted(imports: socket.socket) -> int:
    """Return how often the plugin was imported since this was asked last."""
    count = 0
    with suppress(BlockingIOError):
        while True:
            imports.accept()[0].close()
            count += 1
    return count


@pytest.fixture
def many(daemon: DaemonProcess, imports: socket.socket) -> DaemonProcess:
    """Give a daemon with 2,000 collectors of one plugin, not started."""
    daemon.plugin("meter", METER.format(port=imports.getsockname()[1]))
    meter = {"plugin": "meter", "every": "365d"}
    daemon.configure(
        collectors={f"m{each}": {**meter, "params": {"number": each}} for each in range(MANY)}
    )
    return daemon


def test_a_check_imports_the_plugin_once(
    many: DaemonProcess, imports: socket.socket, cli: CommandLine
) -> None:
    """It starts one process for it, not one for each collector."""
    said = cli("check")

    assert said.code == 0
    assert "fine, 2,000 collectors, 1 store" in said.out
    assert counted(imports) == 1


def test_status_and_collectors_tell_of_all(
    many: DaemonProcess, imports: socket.socket, cli: CommandLine
) -> None:
    """With a daemon and without one; what is in trouble comes first."""
    many.start()
    assert cli("once", "m7").code == 1
    counted(imports)

    status, found = cli.json("status"), cli.json("collectors")
    table = cli("collectors", "--limit", "3").lines
    imported = counted(imports)
    assert many.stop() == 0
    stopped = cli.json("collectors")

    assert status["summary"].startswith("1 of 2,000 collectors needs attention: m7 has failed: ")
    assert [len(found), len({each["name"] for each in found}), len(stopped)] == [MANY] * 3
    assert found[0]["name"] == "m7"
    assert table[1].startswith("m7 ")
    assert imported == 0
