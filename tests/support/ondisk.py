"""What a daemon has on disk and in its stores, read without the daemon's help.

A database is copied with its journal before it is opened, so that looking at what
a killed daemon left changes nothing for the one that comes next.
"""

import json
import secrets
import shutil
import sqlite3
import tempfile
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import orjson
import yaml

from ingestd.sinks import linebodies
from tests.support.deadline import WITHIN
from tests.support.searchable import make_searchable
from tests.support.source import readings

# Series -> time in Unix microseconds -> every value stored for it.
Contents = dict[str, dict[int, list[float]]]
Look = Callable[[], Contents]


@contextmanager
def copied(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a copy of a database as it stands, of a killed daemon for example."""
    with tempfile.TemporaryDirectory() as folder:
        for each in (path, path.with_name(f"{path.name}-wal")):
            if each.exists():
                shutil.copy(each, folder)
        with closing(sqlite3.connect(Path(folder) / path.name)) as connection:
            yield connection


def cursors(state_dir: Path) -> dict[str, Any]:
    """Return every collector's state."""
    if not (state_dir / "state.db").exists():
        return {}
    with copied(state_dir / "state.db") as db:
        if not _has(db, "state"):
            return {}
        return {
            name: yaml.safe_load(text)
            for name, text in db.execute("SELECT collector, state FROM state")
        }


def waiting(state_dir: Path, store: str) -> Contents:
    """Return what a store's spool and dead letters hold."""
    found: Contents = defaultdict(lambda: defaultdict(list))
    if not (state_dir / "state.db").exists():
        return found
    with copied(state_dir / "state.db") as db:
        if not _has(db, "spool"):
            return found
        for (data,) in db.execute("SELECT data FROM spool WHERE store = ?", (store,)):
            _add_body(found, data)
        for (data,) in db.execute("SELECT payload FROM dead_letters WHERE store = ?", (store,)):
            _add_payload(found, data)
    return found


def assert_nothing_skipped(state_dir: Path, looks: Mapping[str, Look]) -> dict[str, int]:
    """Check that what lies behind every position is stored, spooled or a dead letter.

    Args:
        state_dir: Of a daemon that does not run; its collectors are named after the
            series of their meters.
        looks: What looks into each store.

    Returns:
        The positions.
    """
    positions = {name: state.get("last", 0) for name, state in cursors(state_dir).items()}
    for store, look in looks.items():
        stored, waits = look(), waiting(state_dir, store)
        for collector, position in positions.items():
            safe = stored[collector].keys() | waits[collector].keys()
            ahead = readings(position).keys() - safe
            assert not ahead, f"{store}: {collector} is at {position} without {len(ahead)} readings"
    return positions


def count(state_dir: Path, table: str) -> int:
    """Count the rows of one of the daemon's tables, while it runs or not."""
    with closing(sqlite3.connect(f"file:{state_dir}/state.db?mode=ro", uri=True)) as db:
        (rows,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(rows)


def embedded(path: Path) -> Look:
    """Return what looks into the embedded store."""

    def look() -> Contents:
        found: Contents = defaultdict(lambda: defaultdict(list))
        if path.exists():
            with copied(path) as db:
                if _has(db, "readings"):
                    for name, time_us, value in db.execute(
                        "SELECT series, time_us, value FROM points"
                    ):
                        found[name][time_us].append(value)
        return found

    return look


def victoriametrics(url: str) -> Look:
    """Return what looks into VictoriaMetrics."""

    def look() -> Contents:
        found: Contents = defaultdict(lambda: defaultdict(list))
        make_searchable(url)
        # It remembers for a while which series a selector found; this one is always new.
        selector = f'{{series!="",never!="{secrets.token_hex()}"}}'
        query = urllib.parse.urlencode({"match[]": selector, "start": "0"})
        for line in _fetch(f"{url}/api/v1/export?{query}").splitlines():
            row = json.loads(line)
            for time_ms, value in zip(row["timestamps"], row["values"], strict=True):
                found[row["metric"]["series"]][time_ms * 1000].append(value)
        return found

    return look


def influxdb(url: str, database: str) -> Look:
    """Return what looks into InfluxDB 1.x."""

    def look() -> Contents:
        found: Contents = defaultdict(lambda: defaultdict(list))
        query = urllib.parse.urlencode(
            {"db": database, "epoch": "u", "q": 'SELECT "value" FROM "reading" GROUP BY "series"'}
        )
        (answer,) = json.loads(_fetch(f"{url}/query?{query}"))["results"]
        for row in answer.get("series", []):
            for time_us, value in row["values"]:
                found[row["tags"]["series"]][time_us].append(value)
        return found

    return look


def create_database(url: str, database: str) -> None:
    """Create a database in InfluxDB 1.x."""
    query = urllib.parse.urlencode({"q": f'CREATE DATABASE "{database}"'})
    _fetch(f"{url}/query?{query}", data=b"")


def _fetch(url: str, data: bytes | None = None) -> bytes:
    with urllib.request.urlopen(url, data=data, timeout=WITHIN) as reply:
        answer: bytes = reply.read()
        return answer


def _has(db: sqlite3.Connection, table: str) -> bool:
    found = db.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (table,)).fetchone()
    return found is not None


def _add_body(found: Contents, data: bytes) -> None:
    if data.startswith(b"{"):
        body: Mapping[str, Any] = orjson.loads(data)
        for at, time_us, value in zip(body["index"], body["time"], body["value"], strict=True):
            found[body["series"][at][0]][time_us].append(value)
        return
    for line in linebodies.split(data):
        _add_payload(found, line)


def _add_payload(found: Contents, data: bytes) -> None:
    if data.startswith(b"{"):
        row = orjson.loads(data)
        found[row["series"]][row["time"]].append(row["value"])
        return
    names, value, time_us = data.decode().split(" ")
    tags = dict(each.split("=", 1) for each in names.split(",")[1:])
    found[tags["series"]][int(time_us)].append(float(value.split("=")[1]))
