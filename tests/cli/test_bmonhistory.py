"""What BMON has stored comes into the stores, whole, in the unit of the catalogue."""

import asyncio
import random
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import pytest

from ingestd.config import file as configfile
from ingestd.hosts import HOSTS
from ingestd.sinks import make_sink
from tests.support.bmonexport import (
    UNITS,
    as_database,
    readings_database,
    sensor_row,
)
from tests.support.cli import CommandLine
from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.deadline import WITHIN
from tests.support.ports import free_port

pytestmark = pytest.mark.slow  # a process for each command

START: Final = 1_400_000_000
KILLS: Final = 12
LATER: Final = 1_900_000_000
ANSI: Final = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
HERE: Final = {"here": {"type": "embedded"}}
SMALL: Final = {"here": {"type": "embedded", "batch": {"points": 25}}}

# Series and tags, and values by their Unix seconds. Others may have written to a shared store,
# and VictoriaMetrics finds what it has accepted only after a while.
Found = dict[tuple[str, tuple[tuple[str, str], ...]], dict[float, float]]


def stored(daemon: DaemonProcess, name: str = "here") -> Found:
    """Return all that a store has, by series and tags."""
    config = configfile.load(daemon.config_path, {}, hosts=HOSTS).stores[name]

    async def scanned() -> Found:
        found: Found = {}
        sink = make_sink(config)
        try:
            async for points in sink.scan(start_us=0, end_us=LATER * 1_000_000):
                for each in points:
                    key = each.series, tuple(sorted(each.tags.items()))
                    found.setdefault(key, {})[each.time_us / 1_000_000] = each.value
        finally:
            await sink.close()
        return found

    return asyncio.run(scanned())


def in_database(path: Path) -> Found:
    """Return what a database of BMON holds, as a store should have it."""
    with closing(sqlite3.connect(path)) as db:
        tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name != '_last_raw'"
        names = db.execute(tables)
        return {
            (name, ()): dict(db.execute(f'SELECT ts, val FROM "{name}" WHERE val IS NOT NULL'))
            for (name,) in names.fetchall()
        }


def some(sensors: int, rows: int) -> dict[str, list[tuple[int, float]]]:
    """Return readings of sensors, whose ids need care in SQL and in patterns."""
    names = [f"{number:03d}.temp-{number}" for number in range(sensors)]
    return {
        name: [(START + 600 * row + number, row / 8 - number) for row in range(rows)]
        for number, name in enumerate(names)
    }


def position(state_dir: Path) -> bytes:
    """Return what is kept of an import that is under way, empty if nothing is."""
    found = [each for each in state_dir.glob("bmon-history-*") if each.suffix != ".new"]
    return found[0].read_bytes() if found else b""


def killed_under_way(command: Sequence[str], cli: CommandLine, state_dir: Path) -> None:
    """Begin an import, and kill it at a random instant after its position has moved."""
    before = position(state_dir)
    with cli.started(*command) as process:
        eventually(lambda: position(state_dir) != before or process.poll() is not None)
        with suppress(subprocess.TimeoutExpired):
            process.wait(random.uniform(0, 0.05))
        process.kill()


def test_everything_comes_and_again_without_doubling_it(
    daemon: DaemonProcess, cli: CommandLine, victoriametrics_url: str
) -> None:
    """Into every store, beside a running daemon, as often as one likes."""
    vm = {"type": "victoriametrics", "url": victoriametrics_url}
    collector = {"plugin": "good", "every": "365d", "tags": {"site": "bmon-all"}}
    daemon.plugin("good", "def run(**_):\n    return {}\n")
    daemon.configure(stores={**HERE, "vm": vm}, collectors={"site": collector})
    path = readings_database(daemon.folder / "readings.sqlite", some(3, 500))
    daemon.start()
    command = ("import", "bmon-history", str(path), "--collector", "site")
    first, again = cli(*command), cli(*command)
    wanted = {
        (name, (("site", "bmon-all"),)): each for (name, _), each in in_database(path).items()
    }

    assert (first.code, first.out) == (0, "1,500 readings of 3 sensors brought into here and vm\n")
    assert again.out == first.out
    assert stored(daemon) == wanted
    eventually(lambda: stored(daemon, "vm").items() >= wanted.items(), what="all in vm")
    assert not list(daemon.state_dir.glob("bmon-history*"))


@pytest.mark.slow(60)  # a process for each of a dozen kills
@pytest.mark.parametrize("kind", ["embedded", "victoriametrics"])
def test_kills_cost_no_reading(
    kind: str, daemon: DaemonProcess, cli: CommandLine, victoriametrics_url: str
) -> None:
    """Whenever they come, the same command goes on, and the store has what the database has."""
    store = {"type": kind, "batch": {"points": 25}}
    if kind == "victoriametrics":
        store["url"] = victoriametrics_url
    site = f"kills-{free_port()}"
    collector = {"plugin": "system", "every": "365d", "tags": {"site": site}}
    daemon.configure(stores={"here": store}, collectors={"site": collector})
    path = readings_database(daemon.folder / "readings.sqlite", some(20, 1000))
    command = ["import", "bmon-history", str(path), "--collector", "site"]
    for _ in range(KILLS):
        killed_under_way(command, cli, daemon.state_dir)
    said = cli(*command)
    tags = (("site", site),)
    wanted = {(name, tags): each for (name, _), each in in_database(path).items()}

    assert said.code == 0
    assert said.out.startswith("goes on at ")
    assert said.out.endswith("20,000 readings of 20 sensors brought into here\n")
    eventually(lambda: stored(daemon).items() >= wanted.items(), what="all of them")
    assert {key: each for key, each in stored(daemon).items() if key[1] == tags} == wanted


@contextmanager
def held_up(store: Path) -> Iterator[Callable[[], None]]:
    """Let nobody write to an embedded store but while what this gives is called."""
    with closing(sqlite3.connect(store, isolation_level=None, timeout=WITHIN)) as db:

        def let_some_pass() -> None:
            db.execute("ROLLBACK")
            time.sleep(0.03)
            db.execute("BEGIN IMMEDIATE")

        db.execute("BEGIN IMMEDIATE")
        yield let_some_pass


def test_an_import_goes_on_where_it_was(daemon: DaemonProcess, cli: CommandLine) -> None:
    """What is safe already is not read again; Ctrl-C says so."""
    daemon.configure(stores=SMALL)
    cli("import", "bmon-history", str(readings_database(daemon.folder / "one.sqlite", some(1, 1))))
    path = readings_database(daemon.folder / "readings.sqlite", some(40, 250))
    with cli.started("import", "bmon-history", str(path)) as process:
        with held_up(daemon.state_dir / "readings.db") as let_some_pass:
            eventually(lambda: position(daemon.state_dir) or let_some_pass())
            process.send_signal(signal.SIGINT)
        _, err = process.read()
        code = process.wait()
    kept = position(daemon.state_dir)
    with closing(sqlite3.connect(daemon.state_dir / "readings.db")) as db:
        db.execute("DELETE FROM readings")  # what is brought over now is what is read now
        db.commit()

    said = cli("import", "bmon-history", str(path))
    found = stored(daemon)
    count = sum(map(len, found.values()))

    assert (code, err.strip()) == (130, "interrupted; the same command goes on")
    assert b'"after"' in kept
    assert said.out.startswith("goes on at 0")
    assert said.out.endswith("10,000 readings of 40 sensors brought into here\n")
    assert 0 < count < 10_000
    everything = in_database(path)
    assert all(rows.items() <= everything[key].items() for key, rows in found.items())


def test_a_store_that_is_away_gives_69(daemon: DaemonProcess, cli: CommandLine) -> None:
    """It is tried before anything is read; what is there already stays, and counts."""
    path = readings_database(daemon.folder / "readings.sqlite", some(2, 10))
    away = {"type": "victoriametrics", "url": f"http://127.0.0.1:{free_port()}"}
    daemon.configure(stores={**HERE, "away": away})
    said = cli("import", "bmon-history", str(path))

    assert said.code == 69
    assert said.err.startswith("away: http://127.0.0.1:")
    assert said.err.endswith("stopped after 0 readings; the same command goes on\n")
    assert cli("import", "bmon-history", str(path), "--store", "here").code == 0


def test_sensors_and_times_are_chosen(daemon: DaemonProcess, cli: CommandLine) -> None:
    """By id or pattern, from the first time to just before the second."""
    daemon.configure(stores=HERE)
    readings = {name: [(START + each, 1.5) for each in range(10)] for name in ("a_1", "a_2", "b")}
    path = readings_database(daemon.folder / "readings.sqlite", readings)
    command = ("import", "bmon-history", str(path))
    reversed_span = cli(*command, "--from", "2020-01-02", "--to", "2020-01-01")
    assert (reversed_span.code, "--from" in reversed_span.err) == (2, True)
    times = ("--from", "2014-05-13T16:53:22Z", "--to", "2014-05-13T16:53:25Z")
    said = cli(*command, "--sensor", "a_*", *times)
    wrong = cli(*command, "--sensor", "c")

    assert said.out == "6 readings of 2 sensors brought into here\n"
    assert stored(daemon) == {
        (name, ()): {START + each: 1.5 for each in (2, 3, 4)} for name in ("a_1", "a_2")
    }
    assert (wrong.code, "expected one of 3 sensors, got 'c'" in wrong.err) == (2, True)


ODD: Final = [(START, 1), (START + 1, None), (START + 2, "x"), (START + 3, 9e999), (10**10, 1.0)]


def test_what_is_no_reading_is_counted(daemon: DaemonProcess, cli: CommandLine) -> None:
    """Its neighbours get through; rows without a time and other tables are told, too."""
    daemon.configure(stores=HERE, series={"a": {"max": 5}})
    path = readings_database(
        daemon.folder / "readings.sqlite", {"a": [*ODD, (START + 4, 6)], "empty": []}
    )
    with closing(sqlite3.connect(path)) as db:
        db.execute('CREATE TABLE [it\'s a "b"] (ts, val)')
        rows = [(START, 2.5), (None, 1), ("soon", 1), (START + 1.5, 3), (START + 1, b"x")]
        db.executemany('INSERT INTO [it\'s a "b"] VALUES (?, ?)', rows)
        db.execute("CREATE TABLE notes (text)")
        db.commit()
    said = cli("import", "bmon-history", str(path))

    assert said.code == 0
    assert said.out == (
        "left out, as they hold no readings: notes\n"
        "3 readings of 3 sensors brought into here\n"
    )  # fmt: skip
    assert said.err == (
        "8 readings cannot be stored:\n"
        "  3: time\n  2: value\n  1: no_value\n  1: non_finite\n  1: out_of_range\n"
    )


def test_times_that_no_meter_means_are_counted(daemon: DaemonProcess, cli: CommandLine) -> None:
    """Those of clocks that were not set are left out; `not_before` says from when on."""
    old = 900_000_000  # 1998
    path = readings_database(
        daemon.folder / "readings.sqlite",
        {"a": [(86_400, 1), (old, 2), (START, 3), (LATER - 1, 4)]},
    )
    times = {"not_before": "2000-01-01", "not_after": "7300d"}
    older = {"plugin": "system", "every": "1h", "not_before": "1990-01-01"}
    daemon.configure(stores=HERE, collectors={"older": older}, daemon=times)
    usual = cli("import", "bmon-history", str(path))
    first = stored(daemon)["a", ()]
    cli("import", "bmon-history", str(path), "--collector", "older")

    assert usual.err == "2 readings cannot be stored:\n  2: too_early\n"
    assert first == {START: 3, LATER - 1: 4}
    assert stored(daemon)["a", ()] == {old: 2, START: 3, LATER - 1: 4}


@pytest.mark.parametrize("content", [b"no database", b"", None])
def test_other_files_are_refused(
    content: bytes | None, daemon: DaemonProcess, cli: CommandLine
) -> None:
    """One sentence says what is expected."""
    daemon.configure(stores=HERE)
    path = daemon.folder / "readings.sqlite"
    if content is None:
        readings_database(path, {})
    else:
        path.write_bytes(content)
    said = cli("import", "bmon-history", str(path))

    assert said.code == 1
    assert said.err.startswith(f"{path}: ")
    assert "database" in said.err or "a table with ts and val for each sensor" in said.err


SENSORS: Final = (
    sensor_row(id=1, sensor_id="same", tran_calc_function="val * 1.8 + 32"),
    sensor_row(id=2, sensor_id="other", tran_calc_function="val * 2"),
    sensor_row(id=3, sensor_id="rate", tran_calc_function="rate * 3600"),
    sensor_row(id=4, sensor_id="square", tran_calc_function="val ** 2"),
    sensor_row(id=5, sensor_id="unchanged"),
)
SERIES: Final[Mapping[str, Mapping[str, Any]]] = {
    "same": {"unit": "deg F", "scale": 1.8, "offset": 32.0},
    "other": {"scale": 6.0, "offset": 1.0},
    "rate": {"tags": {"bmon": "raw"}},
    "unchanged": {"scale": 0.5},
    "unknown": {"scale": 0.25},
}


def test_old_and_new_values_are_in_one_unit(daemon: DaemonProcess, cli: CommandLine) -> None:
    """What BMON has done is not done twice, and what it has not done is done."""
    daemon.configure(stores=HERE, series=SERIES)
    readings = {name: [(START, 4.0)] for name in SERIES}
    path = readings_database(daemon.folder / "readings.sqlite", readings)
    export = as_database(daemon.folder, {"sensor": SENSORS, "unit": UNITS})
    command = ("import", "bmon-history", str(path))
    unclear = cli(*command)
    said = cli(*command, "--transforms", str(export))
    found = {name: rows[START] for (name, tags), rows in stored(daemon).items() if not tags}
    plain = cli(*command, "--as-stored")

    assert (unclear.code, unclear.out) == (1, "")
    assert "other, same, unchanged, unknown: has a scale or an offset" in unclear.err
    assert said.code == plain.code == 0
    assert found == {"same": 4.0, "other": 13.0, "rate": 4.0, "unchanged": 2.0, "unknown": 1.0}
    assert stored(daemon) == {(name, ()): {START: 4.0} for name in SERIES}


def test_a_transform_that_cannot_be_taken_back_is_told(
    daemon: DaemonProcess, cli: CommandLine
) -> None:
    """Nothing is brought over then."""
    daemon.configure(stores=HERE, series={"square": {"scale": 2}})
    path = readings_database(daemon.folder / "readings.sqlite", {"square": [(START, 4.0)]})
    export = as_database(daemon.folder, {"sensor": SENSORS, "unit": UNITS})
    said = cli("import", "bmon-history", str(path), "--transforms", str(export))
    both = cli("import", "bmon-history", str(path), "--transforms", str(export), "--as-stored")

    assert said.code == 1
    assert "square: has a scale or an offset in the catalogue, and BMON's transform" in said.err
    assert both.code == 2


def test_shows_its_progress_on_a_terminal(daemon: DaemonProcess, cli: CommandLine) -> None:
    """At the end it says what was brought over."""
    daemon.configure(stores=SMALL)
    path = readings_database(daemon.folder / "readings.sqlite", some(2, 1000))
    shown = ANSI.sub("", cli.on_terminal("import", "bmon-history", str(path)))

    # Which of them are drawn is a question of time.
    assert re.search(r"sensor [12] of 2, 2014-05-\d\d, [\d,]+ readings", shown)
    assert shown.splitlines()[-1] == "2,000 readings of 2 sensors brought into here"
