"""Sources of a DCS server that fall silent while every run is ok: the health model names them."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.dcs import FakeDcs
from tests.support.dcs.campus import Gap
from tests.support.dcsreading import params

# A series is late 30 s after its allowance, by the real clock.
pytestmark = pytest.mark.slow

NOW: Final = datetime.now(UTC)
UNTIL_LATE: Final = 90.0  # seconds


def collector(dcs: FakeDcs, *registers: str) -> dict[str, Any]:
    """Return a collector of some registers, of which readings are expected each second."""
    since = f"{NOW - timedelta(days=20):%Y-%m-%d}"
    return {
        "plugin": "dcs",
        "every": "500ms",
        "cadence": "1s",
        "params": params(dcs, registers=list(registers), since=since),
    }


@pytest.mark.slow(30)  # silence has to last
def test_silent_registers_and_servers_are_named(daemon: DaemonProcess, dcs_apart: FakeDcs) -> None:
    """One register among others, all that a collector reads, and one that never gave anything."""
    # Behind the daemon's time, which the plugin reads up to: half an hour passes in half a second.
    dcs_apart.now = began = NOW - timedelta(days=10)
    never = dcs_apart.campus.register("R742")
    never.gaps = [Gap(never.first, NOW + timedelta(days=999))]
    daemon.configure(
        collectors={
            "part": collector(dcs_apart, "R733", "R734"),
            "whole": collector(dcs_apart, "R741"),
            "never": collector(dcs_apart, "R742"),
        },
        stores={"main": {"type": "embedded"}},
    )
    daemon.start()
    for name in ("part", "whole"):
        daemon.wait_for("run ok", collector=name)
    for register in (dcs_apart.campus.register(each) for each in ("R734", "R741")):
        register.gaps = [Gap(began, NOW + timedelta(days=999))]

    ended = threading.Event()

    def tick() -> None:
        now = began
        while not ended.wait(0.5):
            dcs_apart.now = now = now + timedelta(minutes=30)

    server = threading.Thread(target=tick)
    server.start()
    try:
        eventually(
            lambda: (
                {each["name"]: each["state"] for each in daemon.get("collectors")}
                == {"part": "late", "whole": "late", "never": "never"}
            ),
            within=UNTIL_LATE,
        )
        summary = daemon.get("status")["summary"]
        outcomes = {each["outcome"] for each in daemon.get("runs?limit=50")}
    finally:
        ended.set()
        server.join()

    assert outcomes == {"ok"}
    assert summary.startswith("3 of 3 collectors need attention: ")
    assert "never has given nothing yet" in summary
    assert "part gets nothing from dcs_R734_" in summary
    assert "whole has given nothing for " in summary
