"""The dcs plugin in a real daemon, whose collectors share a server and are killed beside it."""

import os
import random
import secrets
from datetime import UTC, datetime, time, timedelta
from time import sleep
from typing import Any, Final

import pytest

from ingestd.plugins.dcs.periods import Window
from tests.support import ondisk
from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.dcs import FakeDcs, Rules
from tests.support.dcs.faults import login_page
from tests.support.dcsreading import at, params, used, values

pytestmark = pytest.mark.slow

SEED: Final = int(os.environ.get("INGESTD_TEST_SEED") or secrets.randbelow(1_000_000))
KILLS: Final = 4
# The server's time stands still, near to the daemon's.
NOW: Final = datetime.now(UTC)
NEWEST: Final = datetime.fromtimestamp(NOW.timestamp() // 1800 * 1800, UTC)
SINCE: Final = datetime.combine(NOW - timedelta(days=20), time(), UTC)
PAST: Final = Window(at("2020-01-01"), at("2020-02-15"))
CUMULATIVE: Final = ("R733", "R740", "R741", "VM9")
SAMPLES: Final = ("R734", "R742", "VM10")
ALL: Final = (*CUMULATIVE, *SAMPLES)

Contents = dict[str, dict[int, list[float]]]


def collector(dcs: FakeDcs, api: str = "current", **options: Any) -> dict[str, Any]:
    """Return a collector of everything at a server."""
    wanted = {"since": f"{SINCE:%Y-%m-%d}", "max_window": "3d", **options}
    return {"plugin": "dcs", "every": "200ms", "params": params(dcs, api, **wanted)}


def known(dcs: FakeDcs, window: Window) -> Contents:
    """Return what a store should hold of a window."""
    found = {
        f"dcs_{name}_half_hour": used(dcs.readings(name, window.start, window.end))
        for name in CUMULATIVE
    } | {
        f"dcs_{name}_sample": values(dcs.readings(name, window.start, window.end))
        for name in SAMPLES
    }
    return {
        series: {round(t * 1_000_000): [value] for t, value in points.items()}
        for series, points in found.items()
    }


def test_killed_at_random_the_store_ends_up_with_what_the_server_has(
    daemon: DaemonProcess, dcs_apart: FakeDcs
) -> None:
    """Exactly that, of what is collected and of what is filled in, whatever was under way."""
    chance = random.Random(SEED)
    print(f"INGESTD_TEST_SEED={SEED}")  # noqa: T201 -- to repeat what failed
    dcs_apart.now, dcs_apart.rules.latency, dcs_apart.rules.chunk = NOW, 0.001, 50
    halves = {
        "registers": collector(dcs_apart, registers=["*: *"]),
        "virtual": collector(dcs_apart, registers=["VM9", "VM10"]),
    }
    daemon.configure(collectors=halves, stores={"main": {"type": "embedded"}})
    daemon.start()
    for name in halves:
        asked = {"collector": name, "spans": [[PAST.start.timestamp(), PAST.end.timestamp()]]}
        daemon.post("backfills", {**asked, "chunk": 5 * 86_400})

    for _ in range(KILLS):
        sleep(chance.uniform(0, 0.6))  # the instants of the kills are what this varies
        daemon.kill()
        dcs_apart.expire_cookies()
        daemon.start(ready=chance.random() < 0.7)

    def complete() -> bool:
        state = ondisk.cursors(daemon.state_dir)
        positions = {**state.get("registers", {}), **state.get("virtual", {})}
        # A register that is not polled tells of whole periods only.
        newest = dict.fromkeys(ALL, NEWEST) | {"R740": NEWEST - timedelta(minutes=30)}
        return positions == newest

    eventually(complete, within=60, what="everything collected")
    daemon.wait_for("ready")
    eventually(
        lambda: all(each["status"] == "done" for each in daemon.get("backfills")),
        within=60,
        what="everything filled in",
    )
    daemon.assert_balanced()
    assert daemon.stop() == 0
    expected = known(dcs_apart, Window(SINCE, NEWEST + timedelta(days=1)))
    for series, points in known(dcs_apart, PAST).items():
        expected[series] |= points
    stored = ondisk.embedded(daemon.state_dir / "readings.db")()
    assert {series: dict(points) for series, points in stored.items()} == expected
    assert not dcs_apart.signed_in


def test_each_fault_is_told_and_hurts_nobody_else(
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
