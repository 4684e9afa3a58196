"""A store that is away for long: nothing is lost, and fresh readings come first when it is back."""

import time
from pathlib import Path

import pytest

from tests.support import ondisk
from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.proxy import Mode, Proxy
from tests.support.servers import influxd
from tests.support.source import SHAPES, MeterServer, readings

pytestmark = pytest.mark.slow

# A reading of the moment, from a source that keeps nothing.
CLOCK = "def run(**_): return {'readings': [(None, 'clock', 1)]}"


@pytest.mark.slow(10)
def test_backlog_and_fresh_readings_after_an_outage(
    daemon: DaemonProcess, meters: MeterServer, tmp_path: Path
) -> None:
    """An outage with a restart in it leaves a backlog, which readings of the moment overtake."""
    with influxd(tmp_path / "influx") as server, Proxy(server.port) as proxy:
        ondisk.create_database(server.url, "energy")
        look = ondisk.influxdb(server.url, "energy")
        daemon.plugin("clock", CLOCK)
        daemon.configure(
            stores={
                "main": {
                    "type": "influxdb",
                    "version": 1,
                    "url": proxy.url,
                    "database": "energy",
                    "retry_max": "100ms",
                    "batch": {"points": 500, "linger": "50ms"},
                }
            },
            collectors={
                **meters.install(daemon, limit=1000),
                "clock": {"plugin": "clock", "every": "100ms"},
            },
        )
        proxy.set(Mode.REFUSING)
        ticks = 0
        for head in (6_000, 12_000):
            meters.head = head
            daemon.start()
            eventually(lambda: everything_read(daemon, meters), what="everything on disk")
            daemon.assert_balanced()
            (outage,) = daemon.logged("store unavailable")
            assert outage["level"] == "warning"
            assert daemon.stop() == 0
            ticks += len(daemon.logged("run ok", collector="clock"))

        daemon.start()
        daemon.wait_for("store unavailable")
        back = time.time()
        proxy.set(Mode.SLOW)
        eventually(lambda: max(look()["clock"], default=0) > back * 1e6, what="a fresh reading")
        behind = daemon.store("main")["spool"]["points"]
        daemon.assert_balanced()

        proxy.set(Mode.UP)
        eventually(lambda: not daemon.store("main")["spool"]["points"], what="an empty spool")
        daemon.assert_balanced()
        assert len(daemon.logged("store is back")) == 1
        assert daemon.stop() == 0
        ticks += len(daemon.logged("run ok", collector="clock"))
        found = look()

    assert behind > 10_000
    expected = {time: [value] for time, value in readings(meters.head).items()}
    for series in SHAPES:
        assert found[series] == expected
    assert len(found["clock"]) == ticks


def everything_read(daemon: DaemonProcess, meters: MeterServer) -> bool:
    """Whether every position on disk is at the end of its source."""
    states = ondisk.cursors(daemon.state_dir)
    return all(states.get(name, {}).get("last") == meters.head for name in SHAPES)
