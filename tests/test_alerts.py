"""The alert rules that are shipped: Prometheus reads them, and they wait for two minutes at most.

That each fires and names the culprit is in tests/faults/test_broken_sites.py.
"""

import re
import subprocess
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.deadline import WITHIN
from tests.support.servers import program

ROOT: Final = Path(__file__).parents[1]
RULES: Final = ROOT / "conf" / "prometheus" / "ingestd.rules.yaml"
GRAFANA: Final = ROOT / "conf" / "grafana" / "alerting" / "ingestd.yaml"
PAGE: Final = ROOT / "docs" / "metrics.md"
LONGEST_FOR: Final = 120  # seconds

GOOD: Final = "def run(**_): return {'readings': [(None, 'good', 1.0)]}"


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
    with urllib.request.urlopen(f"http://{daemon.listen}/metrics", timeout=WITHIN) as reply:
        text: str = reply.read().decode()
    return text


def states(daemon: DaemonProcess) -> dict[str, str]:
    """Return the state of every collector."""
    return {each["name"]: each["state"] for each in daemon.get("collectors")}


@pytest.mark.slow
def test_nothing_fires_while_all_is_well(daemon: DaemonProcess, tmp_path: Path) -> None:
    """An alert that cries for nothing is switched off, and then it is of no use."""
    daemon.plugin("good", GOOD)
    daemon.configure(collectors={"good": {"plugin": "good", "every": "1s"}})
    daemon.start()
    eventually(lambda: states(daemon)["good"] == "fresh")
    scraped = scrape(daemon)

    with pytest.raises(AssertionError, match="got"):
        firing(tmp_path, scraped, [{}])


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
