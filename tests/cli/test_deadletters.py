"""``ingestd dead-letters``, with a daemon and without."""

import json
import sqlite3
import urllib.request
from collections.abc import Sequence
from contextlib import closing
from typing import Any

import pytest

from tests.support.cli import CommandLine
from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.ports import free_port

pytestmark = pytest.mark.slow


def test_dead_letters_are_listed_and_purged(daemon: DaemonProcess, cli: CommandLine) -> None:
    """They are chosen by number or all together, with a daemon and without."""
    bury(daemon, cli, 4)
    ids = [each["id"] for each in cli.json("dead-letters", "list")]

    some = cli("dead-letters", "purge", "--store", "vm", str(ids[0]))
    assert (some.code, some.out) == (0, "vm: 1 reading deleted\n")
    assert cli("dead-letters", "purge", "--store", "vm").code == 2
    gone = cli("dead-letters", "purge", "--store", "vm", str(ids[0]), "999")
    assert (gone.code, gone.out) == (1, "")
    assert gone.err.startswith("vm: 2 numbers of 2 are no dead letters of this store; see ")

    daemon.start()
    one = cli("dead-letters", "purge", "--store", "vm", str(ids[1]), "999")
    assert (one.code, one.out) == (1, "vm: 1 reading deleted\n")
    assert one.err.startswith("vm: 1 number of 2 is no dead letter of this store; see ")
    assert cli("dead-letters", "retry", "--store", "vm", "999").code == 1
    assert daemon.stop() == 0
    page = cli.json("dead-letters", "list", "--after", str(ids[2]), "--limit", "1")
    rest = cli("dead-letters", "purge", "--store", "vm", "--all")

    assert [each["id"] for each in page] == [ids[3]]
    assert rest.out == "vm: 2 readings deleted\n"
    assert cli.json("dead-letters", "list") == []
    empty = cli("dead-letters", "list")
    assert (empty.code, empty.out, empty.err) == (0, "", "no dead letters\n")


def bury(daemon: DaemonProcess, cli: CommandLine, count: int) -> None:
    """Run a collector whose readings VictoriaMetrics never takes: times before 1970."""
    text = f"return {{'readings': [(-1000 - i, 'old', i) for i in range({count})]}}"
    daemon.plugin("old", f"def run(**_):\n    {text}\n")
    store = {"type": "victoriametrics", "url": f"http://127.0.0.1:{free_port()}"}
    daemon.configure(stores={"vm": store}, collectors={"old": {"plugin": "old", "every": "365d"}})
    cli("once", "old")
    assert len(cli.json("dead-letters", "list", "--store", "vm")) == count


METER = r"""
def run(**_):
    bad = (1.7e9, "level", 5.5, {"room": "ends in \\"})
    return {"readings": [(1.7e9, "well", 1.0), (1.7e9, "level", 4.5), bad]}
"""


@pytest.mark.parametrize("running", [True, False])
def test_dead_letters_are_stored_once_the_store_takes_them(
    daemon: DaemonProcess, cli: CommandLine, influxdb_url: str, unique: str, *, running: bool
) -> None:
    """The operator has removed what stood in the way: a field of another type.

    A point that line protocol cannot say stays, with a daemon and without. Another point
    is taken at once, or else the store would not be believed about the first.
    """
    post(f"{influxdb_url}/query?q=CREATE+DATABASE+{unique}", b"")
    post(f"{influxdb_url}/write?db={unique}", b"reading,series=level value=1i 1700000000000000001")
    daemon.plugin("meter", METER)
    store = {"type": "influxdb", "version": 1, "url": influxdb_url, "database": unique}
    daemon.configure(
        stores={"influx": store},
        collectors={"m": {"plugin": "meter", "every": "365d"}},
        series={"well": {"measurement": "well"}},
    )
    if running:
        daemon.start()
    cli("once", "m")
    eventually(lambda: len(cli.json("dead-letters", "list")) == 2)
    refused = cli.json("dead-letters", "list")
    unsendable, letter = sorted(refused, key=lambda each: "unsendable" not in each["payload"])
    post(f"{influxdb_url}/query?q=DROP+MEASUREMENT+reading&db={unique}", b"")

    numbers = [str(each["id"]) for each in refused]
    said = cli("dead-letters", "retry", "--store", "influx", *numbers)
    again = cli("dead-letters", "retry", "--store", "influx", "--all")

    assert "series=level value=4.5" in letter["payload"]
    assert (said.code, said.out) == (1, "influx: 1 reading queued again\n")
    wrong = "influx: 1 number of 2 is no dead letter of this store that can be sent"
    assert wrong in said.err
    assert (again.code, again.out) == (0, "influx: 0 readings queued again\n")
    assert cli.json("dead-letters", "list") == [unsendable]
    if not running:
        daemon.start()

    def latest() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = cli.json("latest", "--within", "36500d")
        return found

    eventually(lambda: ("level", 4.5) in {(each["series"], each["value"]) for each in latest()})
    eventually(lambda: not cli.json("spool")[0]["points"])


@pytest.mark.parametrize("running", [True, False])
def test_dead_letters_that_can_never_be_sent_stay_and_keep_no_other_back(
    daemon: DaemonProcess, cli: CommandLine, *, running: bool
) -> None:
    """The end is the same with a daemon and without: the good one is stored, the other is there."""
    daemon.plugin("meter", "def run(**_):\n    return {}\n")
    daemon.configure(
        stores={"here": {"type": "embedded"}},
        collectors={"m": {"plugin": "meter", "every": "365d"}},
    )
    cli("once", "m")
    names = {"series": "old", "tags": {}, "measurement": "reading", "field": "value", "unit": "m"}
    good = json.dumps({**names, "time": 1_600_000_000_000_000, "value": 1.0}).encode()
    bury_payloads(daemon, "here", [b"unsendable", good])
    bad_id, good_id = (each["id"] for each in cli.json("dead-letters", "list"))
    if running:
        daemon.start()

    said = cli("dead-letters", "retry", "--store", "here", "--all")
    again = cli("dead-letters", "retry", "--store", "here", str(bad_id), str(good_id))

    assert (said.code, said.out) == (0, "here: 1 reading queued again\n")
    assert (again.code, again.out) == (1, "")
    assert "2 numbers of 2 are no dead letters of this store that can be sent" in again.err
    assert [each["id"] for each in cli.json("dead-letters", "list")] == [bad_id]
    if not running:
        daemon.start()
    (stored,) = eventually(lambda: cli.json("latest", "--within", "36500d"))
    assert (stored["series"], stored["value"]) == ("old", 1)
    daemon.assert_balanced()


@pytest.mark.parametrize("running", [True, False])
def test_dead_letters_of_a_store_whose_type_was_changed_stay(
    daemon: DaemonProcess, cli: CommandLine, *, running: bool
) -> None:
    """They are written as the former type had them, which the new one cannot send."""
    bury(daemon, cli, 2)
    daemon.configure(**{**daemon.config, "stores": {"vm": {"type": "embedded"}}})
    if running:
        daemon.start()

    said = cli("dead-letters", "retry", "--store", "vm", "--all")

    assert (said.code, said.out) == (0, "vm: 0 readings queued again\n")
    assert len(cli.json("dead-letters", "list")) == 2
    purged = cli("dead-letters", "purge", "--store", "vm", "--all")
    assert (purged.code, purged.out) == (0, "vm: 2 readings deleted\n")


def bury_payloads(daemon: DaemonProcess, store: str, payloads: Sequence[bytes]) -> None:
    """Leave dead letters in the files of a daemon that does not run."""
    rows = [(store, 1.7e9, "refused by a former version", payload) for payload in payloads]
    with closing(sqlite3.connect(daemon.state_dir / "state.db")) as db, db:
        db.executemany(
            "INSERT INTO dead_letters (store, at, reason, payload) VALUES (?, ?, ?, ?)", rows
        )


def post(url: str, body: bytes) -> None:
    """Send a body."""
    urllib.request.urlopen(url, data=body).close()
