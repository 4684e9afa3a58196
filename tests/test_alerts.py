"""Every way to break a site makes an alert fire within two minutes, and names the culprit."""

import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.jsonserver import answer_with, serving
from tests.support.ports import free_port
from tests.support.servers import mosquitto, program, prometheus

ROOT: Final = Path(__file__).parents[1]
RULES: Final = ROOT / "conf" / "prometheus" / "ingestd.rules.yaml"
GRAFANA: Final = ROOT / "conf" / "grafana" / "alerting" / "ingestd.yaml"
PAGE: Final = ROOT / "docs" / "metrics.md"
LONGEST_FOR: Final = 120  # seconds
# The silence of a stream is noticed after a minute, and `late` takes two ticks and 30 s.
UNTIL_NOTICED: Final = 100.0

PLUGINS: Final = {
    "raises": "def run(**_): raise OSError('the meter said no')",
    "hangs": """
        import time
        def run(**_): time.sleep(1000)
        """,
    "unusable": "def run(**_): return {'readings': [(None, 'x', 'n/a'), (None, 'y', 'n/a')]}",
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
}


def rules() -> list[dict[str, Any]]:
    """Return the rules for Prometheus."""
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def promtool(*args: str) -> str:
    """Run promtool; return what it says."""
    done = subprocess.run(
        [program("promtool", "prometheus"), *args], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def firing(folder: Path, scraped: str, wanted: list[Mapping[str, str]]) -> None:
    """Ask promtool whether alerts fire two minutes after a site is as it was recorded.

    Args:
        folder: Where to write the test.
        scraped: What ``/metrics`` answered.
        wanted: Labels of an alert that fires; an empty text means that there is none such.
    """
    series = []
    for line in scraped.splitlines():
        name, _, value = line.rpartition(" ")
        if line.startswith("ingestd_"):
            labels = name.partition("{")[2].removesuffix("}")
            target = ",".join(filter(None, [labels, 'job="ingestd"', 'instance="here"']))
            short = name.partition("{")[0]
            series.append({"series": f"{short}{{{target}}}", "values": f"{float(value):f}x12"})
    series.append({"series": 'up{job="ingestd",instance="here"}', "values": "1x12"})
    tests = [
        {
            "expr": f"count(ALERTS{{{_selector(labels)}}})",
            "eval_time": "2m",
            "exp_samples": [{"labels": "{}", "value": 1}],
        }
        for labels in wanted
    ]
    path = folder / "test.yaml"
    text = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "15s",
        "tests": [{"interval": "15s", "input_series": series, "promql_expr_test": tests}],
    }
    path.write_text(yaml.safe_dump(text))
    promtool("test", "rules", str(path))


def _selector(labels: Mapping[str, str]) -> str:
    return ",".join(
        f'{name}="{value}"' for name, value in {**labels, "alertstate": "firing"}.items()
    )


def scrape(daemon: DaemonProcess) -> str:
    """Return what a daemon's ``/metrics`` answers."""
    with urllib.request.urlopen(f"http://{daemon.listen}/metrics", timeout=10) as reply:
        text: str = reply.read().decode()
    return text


def states(daemon: DaemonProcess) -> dict[str, str]:
    """Return the state of every collector."""
    return {each["name"]: each["state"] for each in daemon.get("collectors")}


class Meters(BaseHTTPRequestHandler):
    """Answers with the readings of a meter."""

    def do_GET(self) -> None:
        """Answer."""
        answer_with(self, {"meters": [{"id": "m1", "kwh": 17.5}]})

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@contextmanager
def sources(folder: Path) -> Iterator[dict[str, Any]]:
    """Give collectors of a broker that is dead, of a mistyped topic, and of a wrong path."""
    with ExitStack() as stack:
        alive = stack.enter_context(mosquitto(folder / "alive"))
        dying = stack.enter_context(mosquitto(folder / "dying"))
        server = ThreadingHTTPServer(("127.0.0.1", 0), Meters)
        stack.enter_context(serving(server))
        web = f"http://127.0.0.1:{server.server_port}"
        path = {"url": web, "records": "metres", "series": "{id}", "value": "kwh"}
        yield {
            "dying": dying,
            "broker": {"plugin": "mqtt", "params": {"url": dying.url, "topics": ["m/#"]}},
            "topic": {"plugin": "mqtt", "params": {"url": alive.url, "topics": ["mistypd/#"]}},
            "path": {"plugin": "http_json", "every": "1s", "params": path},
        }


@pytest.mark.slow  # it waits until a stream that gives nothing is noticed
def test_collectors_in_trouble_are_named(daemon: DaemonProcess, tmp_path: Path) -> None:
    """Nine ways in which collectors and their sources break, each recorded from a real daemon."""
    for name in ("raises", "hangs", "unusable", "many", "blocks", "good"):
        daemon.plugin(name, PLUGINS[name])
    every: dict[str, Any] = {name: {"plugin": name, "every": "1s"} for name in PLUGINS}
    every["many"]["cadence"] = "2s"
    del every["keeps"]
    with sources(tmp_path / "sources") as found:
        dying = found.pop("dying")
        daemon.configure(collectors={**every, **found})
        daemon.start()
        daemon.wait_for("event loop was held up")
        dying.kill()
        wanted = {
            "raises": "backing_off",
            "unusable": "backing_off",
            "hangs": "never",
            "many": "late",
            "blocks": "blocked",
            "topic": "never",
            "good": "fresh",
        }
        eventually(lambda: states(daemon).items() >= wanted.items(), within=UNTIL_NOTICED)
        scraped, status = scrape(daemon), daemon.get("status")
    troubled = {name: state for name, state in states(daemon).items() if state != "fresh"}

    assert set(troubled) == {*wanted, "broker", "path"} - {"good"}
    assert status["summary"].startswith("8 of 9 collectors need attention: blocks has held up")
    firing(
        tmp_path,
        scraped,
        [
            {"alertname": "IngestdCollectorFailing", "collector": "raises"},
            {"alertname": "IngestdCollectorFailing", "collector": "unusable"},
            {"alertname": "IngestdCollectorGivesNothing", "collector": "hangs"},
            {"alertname": "IngestdCollectorLate", "collector": "many"},
            {"alertname": "IngestdSeriesLate", "collector": "many", "series": "hall"},
            {"alertname": "IngestdCollectorBlocks", "collector": "blocks"},
            {"alertname": "IngestdCollectorGivesNothing", "collector": "topic"},
            {"collector": "broker"},
            {"collector": "path"},
        ],
    )


@pytest.mark.slow
@pytest.mark.parametrize(("status", "alert"), [(0, "IngestdStoreDown"), (503, "IngestdStoreDown")])
def test_a_store_that_takes_nothing_is_named(
    daemon: DaemonProcess, tmp_path: Path, status: int, alert: str
) -> None:
    """Whether it does not answer or says no; a spool that is full for that has an alert, too."""

    class Refusing(Meters):
        def do_POST(self) -> None:
            self.send_response(status)
            self.end_headers()

    with ExitStack() as stack:
        port = free_port()
        if status:
            server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
            stack.enter_context(serving(server))
            port = server.server_port
        daemon.plugin("keeps", PLUGINS["keeps"])
        url = f"http://127.0.0.1:{port}"
        daemon.configure(
            stores={"main": {"type": "victoriametrics", "url": url, "gzip": False}},
            buffer={"spool": "1MiB"},
            collectors={"keeps": {"plugin": "keeps"}},
        )
        daemon.start()
        eventually(lambda: states(daemon)["keeps"] == "paused", within=60)
        scraped, summary = scrape(daemon), daemon.get("status")["summary"]

    assert summary.startswith("1 of 1 store and 1 of 1 collector need attention: store main has")
    firing(
        tmp_path,
        scraped,
        [
            {"alertname": alert, "store": "main"},
            {"alertname": "IngestdSpoolFull", "store": "main"},
            {"alertname": "IngestdCollectorPaused", "collector": "keeps"},
        ],
    )


@pytest.mark.slow
def test_a_refused_configuration_is_noticed(daemon: DaemonProcess, tmp_path: Path) -> None:
    """The running one stays, and the alert says that there is another on disk."""
    daemon.configure()
    daemon.start()
    daemon.configure(collectors={"m": {"plugin": "good", "evry": "1s"}})
    with pytest.raises(urllib.error.HTTPError):
        daemon.post("reload", {})

    assert "the configuration on disk is not in use" in daemon.get("status")["summary"]
    firing(tmp_path, scrape(daemon), [{"alertname": "IngestdConfigRefused"}])


@pytest.mark.slow
def test_nothing_fires_while_all_is_well(daemon: DaemonProcess, tmp_path: Path) -> None:
    """An alert that cries for nothing is switched off, and then it is of no use."""
    daemon.plugin("good", PLUGINS["good"])
    daemon.configure(collectors={"good": {"plugin": "good", "every": "1s"}})
    daemon.start()
    eventually(lambda: states(daemon)["good"] == "fresh")
    scraped = scrape(daemon)

    with pytest.raises(AssertionError, match="got"):
        firing(tmp_path, scraped, [{}])


@pytest.mark.slow
def test_a_real_prometheus_fires_and_names_the_culprit(
    daemon: DaemonProcess, tmp_path: Path
) -> None:
    """It scrapes and judges every second, with the rules' patience left out."""
    daemon.plugin("raises", PLUGINS["raises"])
    daemon.configure(collectors={"broken-meter": {"plugin": "raises", "every": "1s"}})
    daemon.start()
    hasty = re.sub(r"(for|interval): \d+[sm]", r"\1: 1s", RULES.read_text())

    with prometheus(tmp_path / "prometheus", target=daemon.listen, rules=hasty) as server:

        def fired() -> dict[str, str]:
            with urllib.request.urlopen(f"{server.url}/api/v1/alerts", timeout=10) as reply:
                found = json.load(reply)["data"]["alerts"]
            return {
                each["labels"]["alertname"]: each["annotations"]["summary"]
                for each in found
                if each["state"] == "firing"
            }

        alerts = eventually(lambda: "IngestdCollectorFailing" in fired() and fired(), within=30)
        daemon.kill()
        eventually(lambda: "IngestdDown" in fired(), within=30)

    assert alerts == {"IngestdCollectorFailing": "broken-meter fails"}


def test_promtool_accepts_the_rules() -> None:
    """They are what Prometheus reads."""
    assert "SUCCESS" in promtool("check", "rules", str(RULES))


def test_rules_fire_within_two_minutes() -> None:
    """None waits longer, and each names what is wrong and where to look."""
    for rule in rules():
        assert _seconds(rule.get("for", "0s")) <= LONGEST_FOR, rule["alert"]
        assert rule["annotations"]["summary"], rule["alert"]
        assert rule["annotations"]["description"], rule["alert"]


def test_rules_ask_for_metrics_that_exist() -> None:
    """Each is on the page that lists what is served."""
    listed = set(re.findall(r"^\| `(\w+)[`{]", PAGE.read_text(), re.MULTILINE))
    asked = {name for rule in rules() for name in re.findall(r"ingestd_\w+", rule["expr"])}

    assert asked <= listed


def test_grafana_has_the_same_rules() -> None:
    """Whoever uses Grafana's own alerting is told the same."""
    (group,) = yaml.safe_load(GRAFANA.read_text())["groups"]
    theirs = [
        (each["title"], each["data"][0]["model"]["expr"], each["for"], each["labels"])
        for each in group["rules"]
    ]

    assert theirs == [
        (each["alert"], each["expr"], each.get("for", "0s"), each["labels"]) for each in rules()
    ]


def _seconds(duration: str) -> int:
    return int(duration[:-1]) * {"s": 1, "m": 60}[duration[-1]]
