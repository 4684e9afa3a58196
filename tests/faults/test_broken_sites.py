"""Ways to break a site: a real Prometheus with the shipped rules fires, and names the culprit.

It scrapes and judges every second, with the patience of the rules left out; that no rule
waits for more than two minutes is in tests/test_alerts.py.
"""

import json
import re
import resource
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import pytest
import yaml

from tests.support import ondisk
from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.deadline import WITHIN
from tests.support.jsonserver import answer_with, serving
from tests.support.ports import free_port
from tests.support.servers import RealServer, influxd, mosquitto, prometheus

# Each waits until a real Prometheus has scraped, judged and fired.
pytestmark = pytest.mark.slow

ROOT: Final = Path(__file__).parents[2]
RULES: Final = ROOT / "conf" / "prometheus" / "ingestd.rules.yaml"
PAGE: Final = ROOT / "docs" / "metrics.md"
# The silence of a stream is noticed after a minute, and `late` takes two ticks and 30 s.
UNTIL_NOTICED: Final = 90.0 + WITHIN

# What breaks, the alert that fires, the label that names the culprit, and the one here.
Way = tuple[str, str, str, str]
COLLECTORS: Final[tuple[Way, ...]] = (
    ("a plugin raises", "IngestdCollectorFailing", "collector", "raises"),
    ("no reading can be stored", "IngestdCollectorFailing", "collector", "unusable"),
    ("a path in an answer is mistyped", "IngestdCollectorFailing", "collector", "path"),
    ("a run does not end", "IngestdCollectorGivesNothing", "collector", "hangs"),
    ("a topic is mistyped", "IngestdCollectorGivesNothing", "collector", "topic"),
    ("a broker is gone", "IngestdCollectorDisconnected", "collector", "broker"),
    ("a source gives only a part", "IngestdCollectorDegraded", "collector", "partly"),
    ("a source gives nothing any more", "IngestdCollectorLate", "collector", "ceases"),
    ("one sensor of many is dead", "IngestdSeriesLate", "series", "hall"),
    ("a plugin blocks the event loop", "IngestdCollectorBlocks", "collector", "blocks"),
)
SITE: Final[tuple[Way, ...]] = (
    ("a store is away", "IngestdStoreDown", "store", "away"),
    ("a store answers with errors", "IngestdStoreDown", "store", "failing"),
    ("a store refuses some readings", "IngestdReadingsRefused", "store", "choosy"),
    ("a spool fills", "IngestdSpoolFilling", "store", "away"),
    ("a spool is full", "IngestdSpoolFull", "store", "away"),
    ("readings find no room", "IngestdReadingsDropped", "store", "away"),
    ("readings wait for room", "IngestdCollectorPaused", "collector", "keeps"),
)
DISK: Final[Way] = ("a disk takes no writes", "IngestdSpoolFailed", "store", "away")
CONFIG: Final[Way] = ("an edit is wrong", "IngestdConfigRefused", "job", "ingestd")
END: Final[Way] = ("the daemon is gone", "IngestdDown", "job", "ingestd")
WAYS: Final = (*COLLECTORS, *SITE, DISK, CONFIG, END)

PLUGINS: Final = {
    "raises": "def run(**_): raise OSError('the meter said no')",
    "unusable": "def run(**_): return {'readings': [(None, 'x', 'n/a'), (None, 'y', 'n/a')]}",
    "hangs": """
        import time
        def run(**_): time.sleep(1000)
        """,
    "partly": """
        def run(**_):
            return {"readings": [(None, "partly", 1)], "script_error": "meter 7 is silent"}
        """,
    "ceases": """
        def run(*, n=0, **_):
            return {"readings": [(None, "ceases", n)] if n < 3 else [], "n": n + 1}
        """,
    "many": """
        def run(*, n=0, **_):
            names = ["attic", "cellar", "hall"] if n < 3 else ["attic", "cellar"]
            return {"readings": [(None, name, n) for name in names], "n": n + 1}
        """,
    "blocks": """
        import time
        async def run(*, n=0, **_):
            time.sleep(0 if n else 3)
            return {"readings": [(None, "blocks", 1)], "n": n + 1}
        """,
    "good": "def run(**_): return {'readings': [(None, 'good', 1.0)]}",
    "keeps": """
        import asyncio, time
        async def run(*, n=0, **_):
            n = n or time.time() - 86_400
            while True:
                n += 1
                yield {"readings": [(n + i / 1000, "kept", i) for i in range(1000)], "n": n}
                await asyncio.sleep(0.01)
        """,
    "old": "def run(**_): return {'readings': [(1577836800, 'old', 1)]}",
    "gushes": """
        import random
        async def run(**_):
            return {"readings": [(None, f"gush_{i}", random.random()) for i in range(1000)]}
        """,
}


class Answers(BaseHTTPRequestHandler):
    """Answers with the readings of a meter."""

    def do_GET(self) -> None:
        """Answer."""
        answer_with(self, {"meters": [{"id": "m1", "kwh": 17.5}]})

    def log_message(self, *_: object) -> None:
        """Print nothing."""


class Failing(Answers):
    """Takes nothing."""

    def do_POST(self) -> None:
        """Fail."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_error(503)


@contextmanager
def web(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Give the address of a server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def site(daemon: DaemonProcess) -> DaemonProcess:
    """Give a daemon with all the plugins, not started."""
    for name, text in PLUGINS.items():
        daemon.plugin(name, text)
    return daemon


@contextmanager
def watched(daemon: DaemonProcess, folder: Path) -> Iterator[RealServer]:
    """Have a Prometheus look after the daemon."""
    hasty = re.sub(r"(for|interval): \d+[sm]", r"\1: 1s", RULES.read_text())
    with prometheus(folder, target=daemon.listen, rules=hasty) as server:
        yield server


def firing(server: RealServer) -> list[Mapping[str, str]]:
    """Return the labels of the alerts that fire."""
    with urllib.request.urlopen(f"{server.url}/api/v1/alerts", timeout=WITHIN) as reply:
        alerts = json.load(reply)["data"]["alerts"]
    return [each["labels"] for each in alerts if each["state"] == "firing"]


def await_alerts(server: RealServer, ways: tuple[Way, ...]) -> None:
    """Return once all alerts of some ways have fired with their culprits."""
    missing = list(ways)

    def all_fired() -> bool:
        labels = firing(server)
        missing[:] = [way for way in missing if not any(names(each, way) for each in labels)]
        return not missing

    try:
        eventually(all_fired, within=UNTIL_NOTICED)
    except pytest.fail.Exception:
        pytest.fail(f"never fired: {missing}; those that fire: {firing(server)}")


def names(labels: Mapping[str, str], way: Way) -> bool:
    """Whether an alert is that of a way, and names its culprit."""
    _, alert, label, culprit = way
    return (labels["alertname"], labels.get(label)) == (alert, culprit)


def to(url: str) -> dict[str, Any]:
    """Return a store at an address."""
    return {"type": "victoriametrics", "url": url, "gzip": False}


@pytest.mark.slow(60)  # silence has to last for a while before it is one
def test_collectors_in_trouble_are_named(site: DaemonProcess, tmp_path: Path) -> None:
    """One daemon has all of them at once, and a collector that is well, which no alert names."""
    every: dict[str, Any] = {name: {"plugin": name, "every": "1s"} for name in PLUGINS}
    del every["keeps"], every["gushes"], every["old"]
    for name in ("many", "ceases"):
        every[name]["cadence"] = "1s"
    with ExitStack() as stack:
        alive = stack.enter_context(mosquitto(tmp_path / "alive"))
        dying = stack.enter_context(mosquitto(tmp_path / "dying"))
        url = stack.enter_context(web(Answers))
        path = {"url": url, "records": "metres", "series": "{id}", "value": "kwh"}
        site.configure(
            collectors={
                **every,
                "broker": {"plugin": "mqtt", "params": {"url": dying.url, "topics": ["m/#"]}},
                "topic": {"plugin": "mqtt", "params": {"url": alive.url, "topics": ["mistypd/#"]}},
                "path": {"plugin": "http_json", "every": "1s", "params": path},
            }
        )
        site.start()
        server = stack.enter_context(watched(site, tmp_path / "prometheus"))
        eventually(lambda: "broker" in ondisk.cursors(site.state_dir), what="a connection")
        dying.kill()

        await_alerts(server, COLLECTORS)
        named = {each["collector"] for each in firing(server)}
        summary = site.get("status")["summary"]

    # The state `blocked` may be over by the time at which the last alert fires, or not yet.
    expected = {*every, "broker", "topic", "path"} - {"good"}
    assert expected - {"blocks"} <= named <= expected
    assert re.match(r"(9|10) of 11 collectors need attention: ", summary)


@pytest.mark.slow(15)  # a spool fills, and the alerts have to fire
def test_stores_and_their_spools_are_named(site: DaemonProcess, tmp_path: Path) -> None:
    """Stores that are away, fail and are choosy; then a wrong edit, and the end of the daemon."""
    with influxd(tmp_path / "choosy") as choosy, web(Failing) as failing:
        query = urlencode({"q": "CREATE DATABASE energy WITH DURATION 30d"}).encode()
        urllib.request.urlopen(f"{choosy.url}/query", data=query, timeout=WITHIN).close()
        energy = {"type": "influxdb", "version": 1, "database": "energy", "url": choosy.url}
        stores = {
            "choosy": energy,
            "failing": to(failing),
            "away": to(f"http://127.0.0.1:{free_port()}"),
        }
        collectors = {
            "keeps": {"plugin": "keeps"},
            "gushes": {"plugin": "gushes", "every": "500ms"},
            "old": {"plugin": "old", "every": "5s"},
        }
        site.configure(stores=stores, buffer={"spool": "1MiB"}, collectors=collectors)
        site.start()
        with watched(site, tmp_path / "prometheus") as server:
            await_alerts(server, SITE)
            assert "stores" in site.get("status")["summary"].partition(" need attention: ")[0]

            site.configure(stores=stores, collectors={"keeps": {"plugin": "keeps", "evry": "1s"}})
            with pytest.raises(urllib.error.HTTPError):
                site.post("reload", {})
            await_alerts(server, (CONFIG,))
            assert "the configuration on disk is not in use" in site.get("status")["summary"]

            site.kill()
            await_alerts(server, (END,))


@pytest.mark.slow(15)  # the same
def test_a_disk_that_takes_no_writes_is_named(site: DaemonProcess, tmp_path: Path) -> None:
    """The kernel refuses each write of the daemon to a file; that the disk is full is not said."""
    site.configure(
        stores={"away": to(f"http://127.0.0.1:{free_port()}")},
        collectors={"keeps": {"plugin": "keeps"}},
    )
    site.start()
    with watched(site, tmp_path / "prometheus") as server:
        eventually(lambda: site.store("away")["spool"]["points"])
        _, most = resource.prlimit(site.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(site.pid, resource.RLIMIT_FSIZE, (0, most))

        await_alerts(server, (DISK,))
        assert "cannot be written: " in site.get("status")["summary"]
        assert not any(each["alertname"] == "IngestdSpoolFull" for each in firing(server))

        resource.prlimit(site.pid, resource.RLIMIT_FSIZE, (most, most))
        site.wait_for("spool has room again")


def test_the_docs_list_every_way() -> None:
    """The table there is the one here."""
    rows = re.findall(r"^\| ([^|]+) \| `(\w+)` \| `(\w+)` \|$", PAGE.read_text(), re.MULTILINE)

    assert rows == [(what, alert, label) for what, alert, label, _ in WAYS]


def test_every_rule_fires_in_one_of_them() -> None:
    """No alert is shipped that has not been seen to fire."""
    (group,) = yaml.safe_load(RULES.read_text())["groups"]

    assert {rule["alert"] for rule in group["rules"]} == {alert for _, alert, _, _ in WAYS}
