"""`kill -9` at random instants while sql reads tables that grow.

After every single kill, what the daemon left behind is compared with the tables: no position is
ahead of the readings that are stored or on disk, and no reading is any but theirs.
``INGESTD_TEST_SEED`` repeats a run of this test, as far as chance can be repeated.
"""

import os
import random
import secrets
import signal
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Final

import pytest

from tests.support import ondisk
from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.databases import Database

SEED: Final = int(os.environ.get("INGESTD_TEST_SEED") or secrets.randbelow(1_000_000))
KILLS: Final = 8
STORE: Final = "embedded"
AFTER_START: Final = 0.1  # seconds in which a forked daemon starts on a busy machine
READING: Final = 0.35  # seconds in which it reads what is new, several times
AFTER_TERM: Final = 0.15
FIRST: Final = 6000  # rows, so that they come in several parts
MORE: Final = 400  # rows at most, with each life
AT_ONCE: Final = 4  # rows with one time
NULLS: Final = 40  # one of so many rows has no value at first
LATE: Final = 30  # rows come in another order than their ids, but no further apart

# What executes a statement for many rows, and commits all of it at once.
Write = Callable[[str, Sequence[Sequence[Any]]], None]


@dataclass(slots=True)
class Growing:
    """A table that grows.

    Attributes:
        params: What the plugin is given.
        write: Writes into it.
        mark: What stands for an argument.
        late: Whether ids are committed in another order.
        begin: The first time, in Unix seconds.
        there: How many rows there are.
        waiting: The rows that come late.
    """

    params: Mapping[str, Any]
    write: Write
    mark: str
    late: bool
    begin: int
    there: int = 0
    waiting: list[int] = field(default_factory=list)

    def time(self, number: int) -> int:
        """Return the time of a row, in Unix seconds."""
        return self.begin + number // AT_ONCE

    def grow(self, count: int, chance: random.Random) -> None:
        """Add rows, and the values that were missing."""
        count -= count % AT_ONCE  # those with one time come together
        self.write("UPDATE log SET v = id WHERE v IS NULL", [()])
        numbers = [*self.waiting, *range(self.there, self.there + count)]
        self.there += count
        self.waiting = [n for n in numbers[-LATE:] if self.late and chance.random() < 0.5]
        self._add([n for n in numbers if n not in self.waiting], nulls=True)

    def end(self) -> None:
        """Add what is late, and one more row behind it."""
        self.write("UPDATE log SET v = id WHERE v IS NULL", [()])
        self._add([*self.waiting, *range(self.there, self.there + AT_ONCE)], nulls=False)
        self.there, self.waiting = self.there + AT_ONCE, []

    def _add(self, numbers: Sequence[int], *, nulls: bool) -> None:
        rows = [
            (n, self.time(n), "abcd"[n % AT_ONCE], None if nulls and n % NULLS == 0 else n)
            for n in numbers
        ]
        if rows:
            self.write(f"INSERT INTO log VALUES ({', '.join([self.mark] * 4)})", rows)

    def readings(self, prefix: str, until: float = float("inf")) -> ondisk.Contents:
        """Return the readings up to a time that are there, by series and microseconds."""
        found: ondisk.Contents = {f"{prefix}_{each}": {} for each in "abcd"}
        for n in range(self.there):
            if n not in self.waiting and self.time(n) <= until:
                found[f"{prefix}_{'abcd'[n % AT_ONCE]}"][self.time(n) * 1_000_000] = [n]
        return found


def shape(prefix: str, **more: Any) -> dict[str, Any]:
    """Return what the plugin is given for each table."""
    return {"table": "log", "time": "t", "series": f"{prefix}_{{name}}", "value": "v", **more}


def into_file(path: Any) -> Write:
    """Return what writes into a file."""

    def write(statement: str, rows: Sequence[Sequence[Any]]) -> None:
        with closing(sqlite3.connect(path, timeout=60)) as db, db:
            db.executemany(statement, rows)

    return write


def tables(daemon: DaemonProcess, postgres: tuple[Database, Any]) -> dict[str, Growing]:
    """Return a table read by time, one by id, and one of a server by id with late rows."""
    begin = int(time.time()) - 20_000
    database, connection = postgres
    found = {}
    for name, more in (("bytime", {}), ("byid", {"id": "id"})):
        path = daemon.folder / f"{name}.db"
        with closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE log (id INTEGER PRIMARY KEY, t, name, v)")
            db.execute("CREATE INDEX times ON log (t)")
        params = {"file": str(path), **shape(name, **more)}
        found[name] = Growing(params, into_file(path), "?", late=False, begin=begin)
    connection.execute("CREATE TABLE log (id int PRIMARY KEY, t int, name text, v int)")

    def write(statement: str, rows: Sequence[Sequence[Any]]) -> None:
        with connection.transaction(), connection.cursor() as cursor:
            cursor.executemany(statement, rows)

    params = {**database.params, **shape("server", id="id", overlap="1m")}
    found["server"] = Growing(params, write, "%s", late=True, begin=begin)
    return found


@pytest.mark.slow(15)  # a daemon starts nine times
@pytest.mark.xdist_group("databases")
def test_kills_skip_nothing_of_any_table(
    daemon: DaemonProcess, postgres: tuple[Database, Any]
) -> None:
    """The store has what the tables have, and no position was ever ahead of its readings."""
    chance = random.Random(SEED)
    print(f"INGESTD_TEST_SEED={SEED}")  # noqa: T201 -- to repeat what failed
    look = ondisk.embedded(daemon.folder / "readings.db")
    sources = tables(daemon, postgres)
    configure(daemon, sources, {"listen": "off"})
    for number in range(KILLS):
        for source in sources.values():
            source.grow(chance.randrange(MORE) if number else FIRST, chance)
        live_and_die(daemon, sources, chance, number)
        assert_right(daemon, sources, look())
    for source in sources.values():
        source.end()
    settle(daemon, sources)

    expected: ondisk.Contents = {}
    for name, source in sources.items():
        expected |= source.readings(name)
    assert look() == expected
    assert ondisk.count(daemon.state_dir, "dead_letters") == 0
    assert ondisk.count(daemon.state_dir, "damaged") == 0


def configure(
    daemon: DaemonProcess, sources: Mapping[str, Growing], section: Mapping[str, Any]
) -> None:
    """Have the daemon read all tables, again and again, into the embedded store."""
    daemon.configure(
        stores={
            STORE: {
                "type": "embedded",
                "path": str(daemon.folder / "readings.db"),
                "batch": {"points": 1000, "linger": "50ms"},
            }
        },
        collectors={
            name: {"plugin": "sql", "every": "100ms", "params": dict(source.params)}
            for name, source in sources.items()
        },
        daemon=section,
    )


def live_and_die(
    daemon: DaemonProcess, sources: Mapping[str, Growing], chance: random.Random, number: int
) -> None:
    """Start the daemon and kill it while it starts, while it reads, or while it stops."""
    when = chance.choices(("starting", "reading", "stopping"), (1, 8, 1))[0]
    share, grows = chance.random(), chance.random()
    print(f"kill {number}: {when} {share:.3f}")  # noqa: T201 -- to understand what failed
    daemon.start(ready=when != "starting")
    # These sleeps are the test: the instants of the kills are what it varies.
    if when == "starting":
        time.sleep(share * AFTER_START)
    else:
        time.sleep(share * grows * READING)
        for source in sources.values():
            source.grow(chance.randrange(MORE), chance)
        time.sleep(share * (1 - grows) * READING)
    if when == "stopping":
        daemon.send(signal.SIGTERM)
        time.sleep(share * AFTER_TERM)
    daemon.kill()


def assert_right(
    daemon: DaemonProcess, sources: Mapping[str, Growing], stored: ondisk.Contents
) -> None:
    """Check what a killed daemon left.

    What lies behind a position is stored, spooled or a dead letter, but for what came late; and
    all that is there is right.
    """
    found = ondisk.waiting(daemon.state_dir, STORE)
    for series, points in stored.items():
        found[series] |= points
    states = ondisk.cursors(daemon.state_dir)
    for name, source in sources.items():
        for series, points in source.readings(name).items():
            wrong = {t: v for t, v in found[series].items() if points.get(t) != v}
            assert not wrong, f"{series}: {len(wrong)} readings are not the table's: {wrong}"
        newest = states.get(name, {}).get("newest")
        if newest is None or source.late:
            continue
        for series, points in source.readings(name, until=newest).items():
            ahead = points.keys() - found[series].keys()
            assert not ahead, f"{name} is at {newest} without {len(ahead)} of {series}"


def settle(daemon: DaemonProcess, sources: Mapping[str, Growing]) -> None:
    """Let the daemon run in peace until it has read and stored everything."""
    configure(daemon, sources, {})
    daemon.start()

    def quiet() -> bool:
        states = ondisk.cursors(daemon.state_dir)
        done = all(
            states.get(name, {}).get("newest") == source.time(source.there - 1)
            for name, source in sources.items()
        )
        return done and not ondisk.count(daemon.state_dir, "spool")

    eventually(quiet, what="everything read and stored")
    daemon.assert_balanced()
    assert daemon.stop() == 0
