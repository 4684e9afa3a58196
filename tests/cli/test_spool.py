"""``ingestd spool``: what waits for stores that have gone, with and without a daemon."""

import pytest

from tests.support.cli import CommandLine
from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.ports import free_port

pytestmark = pytest.mark.slow


def renamed(daemon: DaemonProcess, *, runs: bool) -> None:
    """Leave one reading in the spool of a store that is called otherwise now."""
    daemon.plugin("good", "def run(**_): return {'readings': [(1_700_000_000, 'level', 1)]}")
    store = {"type": "victoriametrics", "url": f"http://127.0.0.1:{free_port()}"}
    collectors = {"good": {"plugin": "good", "every": "365d"}}
    daemon.configure(stores={"old": store}, collectors=collectors)
    daemon.start()
    daemon.post("collectors/good/run", {})
    eventually(lambda: daemon.store("old")["spool"]["points"] == 1)
    daemon.stop()
    daemon.configure(stores={"new": store})
    if runs:
        daemon.start()


@pytest.mark.parametrize("runs", [True, False])
def test_what_waits_is_moved(daemon: DaemonProcess, cli: CommandLine, *, runs: bool) -> None:
    """Also beside no daemon; check and status tell of it before, and not afterwards."""
    renamed(daemon, runs=runs)
    hint = "old: no longer in the configuration; 1 reading left; ingestd spool move old STORE"

    assert f"warning: stores: {hint}" in cli("check").err
    assert hint in cli("status").out
    said = cli("spool", "move", "old", "new")

    assert (said.code, said.out) == (0, "new: 1 reading of old\n")
    assert {each["store"]: each["points"] for each in cli.json("spool")} == {"new": 1}
    assert cli("check").err == ""
    assert cli("spool", "move", "old", "new").code == 1


@pytest.mark.parametrize("runs", [True, False])
def test_what_waits_is_dropped(daemon: DaemonProcess, cli: CommandLine, *, runs: bool) -> None:
    """When it is confirmed, and of a former store only."""
    renamed(daemon, runs=runs)

    refused = cli("spool", "drop", "old", stdin="n\n")
    configured = cli("spool", "drop", "new", "--yes")
    said = cli("spool", "drop", "old", "--yes")

    assert (refused.code, refused.out) == (130, "")
    assert configured.code == 1
    assert "expected a former store, got one that is configured" in configured.err
    assert (said.code, said.out) == (0, "old: 1 reading deleted\n")
    assert {each["store"]: each["points"] for each in cli.json("spool")} == {"new": 0}
