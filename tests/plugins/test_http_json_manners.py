"""Sources that want to be left alone, asked by a real daemon that is killed and by commands."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.support.cli import CommandLine
from tests.support.daemonprocess import DaemonProcess
from tests.support.jsonserver import answer_with
from tests.support.jsonserver import serving as in_a_thread

pytestmark = pytest.mark.slow  # a daemon starts and stops


@contextmanager
def source(retry_after: str) -> Iterator[tuple[str, list[str]]]:
    """Run a server that answers 429 if it is to say when to come back; give what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if not retry_after:
                answer_with(self, {"v": len(asked)})
                return
            self.send_response(429)
            self.send_header("Retry-After", retry_after)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with in_a_thread(server):
        yield f"http://127.0.0.1:{server.server_address[1]}/", asked


def collectors(url: str, **http: Any) -> dict[str, Any]:
    """Return two collectors that ask one server, one often and one by hand."""
    params = {"url": url, "values": {"level": "v"}}
    common = {"plugin": "http_json", "params": params, "http": http}
    return {"often": {**common, "every": "100ms"}, "rarely": {**common, "cron": "0 0 1 1 *"}}


def test_pause_holds_over_kills_and_for_commands(daemon: DaemonProcess, cli: CommandLine) -> None:
    """The server is asked once, and not again before the hour is over."""
    with source("3600") as (url, asked):
        daemon.configure(collectors=collectors(url))
        daemon.start()
        daemon.wait_for("run failed", collector="often")
        daemon.kill()
        daemon.start()
        daemon.wait_for("run failed", collector="often")
        record = daemon.newest_run("often")
        assert daemon.stop() == 0

        assert "asked to be left alone until" in record["error"]
        said = cli("once", "rarely")
        assert (said.code, "asked to be left alone" in said.err + said.out) == (1, True)
        assert "asked to be left alone" in str(cli("once", "rarely", "--dry-run"))
        assert len(asked) == 1


def test_quota_holds_over_kills(daemon: DaemonProcess) -> None:
    """A quota of three a day is three, however often the daemon starts."""
    with source("") as (url, asked):
        daemon.configure(collectors=collectors(url, quota="3 per day"))
        daemon.start()
        daemon.wait_for("run failed", collector="often")
        daemon.kill()
        daemon.start()
        daemon.wait_for("run failed", collector="often")

        assert "http.quota: 3 per day are spent until" in daemon.newest_run("often")["error"]
        assert daemon.stop() == 0
        assert len(asked) == 3
