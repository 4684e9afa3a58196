"""Prometheus remote write, by one sender into http_push and into VictoriaMetrics' own endpoint."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

import aiohttp

from bench import daemon
from bench.daemon import cpu_seconds
from bench.figures import Pace, Row, Scale, middle, pace, spread
from bench.throughput import Target, check, null_target, points_in
from tests.support.ports import free_port
from tests.support.servers import victoria_metrics
from tests.support.wire import field, sample, snappy

SERIES: Final = 2000  # also how many samples a request has, as Prometheus sends them
CONNECTIONS: Final = 4
FIRST_MS: Final = 1_767_225_600_000
SCRAPE_MS: Final = 15_000
HEADERS: Final = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}
PATH: Final = "/api/v1/write"


# -- the sender


def labels(number: int) -> bytes:
    """Return the labels of a series, as many and as long as those of an exporter."""
    told = {
        "__name__": "node_cpu_seconds_total",
        "cluster": "campus",
        "cpu": str(number % 16),
        "instance": f"host-{number // 128}.example.org:9100",
        "job": "node",
        "mode": ("idle", "user", "system", "nice", "iowait", "irq", "softirq", "steal")[
            number // 16 % 8
        ],
    }
    return b"".join(field(1, field(1, name) + field(2, text)) for name, text in told.items())


def bodies() -> Iterator[bytes]:
    """Yield one request after the other: a sample of each series."""
    known = [labels(number) for number in range(SERIES)]
    at = FIRST_MS
    while True:
        told = (field(2, sample(at / 1000 + number, at)) for number in range(SERIES))
        yield snappy(b"".join(field(1, a + b) for a, b in zip(known, told, strict=True)))
        at += SCRAPE_MS


async def send(url: str, requests: int) -> dict[str, float]:
    """Send so many requests; return how long it took until the last was answered."""
    waiting = list(islice(bodies(), requests))[::-1]
    began = time.monotonic()
    async with aiohttp.ClientSession(headers=HEADERS) as session, asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(_drain(session, url, waiting))
    return {"seconds": time.monotonic() - began}


async def _drain(session: aiohttp.ClientSession, url: str, waiting: list[bytes]) -> None:
    while waiting:
        async with session.post(url, data=waiting.pop()) as reply:
            if reply.status != 204:
                raise RuntimeError(f"expected 204, got {reply.status}: {await reply.text()}")


def sent(url: str, requests: int) -> float:
    """Run the sender in a process of its own; return the seconds that it took."""
    argv = [sys.executable, "-m", "bench.remotewrite", url, str(requests)]
    done = subprocess.run(argv, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found["seconds"]


# -- the row


def rows(folder: Path, scale: Scale) -> list[Row]:
    """Send the same to both, one after the other, round by round."""
    requests = scale.of(500, 20)
    ours: list[Pace] = []
    theirs: list[Pace] = []
    for number in range(scale.rounds):
        ours.append(through_daemon(folder / f"{number}-ours", requests))
        theirs.append(into_victoria(folder / f"{number}-theirs", requests))
    return [row(ours, theirs)]


def row(ours: Sequence[Pace], theirs: Sequence[Pace]) -> Row:
    """Return the row."""
    us, peer = middle(ours), middle(theirs)
    wall, cpu = us.per_second / peer.per_second, us.per_cpu_second / peer.per_cpu_second
    return Row(
        f"Prometheus remote write of {SERIES} samples at once, {CONNECTIONS} connections, "
        f"answered when safe",
        "",
        f"{spread(ours)}, {us.per_cpu_second / 1000:.0f} k for each second of processor time; "
        f"**{wall:.2f}x**, by processor time {cpu:.2f}x",
        f"VictoriaMetrics' own endpoint, answered when in memory: {spread(theirs)}",
        None,
    )


def through_daemon(folder: Path, requests: int) -> Pace:
    """Send to a daemon, whose store accepts everything."""
    listen = f"127.0.0.1:{free_port()}"
    params: dict[str, Any] = {"listen": listen, "formats": ["remote_write"]}
    with (
        null_target(folder) as target,
        daemon.running(
            folder,
            stores={"store": target.store},
            collectors={"agents": {"plugin": "http_push", "params": params}},
        ) as running,
    ):
        sent(f"http://{listen}{PATH}", 1)  # which imports what is needed
        cpu = running.cpu
        seconds = sent(f"http://{listen}{PATH}", requests)
        cpu = running.cpu - cpu
        check(target, SERIES * (requests + 1))
    return pace(SERIES * requests, seconds=seconds, cpu=cpu)


def into_victoria(folder: Path, requests: int) -> Pace:
    """Send to VictoriaMetrics."""
    with victoria_metrics(folder) as server:
        sent(f"{server.url}{PATH}", 1)
        cpu = cpu_seconds(server.pid)
        seconds = sent(f"{server.url}{PATH}", requests)
        cpu = cpu_seconds(server.pid) - cpu
        check(Target(server.url, {}, lambda: points_in(server.url)), SERIES * (requests + 1))
    return pace(SERIES * requests, seconds=seconds, cpu=cpu)


if __name__ == "__main__":
    print(json.dumps(asyncio.run(send(sys.argv[1], int(sys.argv[2])))))
