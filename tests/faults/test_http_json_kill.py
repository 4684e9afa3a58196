"""`kill -9` at random instants while http_json reads a source of each kind that grows.

After every single kill, what the daemon left behind is compared with the sources: no position is
ahead of the readings that are stored or on disk, and no reading is any but theirs.
``INGESTD_TEST_SEED`` repeats a run of this test, as far as chance can be repeated.
"""

import os
import random
import secrets
import signal
import time
from collections.abc import Mapping
from typing import Any, Final

import pytest

from tests.support import ondisk
from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.growing import MANY, GrowingServer

SEED: Final = int(os.environ.get("INGESTD_TEST_SEED") or secrets.randbelow(1_000_000))
KILLS: Final = 12
STORE: Final = "embedded"
AFTER_START: Final = 0.1  # seconds in which a forked daemon starts on a busy machine
AFTER_REQUEST: Final = 0.03
AFTER_TERM: Final = 0.15
MOST_REQUESTS: Final = 60


@pytest.mark.slow(20)  # a daemon starts thirteen times
def test_kills_skip_nothing_of_any_kind_of_source(
    daemon: DaemonProcess, growing: GrowingServer
) -> None:
    """The store has what the sources have, and no position was ever ahead of its readings."""
    chance = random.Random(SEED)
    print(f"INGESTD_TEST_SEED={SEED}")  # noqa: T201 -- to repeat what failed
    look = ondisk.embedded(daemon.folder / "readings.db")
    configure(daemon, growing, {"listen": "off"})
    before: dict[str, float] = {}
    for number in range(KILLS):
        growing.raise_bound(min(MANY - 1, growing.bound + chance.randrange(2 * MANY // KILLS)))
        live_and_die(daemon, growing, chance, number)
        positions = assert_right(daemon, growing, look())
        assert all(positions[name] >= position for name, position in before.items())
        before = positions
    growing.raise_bound(MANY)
    settle(daemon, growing)

    expected: ondisk.Contents = {}
    for source in growing.sources.values():
        expected |= source.readings(until=source.times[-1])
    assert look() == expected
    assert ondisk.count(daemon.state_dir, "dead_letters") == 0
    assert ondisk.count(daemon.state_dir, "damaged") == 0


def configure(daemon: DaemonProcess, growing: GrowingServer, section: Mapping[str, Any]) -> None:
    """Have the daemon read all sources, again and again, into the embedded store."""
    daemon.configure(
        stores={
            STORE: {
                "type": "embedded",
                "path": str(daemon.folder / "readings.db"),
                "batch": {"points": 100, "linger": "50ms"},
            }
        },
        collectors=growing.collectors(every="100ms"),
        daemon=section,
    )


def live_and_die(
    daemon: DaemonProcess, growing: GrowingServer, chance: random.Random, number: int
) -> None:
    """Start the daemon and kill it while it starts, at one of its requests, or while it stops."""
    when = chance.choices(("starting", "reading", "stopping"), (1, 8, 1))[0]
    share, requests = chance.random(), chance.randrange(1, MOST_REQUESTS)
    print(f"kill {number}: {when} {share:.3f} {requests} bound {growing.bound}")  # noqa: T201 -- to understand what failed
    daemon.start(ready=when != "starting")
    # These sleeps are the test: the instants of the kills are what it varies.
    if when == "starting":
        time.sleep(share * AFTER_START)
    else:
        growing.wait_for_requests(requests)
    if when == "reading":
        time.sleep(share * AFTER_REQUEST)
    if when == "stopping":
        daemon.send(signal.SIGTERM)
        time.sleep(share * AFTER_TERM)
    daemon.kill()


def assert_right(
    daemon: DaemonProcess, growing: GrowingServer, stored: ondisk.Contents
) -> dict[str, float]:
    """Check what a killed daemon left; return the positions.

    What lies behind a position is stored, spooled or a dead letter, also what the source did not
    have when it was passed; and all that is there is right.
    """
    found = ondisk.waiting(daemon.state_dir, STORE)
    for series, points in stored.items():
        found[series] |= points
    states = ondisk.cursors(daemon.state_dir)
    positions = {name: state["newest"] for name, state in states.items() if "newest" in state}
    for name, source in growing.sources.items():
        everything = source.readings(until=source.times[-1])
        for series, points in everything.items():
            wrong = {t: v for t, v in found[series].items() if points.get(t) != v}
            assert not wrong, f"{series}: {len(wrong)} readings are not the source's: {wrong}"
        if name in positions:
            for series, points in source.readings(until=positions[name]).items():
                ahead = points.keys() - found[series].keys()
                assert not ahead, f"{name} is at {positions[name]} without {sorted(ahead)}"
    return positions


def settle(daemon: DaemonProcess, growing: GrowingServer) -> None:
    """Let the daemon run in peace until it has read and stored everything."""
    configure(daemon, growing, {})
    daemon.start()

    def quiet() -> bool:
        states = ondisk.cursors(daemon.state_dir)
        done = all(
            states.get(name, {}).get("newest") == source.times[-1]
            for name, source in growing.sources.items()
        )
        return done and not ondisk.count(daemon.state_dir, "spool")

    eventually(quiet, what="everything read and stored")
    daemon.assert_balanced()
    assert daemon.stop() == 0
