"""A large document at a web server, in each format, read with http_json."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, Final

from aiohttp import web

from bench import daemon, peers
from bench.dcs import AGAIN, BATCH, HEAD_START, position
from bench.figures import Pace, Row, Scale, compared, middle, pace, spread
from bench.throughput import check, null_target

TIMES: Final = 8
SHARE: Final = 10
MINUTE: Final = timedelta(minutes=1)
FIRST: Final = datetime(2024, 1, 1, tzinfo=UTC)
METERS: Final = 100
# How http_json is told where the readings are.
OPTIONS: Final[Mapping[str, Mapping[str, Any]]] = {
    "JSON": {"records": "data"},
    "NDJSON": {"format": "ndjson"},
    "CSV": {},
    "XML": {"records": "row"},
}
TYPES: Final = {
    "JSON": "application/json",
    "NDJSON": "application/x-ndjson",
    "CSV": "text/csv",
    "XML": "application/xml",
}


# -- the server


def rows(count: int) -> Iterator[dict[str, Any]]:
    """Yield records, the oldest first."""
    for at in range(count):
        when = f"{FIRST + at * MINUTE:%Y-%m-%dT%H:%M:%SZ}"
        yield {"time": when, "meter": f"m{at % METERS}", "kWh": round(at * 0.123, 3)}


def document(name: str, count: int) -> bytes:
    """Return a document of so many records."""
    if name == "JSON":
        return json.dumps({"data": list(rows(count))}).encode()
    if name == "NDJSON":
        return "".join(f"{json.dumps(each)}\n" for each in rows(count)).encode()
    if name == "CSV":
        lines = (f"{each['time']},{each['meter']},{each['kWh']}\n" for each in rows(count))
        return f"time,meter,kWh\n{''.join(lines)}".encode()
    elements = (
        f'<row meter="{each["meter"]}"><time>{each["time"]}</time><kWh>{each["kWh"]}</kWh></row>'
        for each in rows(count)
    )
    return f"<data>{''.join(elements)}</data>".encode()


async def serve(size: int) -> None:
    """Serve documents of so many bytes until the end of standard input, after printing where."""
    counts = {name: size * 1000 // len(document(name, 1000)) for name in OPTIONS}
    bodies = {name: document(name, count) for name, count in counts.items()}

    async def handler(request: web.Request) -> web.Response:
        name = request.match_info["name"]
        return web.Response(body=bodies[name], content_type=TYPES[name])

    app = web.Application()
    app.router.add_get("/{name}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    said = {"url": f"http://127.0.0.1:{runner.addresses[0][1]}", "counts": counts}
    print(json.dumps(said), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


@contextmanager
def server(size: int) -> Iterator[Mapping[str, Any]]:
    """Run a server in a process of its own; give its ``url``, and the ``counts`` of records."""
    argv = [sys.executable, "-m", "bench.documents", str(size)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.communicate()


# -- the rows


@dataclass(frozen=True, slots=True)
class Read:
    """How a document came through.

    Attributes:
        pace: How fast.
        memory: The most that the process ever had, in MiB.
        grown: By how much that was more than before the document, in MiB.
    """

    pace: Pace
    memory: float
    grown: float


def document_rows(folder: Path, scale: Scale) -> list[Row]:
    """Read a document of each format, the usual way in between."""
    size = scale.of(20, 1)
    # A run begins so long after its daemon is started, in seconds: it must be ready by then.
    head_start = scale.of(10, HEAD_START)
    ours: dict[str, list[Read]] = {name: [] for name in OPTIONS}
    theirs: dict[str, list[Read]] = {name: [] for name in OPTIONS}
    with server(size * 1_000_000) as said:
        for number in range(scale.rounds):
            for name in OPTIONS:
                place = folder / f"{number}-{name}"
                ours[name].append(polled(said, name, place, head_start))
                theirs[name].append(usual(said, name, place / "peer"))
    return [
        document_row(f"a {name} document of {size} MB", ours[name], theirs[name])
        for name in OPTIONS
    ]


def document_row(what: str, ours: Sequence[Read], theirs: Sequence[Read]) -> Row:
    """Return the row of one format."""
    us, peer = [each.pace for each in ours], [each.pace for each in theirs]
    grown, usual_grown = (median(each.grown for each in some) for some in (ours, theirs))
    faster = middle(us).per_second / middle(peer).per_second
    return Row(
        f"{what}, read with http_json",
        f">= {TIMES}x, memory for it < 1/{SHARE}",
        f"{spread(us)}, {compared(middle(us), middle(peer))}; {grown:.0f} MiB for it, peak RSS "
        f"{max(each.memory for each in ours):.0f} MiB",
        f"requests, the standard library's parser and influxdb-client WriteApi: {spread(peer)}; "
        f"{usual_grown:.0f} MiB for it, peak RSS {median(each.memory for each in theirs):.0f} MiB",
        faster >= TIMES and grown * SHARE < usual_grown,
    )


def polled(said: Mapping[str, Any], name: str, folder: Path, head_start: int) -> Read:
    """Read a document with a daemon, from the run's beginning until its state is on disk."""
    count = said["counts"][name]
    collector = {
        "plugin": "http_json",
        "every": f"{AGAIN}s",
        "offset": f"{(time.time() + head_start) % AGAIN:.3f}s",
        "params": {
            "url": f"{said['url']}/{name}",
            "max_bytes": 100_000_000,
            "time": "time",
            "series": "{meter}_kwh",
            "value": "kWh",
            "since_param": "since",
            **OPTIONS[name],
        },
    }
    last = (FIRST + MINUTE * (count - 1)).timestamp()
    with null_target(folder) as target, daemon.running(
        folder, stores={"store": {**target.store, "batch": BATCH}}, collectors={"web": collector}
    ) as running:  # fmt: skip
        cpu, before = running.cpu, running.rss_mib
        running.wait_for(lambda: position(running, "newest") == last)
        ended, used = time.time(), running.cpu - cpu
        memory = daemon.memory_mib(running.process.pid, "VmHWM")
        running.wait_for(running.runs)
        run = running.runs()[0]
        check(target, count)
    return Read(pace(count, seconds=ended - run["started"], cpu=used), memory, memory - before)


def usual(said: Mapping[str, Any], name: str, folder: Path) -> Read:
    """Read a document as a script does."""
    with null_target(folder) as target:
        found = peers.run("document", name, f"{said['url']}/{name}", target.url)
        check(target, said["counts"][name])
    taken = pace(said["counts"][name], seconds=found["seconds"], cpu=found["cpu"])
    return Read(taken, found["memory"], found["grown"])


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
