"""Meters that a real Prometheus reads and sends on by remote write, and what it has itself."""

import json
import sqlite3
import threading
import urllib.parse
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from tests.support.deadline import WITHIN
from tests.support.jsonserver import serving
from tests.support.servers import RealServer, prometheus_with

METERS: Final = 5
# Name and labels -> Unix milliseconds -> value.
Samples = dict[tuple[tuple[str, str], ...], dict[int, float]]


class Meters(ThreadingHTTPServer):
    """Shows meters that count how often they are read, and one whose value is not a number.

    Attributes:
        address: Its ``host:port``.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server_port}"
        self._count, self._lock = 0, threading.Lock()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing when Prometheus waits no longer."""

    def shown(self) -> str:
        """Count on, and return the metrics."""
        with self._lock:
            self._count += 1
            count = self._count
        meters = (f'energy_joules_total{{meter="{n}"}} {count + n / 4}\n' for n in range(METERS))
        return "".join(meters) + "broken_celsius NaN\n"


class Handler(BaseHTTPRequestHandler):
    """Answers with the metrics."""

    server: Meters

    def do_GET(self) -> None:
        """Answer in the text format of Prometheus."""
        body = self.server.shown().encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


@contextmanager
def meters() -> Iterator[Meters]:
    """Show meters until the context ends."""
    with Meters() as server, serving(server):
        yield server


def writing_prometheus(folder: Path, *, target: str, to: str, key: str) -> RealServer:
    """Return a Prometheus that reads a target ten times a second, not started.

    It keeps to one connection: where it changes their number, it gives what waits in the former
    ones a minute, and throws the rest away.

    Args:
        folder: An empty folder.
        target: The ``host:port`` to scrape, as the job ``meters``.
        to: Where it sends what it has read.
        key: What opens that.
    """
    return prometheus_with(
        folder,
        f"""
global: {{scrape_interval: 100ms, scrape_timeout: 100ms, external_labels: {{site: library}}}}
scrape_configs:
  - job_name: meters
    static_configs: [{{targets: ["{target}"]}}]
remote_write:
  - url: {to}
    authorization: {{credentials: "{key}"}}
    metadata_config: {{send_interval: 1s}}
    queue_config:
      max_shards: 1
      min_backoff: 30ms
      max_backoff: 100ms
      batch_send_deadline: 50ms
      max_samples_per_send: 40
""",
    )


def samples_of(server: RealServer) -> Samples:
    """Return the samples of meters that a Prometheus has, with the labels that it sends."""
    query = urllib.parse.urlencode({"query": '{job="meters"}[1h]'})
    with urllib.request.urlopen(f"{server.url}/api/v1/query?{query}", timeout=WITHIN) as reply:
        result = json.load(reply)["data"]["result"]
    return {
        tuple(sorted({**each["metric"], "site": "library"}.items())): {
            round(time * 1000): float(text) for time, text in each["values"] if text != "NaN"
        }
        for each in result
    }


def samples_in(database: Path) -> Samples:
    """Return the samples of meters in the embedded store of a daemon that runs, or does not."""
    found: Samples = defaultdict(dict)
    if not database.exists():
        return found
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'points'").fetchone():
            return found
        rows = db.execute("SELECT series, tags, time_us, value FROM points").fetchall()
    for series, tags, time_us, value in rows:
        labels = tuple(sorted({**json.loads(tags), "__name__": series}.items()))
        assert time_us % 1000 == 0
        found[labels][time_us // 1000] = value
    return found
