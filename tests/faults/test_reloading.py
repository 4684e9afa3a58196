"""Reloads in bad moments: what is not touched goes on, and what is wrong changes nothing."""

import signal
from pathlib import Path

import pytest

from tests.support import ondisk
from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.proxy import Mode, Proxy
from tests.support.servers import victoria_metrics
from tests.support.source import SHAPES, MeterServer, readings

pytestmark = pytest.mark.slow

TICK = "def run(*, n=0, **_): return {'readings': [(None, 'tick', n)], 'n': n + 1}"
RELOAD_OK = "ingestd_config_last_reload_successful"


def test_a_broken_configuration_changes_nothing(daemon: DaemonProcess) -> None:
    """The running one stays when the file is wrong in any way, and the next good one is taken."""
    daemon.plugin("tick", TICK)
    good = {"collectors": {"tick": {"plugin": "tick", "every": "100ms"}}}
    daemon.configure(**good)
    daemon.start()
    for broken in ("{", "collectors: {tick: {plugin: tick, evry: 1s}}", "\0", ""):
        before = len(daemon.lines)
        daemon.config_path.write_text(broken or "collectors: 7")
        daemon.send(signal.SIGHUP)
        refused = daemon.wait_for("config refused, the running one stays", after=before)
        daemon.wait_for("run ok", after=len(daemon.lines), collector="tick")
        assert refused["level"] == "error"
        assert daemon.metrics()[RELOAD_OK] == 0

    daemon.configure(**good, buffer={"points": 5000})
    daemon.send(signal.SIGHUP)
    daemon.wait_for("config reloaded", changes="buffer.points")

    assert daemon.metrics()[RELOAD_OK] == 1
    assert daemon.stop() == 0


def test_a_broken_configuration_does_not_spoil_the_exit(daemon: DaemonProcess) -> None:
    """A daemon with a broken file behind it stops as any other."""
    daemon.configure()
    daemon.start()
    daemon.config_path.write_text("{")
    daemon.send(signal.SIGHUP)
    daemon.wait_for("config refused, the running one stays")

    assert daemon.stop() == 0


@pytest.mark.parametrize("asynchronous", ["", "async "])
def test_a_long_run_does_not_notice_a_reload(
    daemon: DaemonProcess, tmp_path: Path, asynchronous: str
) -> None:
    """A collector that did not change is not touched, its run under way least of all."""
    (tmp_path / "notes").mkdir()  # a function makes no files beside the configuration
    began, end = tmp_path / "notes" / "began", tmp_path / "notes" / "end"
    daemon.plugin(
        "long",
        f"""
        import asyncio, pathlib, time
        {asynchronous}def run(**_):
            with open({str(began)!r}, "a") as file:
                file.write("began\\n")
            while not pathlib.Path({str(end)!r}).exists():
                {"await asyncio" if asynchronous else "time"}.sleep(0.01)
            return {{"readings": [(1_600_000_000, "long", 1)]}}
        """,
    )
    daemon.plugin("tick", TICK)
    long = {"plugin": "long", "every": "100ms"}
    impatient = {"grace": "100ms"}  # a run that had to end would be cancelled after that
    daemon.configure(
        daemon=impatient,
        collectors={"long": long, "other": {"plugin": "tick", "every": "100ms"}},
    )
    daemon.start()
    eventually(began.exists)
    for every in ("200ms", "100ms", "200ms"):
        before = len(daemon.lines)
        collectors = {
            "long": long,
            "other": {"plugin": "tick", "every": every},
            "added": {"plugin": "tick", "every": "100ms"},
        }
        daemon.configure(daemon=impatient, collectors=collectors)
        daemon.send(signal.SIGHUP)
        daemon.wait_for("config reloaded", after=before)
        daemon.wait_for("run ok", after=len(daemon.lines), collector="other")
    runs = began.read_text()
    end.touch()
    daemon.wait_for("run ok", collector="long")

    assert runs == "began\n"
    assert not daemon.logged("run cancelled", collector="long")
    assert daemon.stop() == 0


def test_a_store_that_moves_while_it_is_down_keeps_its_spool(
    daemon: DaemonProcess, meters: MeterServer, tmp_path: Path
) -> None:
    """What waits for a store follows it to its new address."""
    with victoria_metrics(tmp_path / "vm") as server, Proxy(server.port) as proxy:
        proxy.set(Mode.REFUSING)
        collectors = meters.install(daemon)
        store = {"type": "victoriametrics", "url": proxy.url, "retry_max": "10m"}
        daemon.configure(stores={"main": store}, collectors=collectors)
        meters.head = 300
        daemon.start()
        eventually(lambda: daemon.store("main")["spool"]["points"] == 900)
        daemon.configure(stores={"main": {**store, "url": server.url}}, collectors=collectors)
        daemon.send(signal.SIGHUP)
        reloaded = daemon.wait_for("config reloaded")
        meters.head = 400
        eventually(lambda: daemon.store("main")["stored"] >= 1200)
        daemon.assert_balanced()
        assert daemon.stop() == 0
        found = ondisk.victoriametrics(server.url)()

    assert "stores: ~main" in reloaded["changes"]
    for series in SHAPES:
        assert found[series].keys() == readings(400).keys()


def test_a_watched_file_is_read_when_it_changes(daemon: DaemonProcess) -> None:
    """It needs no signal, and may change while the daemon is still starting."""
    daemon.plugin("tick", TICK)
    daemon.configure(daemon={"watch": True})
    daemon.start()

    daemon.configure(
        daemon={"watch": True}, collectors={"tick": {"plugin": "tick", "every": "100ms"}}
    )
    daemon.wait_for("config reloaded", changes="collectors: +tick")
    daemon.wait_for("run ok", collector="tick")
    daemon.config_path.write_text("{")
    daemon.wait_for("config refused, the running one stays")

    assert daemon.stop() == 0
