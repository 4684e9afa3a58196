"""What the daemon costs beside the readings: with thousands of collectors, and with idle ones."""

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench import daemon, nullstore
from bench.figures import Row, Scale, p99

LAG = 0.25
CORE = 0.6
MEMORY_MIB = 70
START = 1.0


def many_rows(folder: Path, scale: Scale) -> list[Row]:
    """Run thousands of collectors, spread over their interval and all at once."""
    number, every = scale.of(2000, 200), scale.of(10, 1)
    made = []
    for name, jitter in (("spread by jitter", 0.9 * every), ("all at the same instant", 0)):
        lags: list[float] = []
        shares: list[float] = []
        for turn in range(scale.rounds):
            config = {"plugin": "one", "every": f"{every}s", "jitter": f"{jitter:g}s"}
            collectors = {
                f"meter-{at}": {**config, "params": {"series": f"meter-{at}"}}
                for at in range(number)
            }
            some, share = watched(
                folder / f"{jitter:g}-{turn}",
                collectors,
                every,
                intervals=3,
                strict=not scale.quick,
            )
            lags.append(p99(some))
            shares.append(share)
        lag, share = median(lags), median(shares)
        made.append(
            Row(
                f"{number} collectors every {every} s, {name}",
                f"start lag p99 < {LAG * 1000:.0f} ms, < {CORE:.0%} of one core",
                f"p99 {lag * 1000:.0f} ms, {share:.0%} of one core",
                "",
                lag < LAG and share < CORE,
            )
        )
    return made


def watched(
    folder: Path, collectors: dict[str, Any], every: int, *, intervals: int, strict: bool
) -> tuple[Sequence[float], float]:
    """Return how late runs started, in seconds, and how much of one core the daemon used.

    Args:
        folder: Where the daemon may work.
        collectors: Their configuration.
        every: The seconds from one run of each to the next.
        intervals: How many of them to watch.
        strict: Whether a figure counts only if no run was missed; a busy machine misses some.
    """
    with nullstore.running() as null:
        store = {"type": "influxdb", "url": null.url, "org": "o", "bucket": "b", "token": "t"}
        with daemon.running(folder, stores={"store": store}, collectors=collectors) as running:
            time.sleep(every * 1.5)  # the first runs load the plugin
            began, from_time, cpu = time.monotonic(), time.time(), running.cpu
            time.sleep(every * intervals)
            share = (running.cpu - cpu) / (time.monotonic() - began)
            until = time.time()
        runs = running.runs()  # all of them are on disk now
    found = [run for run in runs if from_time < run["started"] < until]
    # A busy machine lets us sleep longer than we asked for.
    expected = round(len(collectors) * (until - from_time) / every)
    if not found or (strict and not 0.9 * expected < len(found) < 1.1 * expected):
        raise RuntimeError(f"expected about {expected} runs, got {len(found)}")
    return [run["started"] - run["tick"] for run in found], share


def idle_rows(folder: Path, scale: Scale) -> list[Row]:
    """Start a daemon with ten collectors, and look at it when it has nothing to do."""
    starts: list[float] = []
    memories: list[float] = []
    workers: list[float] = []
    for turn in range(scale.rounds):
        collectors: dict[str, Any] = {
            f"meter-{at}": {"plugin": "one", "every": "1s", "params": {"series": f"meter-{at}"}}
            for at in range(8)
        }
        collectors["ordinary"] = {
            "plugin": "ordinary",
            "every": "1s",
            "params": {"series": "ordinary"},
        }
        collectors["machine"] = {"plugin": "system", "every": "1s"}
        with daemon.running(
            folder / str(turn), stores={"here": {"type": "embedded"}}, collectors=collectors
        ) as running:
            starts.append(running.start_seconds)
            time.sleep(scale.of(6, 2))
            memories.append(running.rss_mib)
            workers.append(sum(running.children_pss_mib()))
    start, memory = median(starts), median(memories)
    return [
        Row(
            "idle daemon with ten collectors",
            f"RSS < {MEMORY_MIB} MiB, start < {START:.0f} s",
            f"{memory:.0f} MiB, ready after {start:.2f} s; the process that runs an ordinary "
            f"function has {median(workers):.0f} MiB",
            "",
            memory < MEMORY_MIB and start < START,
        )
    ]
