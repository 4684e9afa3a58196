"""The commonest mistakes of a first day: ``ingestd status`` alone names each, and what to mend.

One daemon makes all of them at once; what is waited for are the sentences.
"""

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.cli import CommandLine
from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.jsonserver import answer_with, serving
from tests.support.ports import free_port
from tests.support.servers import influxd, mosquitto, victoria_metrics

pytestmark = pytest.mark.slow

# A stream is given 60 s for its first reading; what takes longest to be noticed takes that.
PATIENCE: Final = 150.0  # seconds
GOOD: Final = "def run(**_): return {'readings': [(None, 'good', 1)]}"
PLUGINS: Final = {
    "good": GOOD,
    "syntax": "def run(**_)\n    return {}",
    "raises": "def run(**_): raise KeyError('temperature')",
    "millis": "import time\ndef run(**_): return {'readings': [(time.time() * 1000, 'm', 1)]}",
    "naive": "from datetime import datetime\n"
    "def run(**_): return {'readings': [(datetime.now(), 'n', 1)]}",
    "blocks": "import time\nasync def run(**_):\n    time.sleep(2)\n"
    "    return {'readings': [(None, 'b', 1)]}",
    "hall": "def run(*, n=0, **_):\n"
    "    return {'readings': [(None, f'hall_{i}', i) for i in range(8) if i != 5 or n < 2],"
    " 'n': n + 1}",
}
# The beginning of a line, and a part of it that says what to mend.
SAID: Final = {
    "store wrong-port has taken nothing": "127.0.0.1:",
    "store wrong-path has taken nothing": "404",
    "store influxdb-2-of-1 has taken nothing": "404",
    "store missing-database has taken nothing": "nosuchdb",
    "store victoriametrics-of-influxdb has taken nothing": "InfluxDB",
    "store wrong-path-of-victoriametrics has taken nothing": "/wrong",
    "topic has given nothing yet": "messages of metres/+/power",
    "port has failed": "cannot connect",
    "user has failed": "no user: Not authorized",
    "path has given nothing yet": "value: missing in all of 1 records",
    "syntax has failed": "syntax.py:1",
    "raises has failed": "KeyError: 'temperature'",
    "millis has failed": "milliseconds",
    "naive has failed": "timezone:",
    "misspelt has failed": "did you mean 'good'?",
    "unscheduled has failed": "neither every: nor cron:",
    "hall gets nothing from hall_5": "every 1s",
}


class Answers(BaseHTTPRequestHandler):
    """Answers with one document."""

    def do_GET(self) -> None:
        """Answer any path."""
        answer_with(self, {"data": {"temp": 20.5}})

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def urls(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Give the addresses of real servers, and of a port at which none listens."""
    web = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    closed = "allow_anonymous false\npassword_file "
    (tmp_path / "passwords").write_text("")
    with ExitStack() as stack:
        stack.enter_context(serving(web))
        yield {
            "web": f"http://127.0.0.1:{web.server_address[1]}",
            "influx": stack.enter_context(influxd(tmp_path / "influx")).url,
            "victoria": stack.enter_context(victoria_metrics(tmp_path / "victoria")).url,
            "mqtt": stack.enter_context(mosquitto(tmp_path / "mqtt")).url,
            "closed": stack.enter_context(
                mosquitto(tmp_path / "closed", config=f"{closed}{tmp_path / 'passwords'}")
            ).url,
            "none": f"127.0.0.1:{free_port()}",
        }


def stores(urls: dict[str, str]) -> dict[str, Any]:
    """Return a good store and many bad ones."""
    one = {"type": "influxdb", "version": 1, "database": "energy", "url": urls["influx"]}
    return {
        "good": one | {"create": True},
        "wrong-port": one | {"url": f"http://{urls['none']}"},
        "wrong-path": one | {"url": f"{urls['influx']}/influx"},
        "missing-database": one | {"database": "nosuchdb"},
        "influxdb-2-of-1": {
            "type": "influxdb", "org": "o", "bucket": "b", "token": "t0ken", "url": urls["influx"],
        },
        "victoriametrics-of-influxdb": {"type": "victoriametrics", "url": urls["influx"]},
        "wrong-path-of-victoriametrics": {
            "type": "victoriametrics", "url": f"{urls['victoria']}/wrong",
        },
    }  # fmt: skip


def collectors(urls: dict[str, str]) -> dict[str, Any]:
    """Return a good collector and many bad ones."""

    def mqtt(url: str) -> dict[str, Any]:
        return {"plugin": "mqtt", "params": {"url": url, "topics": ["metres/+/power"]}}

    ours = {name: {"plugin": name, "every": "1s"} for name in PLUGINS}
    path = {"url": urls["web"], "value": "data.tmp", "series": "t"}
    return {
        **ours,
        "hall": ours["hall"] | {"cadence": "1s"},
        "topic": mqtt(urls["mqtt"]),
        "port": mqtt(f"mqtt://{urls['none']}"),
        "user": mqtt(urls["closed"]),
        "path": {"plugin": "http_json", "every": "1s", "params": path},
        "misspelt": {"plugin": "goood", "every": "1s"},
        "unscheduled": {"plugin": "good"},
        "off": {"plugin": "good", "every": "1s", "enabled": False},
        "seldom": {"plugin": "good", "cron": "0 0 1 1 *"},
        "option": ours["hall"] | {"params": {"nn": 1}},
    }


@pytest.mark.slow(60)
def test_status_names_each_mistake(
    daemon: DaemonProcess, urls: dict[str, str], cli: CommandLine
) -> None:
    """Each has a line with its culprit and what to mend, and so has what only never comes."""
    for name, text in PLUGINS.items():
        daemon.plugin(name, text)
    good = {"stores": stores(urls), "collectors": collectors(urls)}
    daemon.configure(**good)
    daemon.start()

    def unsaid() -> list[str]:
        lines = cli.json("status")["problems"]
        return [
            start
            for start, mend in SAID.items()
            if not any(line.startswith(start) and mend in line for line in lines)
        ]

    seen: list[str] = []

    def all_said() -> bool:
        seen[:] = unsaid()
        return not seen

    try:
        eventually(all_said, within=PATIENCE)
    except pytest.fail.Exception:
        pytest.fail(f"status does not say {seen}:\n{cli('status').out}")
    status = cli("status").out
    assert "disabled    off\n" in status
    assert "collectors.option.params: 'nn' is not declared by 'hall'; known here: n" in status
    assert "seldom is first due in " in status
    assert "blocks has held up the event loop at" in status

    daemon.configure(**good, collector={})
    daemon.send(signal.SIGHUP)
    daemon.wait_for("config refused, the running one stays")

    first = cli.json("status")["problems"][0]
    assert first.startswith("the configuration on disk is not in use: ")
    assert "did you mean collectors?" in first
