"""A full disk: the daemon lives, waits for room, and has lost nothing that it took care of."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import ondisk
from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.disk import fill
from tests.support.proxy import Mode, Proxy
from tests.support.servers import victoria_metrics
from tests.support.source import SHAPES, MeterServer, readings

pytestmark = pytest.mark.slow

CLOCK = "def run(**_): return {'readings': [(None, 'clock', 1)]}"
FULL = "spool full: collectors with a cursor wait, the others lose their oldest readings"


@dataclass
class Scene:
    """A daemon whose state directory is on a small disk, with its store behind a proxy."""

    daemon: DaemonProcess
    meters: MeterServer
    disk: Path
    proxy: Proxy
    look: ondisk.Look

    def read_up_to(self, head: int) -> None:
        """Give the meters that many records and wait until the positions are there."""
        self.meters.head = head
        eventually(self.at_end, what=f"positions at {head}")

    def at_end(self) -> bool:
        """Whether every position on disk is at the end of its source."""
        states = ondisk.cursors(self.daemon.state_dir)
        return all(states.get(name, {}).get("last") == self.meters.head for name in SHAPES)

    def recover(self) -> None:
        """Bring the store back and check that it gets everything."""
        self.proxy.set(Mode.UP)
        eventually(self.at_end, what="everything read")
        eventually(lambda: not self.daemon.store("main")["spool"]["points"], what="an empty spool")
        self.daemon.assert_balanced()
        assert self.daemon.stop() == 0
        found = self.look()
        for series in SHAPES:
            assert found[series].keys() == readings(self.meters.head).keys()


@pytest.fixture
def scene(
    daemon: DaemonProcess, meters: MeterServer, small_disk: Path, tmp_path: Path
) -> Iterator[Scene]:
    """Give a daemon on a small disk; it is not started, and its store is up."""
    with victoria_metrics(tmp_path / "vm") as server, Proxy(server.port) as proxy:
        daemon.state_dir = small_disk / "state"
        daemon.plugin("clock", CLOCK)
        daemon.configure(
            stores={"main": {"type": "victoriametrics", "url": proxy.url, "retry_max": "100ms"}},
            collectors={
                **meters.install(daemon, limit=1000),
                "clock": {"plugin": "clock", "every": "100ms"},
            },
        )
        yield Scene(daemon, meters, small_disk, proxy, ondisk.victoriametrics(server.url))
        daemon.kill()


def await_runs_of_the_clock(daemon: DaemonProcess) -> None:
    """Return when the collector that nothing holds up has run a few times more."""
    ran = len(daemon.logged("run ok", collector="clock"))
    eventually(lambda: len(daemon.logged("run ok", collector="clock")) > ran + 5)


@pytest.mark.slow(10)
def test_disk_full_during_an_outage(scene: Scene) -> None:
    """Sources that keep their data are left alone; a kill and a start on the full disk included."""
    daemon, meters = scene.daemon, scene.meters
    scene.proxy.set(Mode.REFUSING)
    daemon.start()
    scene.read_up_to(3000)
    filler = fill(scene.disk)
    meters.head = 20_000
    assert daemon.wait_for(FULL)["level"] == "error"
    assert daemon.get("status")["buffer"]["paused"] == ["main"]
    eventually(lambda: daemon.get("status")["collectors"]["running"] >= 3)
    await_runs_of_the_clock(daemon)  # one of the three may have been the clock's
    asked = dict(meters.asked)
    await_runs_of_the_clock(daemon)
    assert dict(meters.asked) == asked
    daemon.assert_balanced()

    daemon.kill()
    positions = ondisk.assert_nothing_skipped(daemon.state_dir, {"main": scene.look})
    assert min(positions[name] for name in SHAPES) >= 3000
    daemon.start()
    daemon.wait_for(FULL)
    daemon.assert_balanced()
    filler.unlink()
    daemon.wait_for("spool has room again")
    scene.recover()


def test_disk_full_while_the_store_is_up(scene: Scene) -> None:
    """Readings go straight to the store, and positions still move: they use the space kept back.

    As soon as there is room, as much is kept back for the next time.
    """
    scene.daemon.start()
    scene.read_up_to(1000)
    filler = fill(scene.disk)
    scene.read_up_to(5000)
    ballast = scene.daemon.state_dir / "ballast"
    eventually(lambda: not ballast.exists(), what="use of the space kept back")

    assert not scene.daemon.logged(FULL)
    filler.unlink()
    eventually(ballast.exists, what="space kept back again")
    scene.recover()


def test_starting_on_a_full_disk(scene: Scene) -> None:
    """It starts, and works as long as the store is up."""
    scene.daemon.start()
    scene.read_up_to(1000)
    assert scene.daemon.stop() == 0
    fill(scene.disk)

    scene.daemon.start()
    scene.read_up_to(5000)
    scene.recover()


def test_a_first_start_on_a_full_disk(scene: Scene) -> None:
    """Without anything kept back it says why it cannot start, and does when there is room."""
    filler = fill(scene.disk)
    scene.daemon.start(ready=False)
    assert scene.daemon.ended() == 1
    (told,) = scene.daemon.logged("unreadable")
    assert "No space left" in told["text"] or "no room on the disk" in told["text"]

    filler.unlink()
    scene.daemon.start()
    scene.read_up_to(1000)
    scene.recover()


def test_stopping_on_a_full_disk(scene: Scene) -> None:
    """What has no room anywhere is given up in bounded time; its source has it still."""
    daemon = scene.daemon
    scene.proxy.set(Mode.REFUSING)
    daemon.start()
    scene.read_up_to(1000)
    filler = fill(scene.disk)
    scene.meters.head = 20_000
    daemon.wait_for(FULL)
    daemon.send(signal.SIGTERM)
    daemon.wait_for("stopping")
    assert daemon.stop() == 0  # the second signal saves some of the waiting
    ondisk.assert_nothing_skipped(daemon.state_dir, {"main": scene.look})

    filler.unlink()
    daemon.start()
    scene.recover()
