"""The dcs plugin in a real daemon, whose collectors share a server.

What kills leave behind is in tests/faults/test_dcs.py.
"""

from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

import pytest

from tests.support import ondisk
from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.dcs import FakeDcs, Rules
from tests.support.dcs.faults import login_page
from tests.support.dcsreading import params

pytestmark = pytest.mark.slow  # a daemon starts and stops

# The server's time stands still, near to the daemon's.
NOW: Final = datetime.now(UTC)
SINCE: Final = datetime.combine(NOW - timedelta(days=20), time(), UTC)


def collector(dcs: FakeDcs, api: str = "current", **options: Any) -> dict[str, Any]:
    """Return a collector of everything at a server."""
    wanted = {"since": f"{SINCE:%Y-%m-%d}", "max_window": "3d", **options}
    return {"plugin": "dcs", "every": "200ms", "params": params(dcs, api, **wanted)}


def test_each_fault_is_told_and_hurts_no_other_collector(
    daemon: DaemonProcess, dcs_apart: FakeDcs
) -> None:
    """A clear record for each, positions untouched, and the others go on."""
    dcs_apart.now = NOW
    elsewhere = f"{dcs_apart.url}/Portal"
    dcs_apart.add(login_page(match="/Portal"))
    daemon.configure(
        collectors={
            "good": collector(dcs_apart, registers=["R733"]),
            "wrong": collector(dcs_apart, password="hush-hush"),
            "page": collector(dcs_apart, url=elsewhere),
            "bad": collector(dcs_apart, registers=["R733", "R999"]),
        },
        stores={"main": {"type": "embedded"}},
    )
    daemon.start()

    for name, outcome, error in (
        ("wrong", "failed", "expected to be signed in as 'reader', got 401 Unauthorized"),
        ("page", "failed", "expected JSON, got 200 OK: text/html: '<!DOCTYPE html>"),
        ("bad", "degraded", "R999: expected the id of a source that this account may see"),
        ("good", "ok", ""),
    ):
        daemon.wait_for(f"run {outcome}", collector=name)
        record = daemon.newest_run(name)
        assert record["outcome"] == outcome
        assert error in (record["error"] or record["degraded"])

    assert daemon.stop() == 0
    positions = ondisk.cursors(daemon.state_dir)
    assert {name: set(positions.get(name, {})) for name in ("good", "wrong", "page", "bad")} == {
        "good": {"R733"}, "wrong": set(), "page": set(), "bad": {"R733"},
    }  # fmt: skip
    assert not any("hush" in str(line) for line in daemon.lines)
    assert not dcs_apart.signed_in
    assert dcs_apart.overlaps == []


def test_daemon_that_is_stopped_in_the_middle_of_an_answer_signs_out(
    daemon: DaemonProcess, dcs_apart: FakeDcs
) -> None:
    """The next one goes on from there."""
    dcs_apart.now, dcs_apart.rules = NOW, Rules(pause=0.05, chunk=20)
    daemon.configure(
        collectors={"slow": collector(dcs_apart, since="2015-01-01", max_window="9999d")},
        stores={"main": {"type": "embedded"}},
        daemon={"grace": "100ms"},
    )
    daemon.start()
    eventually(lambda: dcs_apart.asked_for("/readings"), what="asked for readings")

    assert daemon.stop() == 0
    assert not dcs_apart.asked_for("/readings")[0].whole
    assert dcs_apart.asked_for("signout")
    assert not dcs_apart.signed_in
