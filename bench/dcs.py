"""Meters at a DCS server: one huge answer, and thousands of registers every half hour."""

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, Final

import yaml

from bench import daemon, nullstore, peers
from bench.figures import Pace, Row, Scale, compared, count, middle, pace, spread
from bench.throughput import OpenTarget, check, null_target, victoria_target

WANTED: Final = 400_000
MEMORY_MIB: Final = 90
LATENCY: Final = 0.05
HALF_HOUR: Final = 1800
LAG: Final = 0.25
# The last batch waits this long for more readings: that is no part of how fast they go.
BATCH: Final = {"linger": "50ms"}
# A run begins so long after its daemon is started, in seconds: it must be ready by then.
HEAD_START: Final = 4
# If it was not, the next one comes so long after that, in seconds: longer than it takes.
AGAIN: Final = 60


@dataclass(frozen=True, slots=True)
class Server:
    """A DCS server in a process of its own.

    Attributes:
        said: Where it is, who may sign in, and what its huge answer has.
        seen: What it has seen, once it has ended.
    """

    said: Mapping[str, Any]
    seen: dict[str, Any]

    def collector(self, every: float, **params: Any) -> dict[str, Any]:
        """Return a collector that reads it, soon for the first time."""
        offset = (time.time() + HEAD_START) % every
        return {
            "plugin": "dcs",
            "every": f"{every}s",
            "offset": f"{offset:.3f}s",
            "params": {
                "url": self.said["legacy"],
                "api": "legacy",
                "username": self.said["username"],
                "password": self.said["password"],
                **params,
            },
        }


@contextmanager
def server(*arguments: object) -> Iterator[Server]:
    """Run a server, which may take a while to make its answer."""
    argv = [sys.executable, "-m", "tests.support.dcs", *map(str, arguments)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        running = Server(json.loads(process.stdout.readline()), {})
        yield running
        left, _ = process.communicate()
        running.seen.update(json.loads(left))


# -- one huge answer


@dataclass(frozen=True, slots=True)
class Streamed:
    """How an answer came through: how fast, and the most memory that it took, in MiB."""

    pace: Pace
    memory: float


def reply_rows(folder: Path, scale: Scale) -> list[Row]:
    """Stream an answer into both stores, the usual way in between."""
    size = scale.of(300, 12)
    targets: Mapping[str, OpenTarget] = {
        "a store that accepts everything": null_target,
        "VictoriaMetrics": victoria_target,
    }
    ours: dict[str, list[Streamed]] = {name: [] for name in targets}
    theirs: dict[str, list[Streamed]] = {name: [] for name in targets}
    with server("--reply-mb", size, "--registers", 1) as dcs:
        for number in range(scale.rounds):
            for at, (name, open_target) in enumerate(targets.items()):
                place = folder / f"{number}-{at}"
                ours[name].append(streamed(dcs, open_target, place))
                theirs[name].append(usual(dcs, open_target, place / "peer"))
    return [
        reply_row(f"a DCS answer of {size} MB into {name}", ours[name], theirs[name])
        for name in targets
    ]


def reply_row(what: str, ours: Sequence[Streamed], theirs: Sequence[Streamed]) -> Row:
    """Return the row for one store."""
    us, peer = [each.pace for each in ours], [each.pace for each in theirs]
    memory = max(each.memory for each in ours)
    return Row(
        what,
        f">= {count(WANTED)}/s, peak RSS < {MEMORY_MIB} MiB",
        f"{spread(us)}, peak RSS {memory:.0f} MiB; {compared(middle(us), middle(peer))}",
        f"requests, json and influxdb-client WriteApi: {spread(peer)}, "
        f"peak RSS {median(each.memory for each in theirs):.0f} MiB",
        middle(us).per_second >= WANTED and memory < MEMORY_MIB,
    )


def streamed(dcs: Server, open_target: OpenTarget, folder: Path) -> Streamed:
    """Read the answer with a daemon, from the run's beginning until its state is on disk."""
    first, readings = dcs.said["first"], dcs.said["readings"]
    since = datetime.fromtimestamp(first, UTC)
    meters = dcs.collector(AGAIN, registers=["R1"], since=since, max_window="10000d")
    with open_target(folder) as target, daemon.running(
        folder, stores={"store": {**target.store, "batch": BATCH}}, collectors={"meters": meters}
    ) as running:  # fmt: skip
        cpu = running.cpu
        last = datetime.fromtimestamp(first + 60 * (readings - 1), UTC)
        running.wait_for(lambda: position(running, "R1") == last)
        ended, used = time.time(), running.cpu - cpu
        memory = daemon.memory_mib(running.process.pid, "VmHWM")
        running.wait_for(running.runs)
        run = running.runs()[0]
        check(target, readings)
    return Streamed(pace(readings, seconds=ended - run["started"], cpu=used), memory)


def position(running: daemon.Daemon, name: str) -> Any:
    """Return how far a register, or all, has been read, by the state on disk; or None."""
    with closing(running.database()) as database:
        row = database.execute("SELECT state FROM state").fetchone()
    return yaml.safe_load(row[0]).get(name) if row else None


def usual(dcs: Server, open_target: OpenTarget, folder: Path) -> Streamed:
    """Read the answer as a script does."""
    readings = dcs.said["readings"]
    with open_target(folder) as target:
        found = peers.run("dcs", json.dumps(dict(dcs.said)), target.url)
        check(target, readings)
    taken = pace(readings, seconds=found["seconds"], cpu=found["cpu"])
    return Streamed(taken, found["memory"])


# -- thousands of registers


def polled_rows(folder: Path, scale: Scale) -> list[Row]:
    """Poll registers one after the other, as such a server wants it, again and again.

    The first run has the past to read and does not count; to wait for half hours would
    take too long, so runs are closer together than they would be.
    """
    registers, every = scale.of(3000, 40), scale.of(200, 4)
    with server("--registers", registers, "--latency", LATENCY) as dcs, nullstore.running() as null:
        store = {"type": "influxdb", "url": null.url, "org": "o", "bucket": "b", "token": "t"}
        since = datetime.now(UTC) - timedelta(days=4)
        collector = dcs.collector(every, registers="all", since=since)
        with daemon.running(
            folder, stores={"store": store}, collectors={"meters": collector}
        ) as running:
            running.wait_for(at_least(running, 1))
            cpu = running.cpu
            running.wait_for(at_least(running, 2))
            used, memory = running.cpu - cpu, daemon.memory_mib(running.process.pid, "VmHWM")
            first, run = sorted(running.runs(), key=lambda each: float(each["tick"]))[:2]
    in_time = scale.quick or run["tick"] - first["tick"] == every  # a busy machine misses runs
    if dcs.seen["overlaps"] or run["error"] or not in_time:
        raise RuntimeError(f"expected runs one after the other, got {first}, {run}, {dcs.seen}")
    lag, over = run["started"] - run["tick"], run["seconds"] - registers * LATENCY
    return [
        Row(
            f"{registers} DCS registers every half hour, a server that answers in "
            f"{LATENCY * 1000:.0f} ms, one question at a time",
            "done within the half hour, each run on its tick",
            f"a run takes {run['seconds']:.0f} s ({over / registers * 1000:.1f} ms for each "
            f"register besides those {LATENCY * 1000:.0f}) for {count(run['readings'])} readings, "
            f"begins {lag * 1000:.0f} ms after its tick, and uses {used:.1f} s of processor time, "
            f"{used / HALF_HOUR:.1%} of one core; peak RSS {memory:.0f} MiB",
            "",
            run["seconds"] < HALF_HOUR and lag < LAG,
        )
    ]


def at_least(running: daemon.Daemon, number: int) -> Callable[[], bool]:
    """Return what says whether so many runs have ended."""

    def ended() -> bool:
        try:
            return len(running.runs()) >= number
        except sqlite3.OperationalError:  # no table yet
            return False

    return ended
