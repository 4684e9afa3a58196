"""`kill -9` at random instants while the dcs plugin reads, with a server that misbehaves.

One daemon reads one server through both of its APIs, what is new and then years of the
past. After every kill nothing behind a position may be missing; in the end the store has
exactly what the server has, and never had the server to answer two questions at a time.
``INGESTD_TEST_SEED`` repeats a run of these tests, as far as chance can be repeated.
"""

import json
import os
import random
import secrets
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from tests.support import ondisk
from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.dcs import FakeDcs, Gap, Register, VirtualMeter

# They wait for kills, starts and the server: half a minute each on an idle machine.
pytestmark = pytest.mark.slow

SEED: Final = int(os.environ.get("INGESTD_TEST_SEED") or secrets.randbelow(1_000_000))
KILLS: Final = 10
BACKFILL_KILLS: Final = 8
AFTER_START: Final = 0.1  # seconds in which a forked daemon starts on a busy machine
AFTER_READY: Final = 1.0
AFTER_TERM: Final = 0.15

HALF_HOUR: Final = timedelta(minutes=30)
# The daemon's clock cannot be moved, so the server's stops when the test begins.
NOW: Final = datetime.fromtimestamp(time.time() // 1800 * 1800, UTC)
SINCE: Final = NOW - timedelta(days=120)
# For backfills: what they read, in windows of some days, ends where collecting begins.
RECENT: Final = NOW - timedelta(days=2)
PAST: Final = NOW - timedelta(days=160)
CHUNK: Final = timedelta(days=5)

# Two of them are half hours late when the server has got to the present.
LATE: Final = Gap(NOW - timedelta(days=2), NOW - timedelta(days=1), until=NOW)
LOST: Final = Gap(NOW - timedelta(days=50), NOW - timedelta(days=47, hours=3))


@dataclass(frozen=True)
class Reader:
    """A collector, and what it must have read.

    Attributes:
        name: Its name, with which its series begin.
        params: More of its parameters.
        sources: What it reads.
    """

    name: str
    params: Mapping[str, Any]
    sources: tuple[str, ...]

    def series(self, dcs: FakeDcs, identity: str) -> str:
        """Return the name of a source's series."""
        found = dcs.campus.find(identity)
        assert isinstance(found, Register | VirtualMeter)
        return f"{self.name}_{identity}_{'sample' if found.instantaneous else 'half_hour'}"

    def truth(self, dcs: FakeDcs, identity: str, start: datetime) -> dict[int, float]:
        """Return what the server has of a source from then on: Unix microseconds to value."""
        found = dcs.campus.find(identity)
        assert found is not None
        return {
            each.at * 1_000_000: each.value if found.instantaneous else each.used
            for each in dcs.readings(identity, start, NOW + HALF_HOUR)
        }


READERS: Final = (
    Reader("current", {}, ("R733", "R734", "R740", "R741", "R742", "VM9", "VM10")),
    Reader("legacy", {"api": "legacy"}, ("R733", "R734", "R740", "R741", "VM9")),
)


def configure(daemon: DaemonProcess, dcs: FakeDcs, *, since: datetime, every: str) -> ondisk.Look:
    """Have a daemon read a server in both ways; return what looks into its store."""
    path = daemon.folder / "readings.db"
    daemon.configure(
        stores={"here": {"type": "embedded", "path": str(path), "batch": {"linger": "50ms"}}},
        collectors={
            reader.name: {
                "plugin": "dcs",
                "every": every,
                "revisit": "3d",
                "http": {"retries": 0},
                "params": {
                    "url": dcs.legacy_url if reader.params else dcs.current_url,
                    "username": dcs.rules.username,
                    "password": dcs.rules.password,
                    "registers": list(reader.sources),
                    "since": since,
                    "max_window": "30d",
                    "series": f"{reader.name}_{{id}}_{{quantity}}",
                    **reader.params,
                },
            }
            for reader in READERS
        },
    )
    return ondisk.embedded(path)


def trouble(dcs: FakeDcs, chance: random.Random) -> None:
    """Put a small campus into a state that is hard to read, but can be."""
    dcs.rules.chunk, dcs.rules.pause = 100, 0.002
    dcs.rules.cookie_requests = 25
    dcs.rules.readings_first = chance.random() < 0.5
    dcs.campus.register("R733").gaps = [LOST, LATE]
    dcs.campus.register("R740").gaps = [LOST, LATE]
    dcs.campus.register("R741").resets = [NOW - timedelta(days=30, minutes=30)]


@pytest.mark.slow(15)
def test_kills_during_collection_repeat_and_never_skip(
    daemon: DaemonProcess, dcs_apart: FakeDcs
) -> None:
    """The store ends up with exactly the server's readings, of every source through both APIs."""
    chance = random.Random(f"{SEED} collection")
    print(f"INGESTD_TEST_SEED={SEED}")  # noqa: T201 -- to repeat what failed
    dcs = dcs_apart
    trouble(dcs, chance)
    look = configure(daemon, dcs, since=SINCE, every="200ms")
    before: dict[str, datetime] = {}
    for number in range(KILLS):
        dcs.now = NOW - timedelta(days=100) * (1 - number / KILLS)
        misbehave(dcs, chance)
        live_and_die(daemon, chance, number)
        positions = assert_nothing_skipped(daemon, dcs, look, since=SINCE)
        assert all(positions[key] >= position for key, position in before.items())
        before = positions
    with settling(daemon, dcs):
        for reader in READERS:
            after = 0
            for _ in range(2):
                daemon.wait_for("run ok", after=after, collector=reader.name)
                after = len(daemon.lines)

    assert differences(look(), truth(dcs, SINCE)) == {}
    assert ondisk.count(daemon.state_dir, "dead_letters") == 0
    assert dcs.overlaps == []
    assert not dcs.signed_in


@pytest.mark.slow(30)
def test_kills_during_a_backfill_repeat_and_never_skip(
    daemon: DaemonProcess, dcs_apart: FakeDcs
) -> None:
    """The past that was asked for is read to its end beside the present, and the cursors stay."""
    chance = random.Random(f"{SEED} backfill")
    print(f"INGESTD_TEST_SEED={SEED}")  # noqa: T201 -- to repeat what failed
    dcs = dcs_apart
    dcs.now = NOW
    trouble(dcs, chance)
    look = configure(daemon, dcs, since=RECENT, every="1s")
    asked = ask_for_the_past(daemon)
    before = dict.fromkeys(asked, 0.0)
    for number in range(BACKFILL_KILLS):
        dcs.heal()
        for _ in range(chance.randrange(3)):
            dcs.fail(cut=chance.randrange(60_000), match="readings")
        live_and_die(daemon, chance, number)
        positions = assert_nothing_skipped(daemon, dcs, look, since=RECENT)
        assert all(position >= RECENT for position in positions.values())
        reached = assert_no_window_skipped(daemon, dcs, look)
        assert all(reached[name] >= position for name, position in before.items())
        before = reached
    with settling(daemon, dcs):
        eventually(
            lambda: all(
                daemon.get(f"backfills/{each}")["status"] == "done" for each in asked.values()
            ),
            what="backfills done",
        )

    assert differences(look(), truth(dcs, PAST)) == {}
    assert ondisk.count(daemon.state_dir, "dead_letters") == 0
    assert dcs.overlaps == []
    assert not dcs.signed_in


def ask_for_the_past(daemon: DaemonProcess) -> dict[str, int]:
    """Ask for a backfill of each collector; return their numbers."""
    daemon.start()
    span = [PAST.timestamp(), RECENT.timestamp()]
    numbers = {
        reader.name: daemon.post(
            "backfills", {"collector": reader.name, "spans": [span], "chunk": CHUNK.total_seconds()}
        )["id"]
        for reader in READERS
    }
    daemon.kill()
    return numbers


def assert_no_window_skipped(
    daemon: DaemonProcess, dcs: FakeDcs, look: ondisk.Look
) -> dict[str, float]:
    """Check that what lies before a backfill's position is stored or spooled; return those."""
    stored, waits = look(), ondisk.waiting(daemon.state_dir, "here")
    reached: dict[str, float] = {}
    with ondisk.copied(daemon.state_dir / "state.db") as db:
        records = dict(db.execute("SELECT collector, record FROM backfills").fetchall())
    for reader in READERS:
        position = json.loads(records[reader.name])["position"]
        reached[reader.name] = position
        for identity in reader.sources:
            series = reader.series(dcs, identity)
            known = {at for at in reader.truth(dcs, identity, PAST) if at < position * 1_000_000}
            ahead = known - (stored[series].keys() | waits[series].keys())
            assert not ahead, f"{series}: {len(ahead)} readings before {position}"
    return reached


def misbehave(dcs: FakeDcs, chance: random.Random) -> None:
    """Let a few requests for readings go wrong."""
    dcs.heal()
    for _ in range(chance.randrange(3)):
        if chance.random() < 0.5:
            dcs.fail(cut=chance.randrange(60_000), match="readings")
        else:
            dcs.fail(503, match="readings")


def live_and_die(daemon: DaemonProcess, chance: random.Random, number: int) -> None:
    """Start the daemon and kill it while it starts, runs or stops."""
    when = chance.choices(("starting", "running", "stopping"), (1, 5, 1))[0]
    first, second = chance.uniform(0, AFTER_READY), chance.uniform(0, AFTER_TERM)
    print(f"kill {number}: {when} {first:.3f} {second:.3f}")  # noqa: T201 -- to understand what failed
    daemon.start(ready=when != "starting")
    # These sleeps are the test: the instants of the kills are what it varies.
    time.sleep(first / AFTER_READY * AFTER_START if when == "starting" else first)
    if when == "stopping":
        daemon.send(signal.SIGTERM)
        time.sleep(second)
    daemon.kill()


def assert_nothing_skipped(
    daemon: DaemonProcess, dcs: FakeDcs, look: ondisk.Look, *, since: datetime
) -> dict[str, datetime]:
    """Check that what lies behind every position is stored or spooled; return the positions."""
    states, stored = ondisk.cursors(daemon.state_dir), look()
    waits = ondisk.waiting(daemon.state_dir, "here")
    positions: dict[str, datetime] = {}
    for reader in READERS:
        for identity, position in states.get(reader.name, {}).items():
            series = reader.series(dcs, identity)
            safe = stored[series].keys() | waits[series].keys()
            reached = position.timestamp() * 1_000_000
            known = {at for at in reader.truth(dcs, identity, since) if at < reached}
            ahead = known - safe
            assert not ahead, f"{series} is at {position} without {len(ahead)} readings"
            positions[series] = position
    return positions


@contextmanager
def settling(daemon: DaemonProcess, dcs: FakeDcs) -> Iterator[None]:
    """Let the daemon read in peace, until the block has seen enough and all is stored."""
    dcs.heal()
    dcs.now = NOW
    dcs.expire_cookies()  # those of daemons that were killed
    dcs.rules.pause = 0
    daemon.start()
    yield
    eventually(lambda: not ondisk.count(daemon.state_dir, "spool"), what="nothing spooled")
    daemon.assert_balanced()
    assert daemon.stop() == 0


def truth(dcs: FakeDcs, start: datetime) -> dict[str, dict[int, list[float]]]:
    """Return what the store must hold: series, time in Unix microseconds, every value for it."""
    return {
        reader.series(dcs, identity): {
            at: [value] for at, value in reader.truth(dcs, identity, start).items()
        }
        for reader in READERS
        for identity in reader.sources
    }


Contents = Mapping[str, Mapping[int, list[float]]]


def differences(found: Contents, expected: Contents) -> dict[str, list[str]]:
    """Return the first things that differ in each series."""
    different: dict[str, list[str]] = {}
    for series in found.keys() | expected.keys():
        here, there = found.get(series, {}), expected.get(series, {})
        wrong = [
            f"{datetime.fromtimestamp(at / 1e6, UTC)}: {here.get(at)}, expected {there.get(at)}"
            for at in sorted(here.keys() | there.keys())
            if here.get(at) != there.get(at)
        ]
        if wrong:
            different[series] = [f"{len(wrong)} points", *wrong[:5]]
    return different
