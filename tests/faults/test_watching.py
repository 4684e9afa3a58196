"""``watch: true``: a file that an editor is still writing is not read."""

import os
import threading

import pytest

from tests.support.daemonprocess import DaemonProcess

pytestmark = pytest.mark.slow

TICK = "def run(*, n=0, **_): return {'readings': [(None, 'tick', n)], 'n': n + 1}"


def test_a_file_that_is_empty_for_a_while_is_waited_for(daemon: DaemonProcess) -> None:
    """An editor that empties the file and writes it a second later disturbs nothing.

    The second is what an editor takes, and is not waited for by any outcome.
    """
    daemon.plugin("tick", TICK)
    collectors = {"tick": {"plugin": "tick", "every": "100ms"}}
    daemon.configure(daemon={"watch": True}, collectors=collectors)
    daemon.start()
    daemon.configure(daemon={"watch": True}, collectors=collectors, buffer={"points": 5000})
    whole = daemon.config_path.read_text()

    os.truncate(daemon.config_path, 0)
    writing = threading.Timer(1.0, daemon.config_path.write_text, [whole])
    writing.start()
    reloaded = daemon.wait_for("config reloaded")
    writing.join()

    assert reloaded["changes"].endswith("applied: buffer.points")
    assert not daemon.logged("config refused, the running one stays")
    assert daemon.stop() == 0


@pytest.mark.slow(15)  # an editor has to have had its time
def test_a_file_that_stays_empty_is_refused(daemon: DaemonProcess) -> None:
    """It is told, and everything goes on; this waits for the patience with a slow editor."""
    daemon.plugin("tick", TICK)
    daemon.configure(
        daemon={"watch": True}, collectors={"tick": {"plugin": "tick", "every": "100ms"}}
    )
    daemon.start()

    os.truncate(daemon.config_path, 0)
    refused = daemon.wait_for("config refused, the running one stays")

    assert "the file is empty" in refused["problems"]
    daemon.wait_for("run ok", after=len(daemon.lines), collector="tick")
    assert daemon.stop() == 0
