"""A backfill of a real daemon: killed, stopped, without its store; and what is live beside it.

``INGESTD_TEST_SEED`` repeats a run of these tests, as far as chance can be repeated.
"""

import json
import os
import random
import secrets
import signal
import time
import urllib.request
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support import ondisk
from tests.support.archive import FIRST, PLUGIN, Archive, contents
from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.deadline import WITHIN
from tests.support.proxy import Mode, Proxy
from tests.support.servers import victoria_metrics
from tests.support.source import FIRST as FIRST_LIVE
from tests.support.source import MeterServer, readings

pytestmark = pytest.mark.slow

SEED: Final = int(os.environ.get("INGESTD_TEST_SEED") or secrets.randbelow(1_000_000))
KILLS: Final = 10
# Two spans with a gap between them.
SPANS: Final = [(FIRST, FIRST + 6000), (FIRST + 9000, FIRST + 15_000)]
PAST: Final = {time: each for span in SPANS for time, each in contents(*span).items()}


def configure(
    daemon: DaemonProcess, meters: MeterServer, archive: Archive, *, page: int = 100, **more: Any
) -> None:
    """Have the daemon collect from a meter all the time."""
    daemon.plugin("both", PLUGIN)
    params = {"live": meters.url("live"), "archive": archive.url, "page": page}
    daemon.configure(
        **{"collectors": {"both": {"plugin": "both", "every": "100ms", "params": params}}, **more}
    )


def ask(daemon: DaemonProcess, spans: Any = SPANS, **more: Any) -> dict[str, Any]:
    """Ask for a backfill."""
    return post(daemon, "backfills", collector="both", spans=spans, **more)


def post(daemon: DaemonProcess, path: str, **body: Any) -> dict[str, Any]:
    """Ask the daemon for something."""
    where = f"http://{daemon._listen}/api/v1/{path}"
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(where, json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=WITHIN) as reply:
        answer: dict[str, Any] = json.load(reply)
    return answer


def on_disk(daemon: DaemonProcess) -> tuple[str, float]:
    """Return status and position of the backfill as a killed daemon has left them."""
    with ondisk.copied(daemon.state_dir / "state.db") as db:
        status, record = db.execute("SELECT status, record FROM backfills").fetchone()
    return status, json.loads(record)["position"]


def settled(daemon: DaemonProcess) -> bool:
    """Say whether the backfill is done and nothing waits for the store."""
    return daemon.get("backfills")[0]["status"] == "done" and not ondisk.count(
        daemon.state_dir, "spool"
    )


@pytest.mark.slow(20)
def test_kills_repeat_windows_and_skip_none(
    daemon: DaemonProcess, meters: MeterServer, archive: Archive, tmp_path: Path
) -> None:
    """The store has exactly the source's readings, and the live cursor is where it should be."""
    chance = random.Random(SEED)
    print(f"INGESTD_TEST_SEED={SEED}")  # noqa: T201 -- to repeat what failed
    archive.latency = 0.02
    with (
        victoria_metrics(tmp_path / "vm", "-dedup.minScrapeInterval=1ms") as server,
        Proxy(server.port) as proxy,
    ):
        store = {
            "type": "victoriametrics",
            "url": proxy.url,
            "timeout": "300ms",
            "retry_max": "100ms",
            # So that points stay in memory for as long as is allowed.
            "batch": {"points": 2000, "linger": "1s"},
        }
        configure(daemon, meters, archive, stores={"main": store})
        look, position = ondisk.victoriametrics(server.url), 0.0
        daemon.start()
        ask(daemon, chunk=500)
        for number in range(KILLS):
            if not daemon.alive:
                daemon.start(ready=chance.random() < 0.8)
            meters.head += chance.randrange(20, 60)
            # These sleeps are the test: the instants of the kills are what it varies.
            for _ in range(2):
                proxy.set(chance.choice((Mode.UP, Mode.UP, *Mode)))
                time.sleep(chance.uniform(0, 0.5))
            if chance.random() < 0.2:
                daemon.send(signal.SIGTERM)
                time.sleep(chance.uniform(0, 0.2))
            daemon.kill()
            proxy.set(Mode.UP)
            status, now_at = on_disk(daemon)
            safe = {*look()["past"], *ondisk.waiting(daemon.state_dir, "main")["past"]}
            skipped = {at for at in PAST if at < now_at * 1_000_000} - safe
            print(f"kill {number}: {status} {now_at - FIRST:g}")  # noqa: T201 -- to understand what failed
            assert not skipped, f"at {now_at} without {len(skipped)} readings"
            assert now_at >= position
            position = now_at
        archive.latency = 0
        patient = {"main": {**store, "timeout": "1m"}}  # than which a busy machine is faster
        daemon.configure(**{**daemon.config, "stores": patient})
        daemon.start()
        eventually(lambda: settled(daemon), what="everything read and stored")
        found = daemon.get("backfills")[0]
        eventually(lambda: ondisk.cursors(daemon.state_dir)["both"] == {"last": meters.head})
        daemon.assert_balanced()
        assert daemon.stop() == 0
        stored = look()

    assert stored["past"] == PAST
    assert stored["live"] == {at: [value] for at, value in readings(meters.head).items()}
    assert stored.keys() == {"past", "live"}
    assert (found["done"], found["failures"]) == (1, 0)
    assert len(archive.asked) > len(PAST) / 100  # or nothing was in the way of the kills


def test_live_readings_stay_fresh_beside_a_backfill(
    daemon: DaemonProcess, meters: MeterServer, archive: Archive
) -> None:
    """They are stored while the past comes as fast as it can, and none waits for its end."""
    configure(daemon, meters, archive, page=4000, buffer={"points": 40_000})
    daemon.start()
    asked = ask(daemon, [(FIRST, FIRST + 50_000_000)], chunk=100_000)
    eventually(lambda: daemon.get("backfills")[0]["readings"] > 10_000)

    for _ in range(8):
        meters.head += 10
        newest = FIRST_LIVE + meters.head
        eventually(partial(is_newest, daemon, newest))
    (told,) = daemon.get("status")["backfills"]
    metric = daemon.metrics()['ingestd_backfill_readings_total{collector="both"}']
    cancelled = post(daemon, f"backfills/{asked['id']}/cancel")
    daemon.assert_balanced()

    assert told["status"] == "running"
    assert told["readings"] > 20_000
    assert metric >= told["readings"]
    assert cancelled["status"] == "cancelled"
    assert daemon.stop() == 0
    stored = ondisk.embedded(daemon.state_dir / "readings.db")()
    assert stored["live"].keys() == readings(meters.head).keys()
    assert stored["past"].keys() >= contents(FIRST, int(cancelled["position"])).keys()


def is_newest(daemon: DaemonProcess, at: int) -> bool:
    """Say whether the newest live reading in the store is of that time."""
    return [each["time"] for each in daemon.get("latest?series=live&within=1e9")] == [at]


@pytest.mark.slow(10)  # the store is away for a while
def test_backfill_waits_for_a_store_that_is_away(
    daemon: DaemonProcess, meters: MeterServer, archive: Archive, tmp_path: Path
) -> None:
    """The spool is for what is collected now; the past can be asked for again."""
    archive.latency = 0.01
    with victoria_metrics(tmp_path / "vm") as server, Proxy(server.port) as proxy:
        store = {"type": "victoriametrics", "url": proxy.url, "retry_max": "100ms"}
        configure(daemon, meters, archive, stores={"main": store})
        daemon.start()
        ask(daemon, chunk=1000)
        eventually(lambda: daemon.get("backfills")[0]["position"] > FIRST)
        proxy.set(Mode.REFUSING)
        daemon.wait_for("store unavailable")
        meters.head += 30
        paused = eventually(lambda: is_paused(daemon))
        eventually(lambda: ondisk.waiting(daemon.state_dir, "main")["live"])
        asked = len(archive.asked)
        ticks = meters.asked["live"]  # in so many a backfill that did not wait would read it all
        eventually(lambda: meters.asked["live"] >= ticks + 15)
        still = len(archive.asked)
        proxy.set(Mode.UP)
        eventually(lambda: settled(daemon))
        stored = ondisk.victoriametrics(server.url)()

    assert paused["why"] == "store main is down; it goes on afterwards"
    assert still == asked
    assert stored["past"].keys() == PAST.keys()


def is_paused(daemon: DaemonProcess) -> dict[str, Any] | None:
    """Return the backfill if it waits for its store."""
    found: dict[str, Any] = daemon.get("backfills")[0]
    # Not "is being probed", which it is every now and then.
    return found if found["status"] == "paused" and "down" in found["why"] else None
