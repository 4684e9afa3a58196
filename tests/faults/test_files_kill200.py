"""`kill -9` at random instants while ``files`` reads logs that are rotated, and folders of exports.

After every single kill, what the daemon left behind is compared with the files: no position, no
content that counts as read and no file that was moved is ahead of the readings that are stored or
on disk. ``INGESTD_TEST_SEED`` repeats what is written, and about when.
"""

import os
import random
import secrets
import signal
import time
from contextlib import closing
from typing import Any, Final

import pytest

from tests.support import ondisk
from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.growingfiles import Writers, points_of

SEED: Final = int(os.environ.get("INGESTD_TEST_SEED") or secrets.randbelow(1_000_000))
KILLS: Final = 200
STORE: Final = "embedded"
LONGEST_LIFE: Final = 0.5  # seconds
MOST_ACTIONS: Final = 12


@pytest.mark.slow(15)  # a daemon starts nine times
def test_kills_skip_nothing_of_any_kind_of_file(daemon: DaemonProcess) -> None:
    """The store has what was written, and nothing else."""
    chance = random.Random(SEED)
    print(f"INGESTD_TEST_SEED={SEED}")  # noqa: T201 -- to repeat what failed
    with closing(Writers(daemon.folder / "files", chance)) as writers:
        kill_again_and_again(daemon, writers, chance)


def kill_again_and_again(daemon: DaemonProcess, writers: Writers, chance: random.Random) -> None:
    """Have files read by a daemon that is killed, and in the end by one that is not."""
    look = ondisk.embedded(daemon.folder / "readings.db")
    configure(daemon, writers, listen="off")
    for number in range(KILLS):
        live_and_die(daemon, writers, chance, number)
        assert_right(daemon, writers, look())
    writers.finish()
    configure(daemon, writers)
    daemon.start()

    expected = {key: [value] for key, value in writers.expected.items()}
    eventually(lambda: points_of(look()).keys() >= expected.keys(), what="all is stored")
    eventually(lambda: left_in(writers) == [], what="all is moved")
    assert daemon.stop() == 0
    assert points_of(look()) == expected
    assert ondisk.count(daemon.state_dir, "dead_letters") == 0


def left_in(writers: Writers) -> list[Any]:
    """Return what is still where files that are moved come from."""
    return list(writers.exports[0].folder.iterdir())


def configure(daemon: DaemonProcess, writers: Writers, **section: Any) -> None:
    """Have the daemon read all files, again and again, into the embedded store."""
    store = {
        "type": "embedded",
        "path": str(daemon.folder / "readings.db"),
        "batch": {"points": 500, "linger": "50ms"},
    }
    daemon.configure(stores={STORE: store}, collectors=writers.collectors(), daemon=section)


def live_and_die(
    daemon: DaemonProcess, writers: Writers, chance: random.Random, number: int
) -> None:
    """Start the daemon, write while it runs, and kill it while it reads or stops."""
    actions, life = chance.randrange(MOST_ACTIONS), chance.random() * LONGEST_LIFE
    stopping = chance.random() < 0.1
    print(f"kill {number}: {actions} actions {life:.3f} s {stopping}")  # noqa: T201
    daemon.start()
    # These sleeps are the test: the instants of the kills are what it varies.
    for _ in range(actions):
        writers.act()
        time.sleep(life / actions)
    if stopping:
        daemon.send(signal.SIGTERM)
        time.sleep(life / 5)
    daemon.kill()


def assert_right(daemon: DaemonProcess, writers: Writers, stored: ondisk.Contents) -> None:
    """Check what a killed daemon left."""
    found = points_of(ondisk.waiting(daemon.state_dir, STORE))
    for key, values in points_of(stored).items():
        found[key] += values
    assert found.keys() <= writers.expected.keys()
    for where, points in writers.passed(ondisk.cursors(daemon.state_dir)):
        ahead = points.keys() - found.keys()
        assert not ahead, f"{where} without {sorted(ahead)[:5]}"
