"""`kill -9` at random instants, while stores are up, refuse, hang or break off.

The promise is checked after every single kill, on what the daemon left behind: a
collector's position is never ahead of the readings that are stored or on disk.
``INGESTD_TEST_SEED`` repeats a run of these tests, as far as chance can be repeated.
"""

import os
import random
import secrets
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support import ondisk
from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.proxy import Mode, Proxy
from tests.support.servers import influxd, victoria_metrics
from tests.support.source import SHAPES, MeterServer, readings

pytestmark = pytest.mark.slow

SEED: Final = int(os.environ.get("INGESTD_TEST_SEED") or secrets.randbelow(1_000_000))
# Together more than fifty.
KILLS: Final = {"embedded": 8, "victoriametrics": 14, "influxdb and embedded": 14}
AFTER_START: Final = 0.1  # seconds in which a forked daemon starts on a busy machine
AFTER_READY: Final = 0.7
AFTER_TERM: Final = 0.15


@dataclass
class Store:
    """A store under test: its configuration, how to look into it and how to torment it."""

    config: Mapping[str, Any]
    look: ondisk.Look
    modes: tuple[Mode, ...]
    torment: Callable[[Mode], None]


@contextmanager
def embedded(folder: Path) -> Iterator[Store]:
    """Give the store in a file, which another program may lock."""
    path = folder / "readings.db"
    held: list[sqlite3.Connection] = []

    def torment(mode: Mode) -> None:
        while held:
            held.pop().close()
        if mode is Mode.HANGING and path.exists():
            held.append(sqlite3.connect(path, isolation_level=None))
            held[0].execute("BEGIN IMMEDIATE")

    look = ondisk.embedded(path)
    config = {"type": "embedded", "path": str(path)}
    try:
        yield Store(config, look, (Mode.UP, Mode.HANGING), torment)
    finally:
        torment(Mode.UP)


@contextmanager
def victoriametrics(folder: Path) -> Iterator[Store]:
    """Give a VictoriaMetrics behind a proxy."""
    with (
        victoria_metrics(folder / "vm", "-dedup.minScrapeInterval=1ms") as server,
        Proxy(server.port) as proxy,
    ):
        config = {"type": "victoriametrics", "url": proxy.url}
        yield Store(config, ondisk.victoriametrics(server.url), tuple(Mode), proxy.set)


@contextmanager
def influxdb(folder: Path) -> Iterator[Store]:
    """Give an InfluxDB 1.x behind a proxy."""
    with influxd(folder / "influx") as server, Proxy(server.port) as proxy:
        config = {
            "type": "influxdb",
            "version": 1,
            "url": proxy.url,
            "database": "energy",
            "create": True,
        }
        ondisk.create_database(server.url, "energy")
        yield Store(config, ondisk.influxdb(server.url, "energy"), tuple(Mode), proxy.set)


MAKERS: Final = {
    "embedded": embedded,
    "victoriametrics": victoriametrics,
    "influxdb": influxdb,
}


@pytest.mark.slow(20)
@pytest.mark.parametrize("names", KILLS)
def test_kills_repeat_and_never_skip(
    daemon: DaemonProcess, meters: MeterServer, names: str, tmp_path: Path
) -> None:
    """Every record is stored once in every store, and no position was ever ahead of its data."""
    chance = random.Random(f"{SEED} {names}")
    print(f"INGESTD_TEST_SEED={SEED}")  # noqa: T201 -- to repeat what failed
    with ExitStack() as stack:
        stores = {
            name: stack.enter_context(MAKERS[name](tmp_path)) for name in names.split(" and ")
        }
        daemon.configure(
            stores={
                name: {
                    **store.config,
                    "timeout": "300ms",
                    "retry_max": "100ms",
                    "batch": {"points": 100, "linger": "50ms"},
                }
                for name, store in stores.items()
            },
            collectors=meters.install(daemon),
            daemon={"listen": "off"},
        )
        before: dict[str, int] = {}
        for number in range(KILLS[names]):
            meters.head += chance.randrange(60, 240)
            live_and_die(daemon, stores, chance, number)
            looks = {name: store.look for name, store in stores.items()}
            positions = ondisk.assert_nothing_skipped(daemon.state_dir, looks)
            assert all(positions[name] >= position for name, position in before.items())
            before = positions
        settle(daemon, meters, stores)
        found = {name: store.look() for name, store in stores.items()}

    expected = {time: [value] for time, value in readings(meters.head).items()}
    for name in stores:
        assert found[name].keys() == SHAPES.keys()
        for series, points in found[name].items():
            assert points == expected, (name, series)
    assert ondisk.count(daemon.state_dir, "dead_letters") == 0
    assert ondisk.count(daemon.state_dir, "damaged") == 0


def live_and_die(
    daemon: DaemonProcess, stores: Mapping[str, Store], chance: random.Random, number: int
) -> None:
    """Start the daemon and kill it while it starts, runs or stops."""
    when = chance.choices(("starting", "running", "stopping"), (1, 5, 1))[0]
    modes = {name: chance.choice(store.modes) for name, store in stores.items()}
    later = {name: chance.choice(store.modes) for name, store in stores.items()}
    first, second = chance.uniform(0, AFTER_READY), chance.uniform(0, AFTER_TERM)
    print(f"kill {number}: {when} {first:.3f} {second:.3f} {modes} {later}")  # noqa: T201 -- to understand what failed
    for name, store in stores.items():
        store.torment(modes[name])
    daemon.start(ready=when != "starting")
    # These sleeps are the test: the instants of the kills are what it varies.
    if when == "starting":
        time.sleep(first / AFTER_READY * AFTER_START)
    else:
        time.sleep(first / 2)
        for name, store in stores.items():
            store.torment(later[name])
        time.sleep(first / 2)
    if when == "stopping":
        daemon.send(signal.SIGTERM)
        time.sleep(second)
    daemon.kill()


def settle(daemon: DaemonProcess, meters: MeterServer, stores: Mapping[str, Store]) -> None:
    """Let the daemon run in peace until it has read and stored everything."""
    for store in stores.values():
        store.torment(Mode.UP)
    # With the API, and with the time that a store may need when the machine is busy.
    patient = {name: {**each, "timeout": "1m"} for name, each in daemon.config["stores"].items()}
    daemon.configure(**{**daemon.config, "stores": patient, "daemon": {}})
    daemon.start()

    def quiet() -> bool:
        states = ondisk.cursors(daemon.state_dir)
        done = all(states.get(name, {}).get("last") == meters.head for name in SHAPES)
        return done and not ondisk.count(daemon.state_dir, "spool")

    eventually(quiet, what="everything read and stored")
    daemon.assert_balanced()
    assert daemon.stop() == 0
