"""`kill -9` at random instants while commands count: one that ends, and one that goes on.

After every single kill, what the daemon left behind is compared with what the commands can have
said: no position is ahead of the readings that are stored or on disk, and nothing of the commands
is left. ``INGESTD_TEST_SEED`` repeats a run of this test, as far as chance can be repeated.
"""

import os
import random
import secrets
import signal
import time
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support import ondisk
from tests.support.commands import Marked, Script
from tests.support.daemonprocess import DaemonProcess, eventually

SEED: Final = int(os.environ.get("INGESTD_TEST_SEED") or secrets.randbelow(1_000_000))
KILLS: Final = int(os.environ.get("INGESTD_TEST_KILLS") or 8)
STORE: Final = "embedded"
BEGIN: Final = 1_700_000_000  # Unix seconds, when both begin to count
STEP: Final = 40  # by how much they may count on between two kills
AFTER_START: Final = 0.1  # seconds in which a forked daemon starts on a busy machine
LONGEST_LIFE: Final = 0.6
AFTER_TERM: Final = 0.15
# A line for each number behind the position, up to what the file says.
COUNT: Final = """
    n=$1
    while :; do
        read bound < $BOUND
        while [ $n -lt $bound ]; do
            n=$((n+1))
            echo "{\\"readings\\": [[$(($BEGIN+n)), \\"$2\\", $n]], \\"last\\": $n}"
        done
        [ $2 = ends ] && exit
        sleep 0.02
    done
"""


@pytest.mark.slow(20)  # a daemon starts nine times
def test_kills_lose_nothing_and_double_nothing(
    daemon: DaemonProcess, script: Script, marked: Marked, tmp_path: Path
) -> None:
    """The store has what the commands counted, and no position was ever ahead of it."""
    chance = random.Random(SEED)
    print(f"INGESTD_TEST_SEED={SEED}")  # noqa: T201 -- to repeat what failed
    (tmp_path / "scripts").mkdir()
    bound = tmp_path / "scripts" / "bound"
    text = COUNT.replace("$BOUND", str(bound)).replace("$BEGIN", str(BEGIN))
    command = [*script(text), "{last}"]
    look = ondisk.embedded(daemon.folder / "readings.db")
    head = 0
    configure(daemon, command, marked, {"listen": "off"})
    before = {"ends": 0, "goes_on": 0}
    for number in range(KILLS):
        head = raise_bound(bound, head + chance.randrange(STEP))
        live_and_die(daemon, chance, number)
        positions = assert_right(daemon, look())
        assert all(positions.get(name, 0) >= last for name, last in before.items())
        before |= positions
        eventually(lambda: not marked.processes(), what="nothing left of the commands")
    head = raise_bound(bound, head + STEP)
    configure(daemon, command, marked, {})
    daemon.start()
    eventually(lambda: at_end(daemon, head), what="everything counted and stored")
    daemon.assert_balanced()
    assert daemon.stop() == 0

    expected = {(BEGIN + n) * 1_000_000: [float(n)] for n in range(1, head + 1)}
    assert look() == {"ends": expected, "goes_on": expected}
    assert ondisk.count(daemon.state_dir, "dead_letters") == 0


def configure(
    daemon: DaemonProcess, command: list[str], marked: Marked, section: dict[str, Any]
) -> None:
    """Have both commands count into the embedded store."""
    params = {"format": "run", "initial": {"last": 0}, "env": marked.env}
    daemon.configure(
        stores={
            STORE: {
                "type": "embedded",
                "path": str(daemon.folder / "readings.db"),
                "batch": {"points": 10, "linger": "20ms"},
            }
        },
        collectors={
            "ends": {
                "plugin": "exec",
                "every": "100ms",
                "params": {**params, "command": [*command, "ends"]},
            },
            "goes_on": {
                "plugin": "execd",
                "params": {**params, "command": [*command, "goes_on"], "stop_within": "100ms"},
            },
        },
        daemon=section,
    )


def raise_bound(path: Path, bound: int) -> int:
    """Let the commands count on to a number, and return it."""
    beside = path.with_suffix(".new")
    beside.write_text(f"{bound}\n")
    beside.replace(path)
    return bound


def live_and_die(daemon: DaemonProcess, chance: random.Random, number: int) -> None:
    """Start the daemon and kill it while it starts, while commands count, or while it stops."""
    when = chance.choices(("starting", "counting", "stopping"), (1, 8, 1))[0]
    share = chance.random()
    print(f"kill {number}: {when} {share:.3f}")  # noqa: T201 -- to understand what failed
    daemon.start(ready=when != "starting")
    # These sleeps are the test: the instants of the kills are what it varies.
    time.sleep(share * (AFTER_START if when == "starting" else LONGEST_LIFE))
    if when == "stopping":
        daemon.send(signal.SIGTERM)
        time.sleep(share * AFTER_TERM)
    daemon.kill()


def positions_of(daemon: DaemonProcess) -> dict[str, int]:
    """Return how far each command says that it has come."""
    states = ondisk.cursors(daemon.state_dir)
    return {name: each["state"]["last"] for name, each in states.items() if "state" in each}


def assert_right(daemon: DaemonProcess, stored: ondisk.Contents) -> dict[str, int]:
    """Check what a killed daemon left; return the positions."""
    found = ondisk.waiting(daemon.state_dir, STORE)
    for series, points in stored.items():
        found[series] |= points
    positions = positions_of(daemon)
    for name, last in positions.items():
        there = {time_us // 1_000_000 - BEGIN: values for time_us, values in found[name].items()}
        assert all(values == [float(n)] for n, values in there.items()), name
        ahead = set(range(1, last + 1)) - there.keys()
        assert not ahead, f"{name} is at {last} without {sorted(ahead)}"
    return positions


def at_end(daemon: DaemonProcess, head: int) -> bool:
    """Say whether both have counted to the end, and all is stored."""
    done = positions_of(daemon) == {"ends": head, "goes_on": head}
    return done and not ondisk.count(daemon.state_dir, "spool")
