"""Damaged files: the daemon starts, tells, sets aside what is damaged, and the rest goes on."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support import ondisk
from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.proxy import Mode, Proxy
from tests.support.servers import victoria_metrics
from tests.support.source import SHAPES, MeterServer, readings

pytestmark = pytest.mark.slow


def at_end(daemon: DaemonProcess, meters: MeterServer) -> bool:
    """Whether every position on disk is at the end of its source."""
    states = ondisk.cursors(daemon.state_dir)
    return all(states.get(name, {}).get("last") == meters.head for name in SHAPES)


def alter(daemon: DaemonProcess, statement: str) -> None:
    """Change the state database of a daemon that does not run."""
    with closing(sqlite3.connect(daemon.state_dir / "state.db", isolation_level=None)) as db:
        assert db.execute(statement).rowcount == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE state SET state = 'last: 90' WHERE collector = 'coroutine'",
        "UPDATE state SET hidden = CAST(x'ff00fe' AS TEXT) WHERE collector = 'coroutine'",
        "UPDATE state SET crc = crc + 1 WHERE collector = 'coroutine'",
    ],
    ids=["plausible", "no text", "checksum"],
)
def test_a_damaged_state_is_read_again_from_the_beginning(
    daemon: DaemonProcess, meters: MeterServer, statement: str
) -> None:
    """One collector starts anew, which overwrites what it had stored; the others go on."""
    daemon.configure(collectors=meters.install(daemon))
    meters.head = 100
    daemon.start()
    eventually(lambda: at_end(daemon, meters))
    assert daemon.stop() == 0
    alter(daemon, statement)
    meters.head = 200
    meters.given.clear()

    daemon.start()
    told = daemon.wait_for("state was damaged")
    eventually(lambda: at_end(daemon, meters))
    assert daemon.stop() == 0

    assert told["level"] == "error"
    assert told["collector"] == "coroutine"
    assert {name: min(given) for name, given in meters.given.items()} == {
        "coroutine": 1,
        "function": 101,
        "generator": 101,
    }
    assert ondisk.count(daemon.state_dir, "damaged") == 1
    found = ondisk.embedded(daemon.state_dir / "readings.db")()
    expected = {time: [value] for time, value in readings(200).items()}
    assert found == dict.fromkeys(SHAPES, expected)


SPOOL_DAMAGES = (
    "data = x'00' || substr(data, 2)",  # which makes a text of it, and no UTF-8
    "data = 'text'",
    "data = x''",
    "crc = crc + 1",
    "points = 'many'",
)


def test_damaged_spool_rows_are_set_aside(
    daemon: DaemonProcess, meters: MeterServer, tmp_path: Path
) -> None:
    """The bodies between them are stored; the points in them are told, counted and kept."""
    with victoria_metrics(tmp_path / "vm") as server, Proxy(server.port) as proxy:
        proxy.set(Mode.REFUSING)
        collectors = meters.install(daemon, limit=10)
        daemon.configure(
            stores={"main": {"type": "victoriametrics", "url": proxy.url, "batch": {"points": 10}}},
            collectors={"generator": collectors["generator"]},
        )
        meters.head = 200
        daemon.start()
        eventually(lambda: ondisk.cursors(daemon.state_dir).get("generator") == {"last": 200})
        assert daemon.stop() == 0
        with closing(sqlite3.connect(daemon.state_dir / "state.db")) as db:
            rows = [row_id for (row_id,) in db.execute("SELECT id FROM spool ORDER BY id")]
        assert len(rows) == 20
        for row_id, damage in zip(rows[2::3], SPOOL_DAMAGES, strict=False):
            alter(daemon, f"UPDATE spool SET {damage} WHERE id = {row_id}")

        proxy.set(Mode.UP)
        daemon.start()
        eventually(lambda: not daemon.store("main")["spool"]["bodies"])
        daemon.assert_balanced()
        dropped = daemon.store("main")["dropped"]
        assert daemon.stop() == 0
        found = ondisk.victoriametrics(server.url)()

    told = daemon.logged("spooled points were set aside", level="error")
    # One of the rows does not say how many points it held: at least one.
    assert sum(line["points"] for line in told) == dropped == 41
    assert len(found["generator"]) == 150
    assert ondisk.count(daemon.state_dir, "damaged") == 5


def overwrite_all(path: Path) -> None:
    """Leave nothing of a file but its length."""
    path.write_bytes(os.urandom(path.stat().st_size))


def overwrite_the_middle(path: Path) -> None:
    """Damage a page behind the first."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        file.write(os.urandom(50_000))


def truncate(path: Path) -> None:
    """Lose the end of the file."""
    os.truncate(path, path.stat().st_size // 2 + 1000)


@pytest.mark.parametrize("damage", [overwrite_all, overwrite_the_middle, truncate])
def test_a_damaged_database_is_set_aside_whole(
    daemon: DaemonProcess, meters: MeterServer, damage: object
) -> None:
    """The daemon begins with an empty one and reads its sources from their beginning."""
    assert callable(damage)
    daemon.configure(collectors=meters.install(daemon))
    meters.head = 100
    daemon.start()
    eventually(lambda: at_end(daemon, meters))
    assert daemon.stop() == 0
    damage(daemon.state_dir / "state.db")
    meters.head = 200
    meters.given.clear()

    daemon.start()
    told = daemon.wait_for("state directory", level="error")
    eventually(lambda: at_end(daemon, meters))
    assert daemon.stop() == 0

    assert "sources are read again from their beginning" in told["problem"]
    assert {name: min(given) for name, given in meters.given.items()} == dict.fromkeys(SHAPES, 1)
    found = ondisk.embedded(daemon.state_dir / "readings.db")()
    expected = {time: [value] for time, value in readings(200).items()}
    assert found == dict.fromkeys(SHAPES, expected)
    assert len([each for each in daemon.state_dir.iterdir() if "damaged" in each.name]) >= 1


def test_a_damaged_embedded_store_is_an_outage(daemon: DaemonProcess, meters: MeterServer) -> None:
    """History is not thrown away: readings wait on disk until the operator has mended the file."""
    stores = {"main": {"type": "embedded", "retry_max": "100ms"}}
    daemon.configure(stores=stores, collectors=meters.install(daemon))
    path = daemon.state_dir / "readings.db"
    meters.head = 100
    daemon.start()
    eventually(lambda: at_end(daemon, meters))
    assert daemon.stop() == 0
    good = path.read_bytes()
    overwrite_all(path)
    meters.head = 200

    daemon.start()
    daemon.wait_for("store unavailable", store="main")
    eventually(lambda: at_end(daemon, meters))
    daemon.assert_balanced()
    assert daemon.store("main")["spool"]["points"] == 300
    path.with_name("readings.db-wal").unlink(missing_ok=True)
    path.with_name("readings.db-shm").unlink(missing_ok=True)
    path.write_bytes(good)
    daemon.wait_for("store is back")
    eventually(lambda: not daemon.store("main")["spool"]["points"])
    assert daemon.stop() == 0

    expected = {time: [value] for time, value in readings(200).items()}
    assert ondisk.embedded(path)() == dict.fromkeys(SHAPES, expected)
