"""Hundreds of scripts of BMON's kind, by the daemon and by cron."""

import pickle
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench import cronjob, daemon, nullstore, vendors
from bench.figures import Row, Scale, p99

SCRIPTS: Final = Path(__file__).parent.parent / "tests" / "samples" / "bmon_scripts"
KINDS: Final = ("ambientweather", "okofen", "okofen2", "enphase", "modbus")
WORKERS: Final = 4  # the daemon's default; cron's processes are not more at a time
FIVE_MINUTES: Final = 300
# The first runs are due so long after the daemon is started, in seconds: it must be ready by then.
HEAD_START: Final = 3
QUICK_HEAD_START: Final = 10  # on a machine that is busy with other tests
# So long before a tick its costs begin, in seconds.
MARGIN: Final = 0.5
# How often memory is looked at, in seconds.
GLANCE: Final = 0.25

Job = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Cost:
    """What so many runs took.

    Attributes:
        cpu: Processor time of one run, in seconds.
        memory: The most that all processes had together, what they share counted once, in MiB.
        seconds: From the first that was due until the last had ended.
    """

    cpu: float
    memory: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Served:
    """What the daemon took.

    Attributes:
        cost: For runs whose plugins it knew already.
        lags: From the tick of each run until the daemon turned to it, in seconds.
        taken: How long each run took with its wait for a worker, likewise.
    """

    cost: Cost
    lags: Sequence[float]
    taken: Sequence[float]


def rows(folder: Path, scale: Scale) -> list[Row]:
    """Run the scripts with the daemon, from cron one by one, and from cron as BMON does.

    To wait for five minutes again and again would take too long, so ticks are closer together
    than they would be.
    """
    number, every = scale.of(200, 5), scale.of(90, 20)
    ticks = range(scale.of(1, 0), scale.of(2, 1))  # the first starts the workers, and is left out
    with vendors.running() as there:
        jobs = [job(at, there) for at in range(number)]
        first = time.time() + scale.of(HEAD_START, QUICK_HEAD_START)
        ours = served(folder, jobs, first, every=every, jitter=scale.of(10, 1), ticks=ticks)
        one_by_one, threads = each_alone(jobs), all_together(jobs)
    complete = len(ours.lags) == number * len(ticks) and ours.cost.seconds < every - MARGIN
    in_time = scale.quick or complete  # on a machine as busy as that the figures mean nothing
    return [row(number, ours, one_by_one, threads, in_time=in_time)]


def row(number: int, ours: Served, one_by_one: Cost, threads: Cost, *, in_time: bool) -> Row:
    """Return the row."""
    cost = ours.cost
    return Row(
        f"{number} scripts of BMON's kind every five minutes, of {len(KINDS)} files, "
        f"vendors that answer in {vendors.LATENCY * 1000:.0f} ms",
        "less processor time than a process for each run",
        f"{told(cost, number)}, {cost.cpu * number / FIVE_MINUTES:.1%} of one core; "
        f"by processor time **{one_by_one.cpu / cost.cpu:.1f}x** as good as a process for each "
        f"run, {threads.cpu / cost.cpu:.1f}x as good as threads; start lag p99 "
        f"{p99(ours.lags) * 1000:.0f} ms, then a run takes {median(ours.taken):.1f} s "
        f"(p99 {p99(ours.taken):.1f} s) with its wait for one of {WORKERS} workers, and the last "
        f"is done {cost.seconds:.0f} s after the tick",
        f"cron, nothing stored: a process for each run, {WORKERS} at a time: "
        f"{told(one_by_one, number)}, done after {one_by_one.seconds:.0f} s; "
        f"one process with a thread for each: {told(threads, number)}, "
        f"done after {threads.seconds:.0f} s",
        in_time and cost.cpu < one_by_one.cpu,
    )


def told(cost: Cost, number: int) -> str:
    """Say what runs cost."""
    return (
        f"{cost.cpu * 1000:.0f} ms of processor time for a run, {cost.cpu * number:.1f} s for "
        f"all; peak memory {cost.memory:.0f} MiB"
    )


def job(at: int, there: Mapping[str, Any]) -> Job:
    """Return a script and its parameters, each kind in turn."""
    name, day, url = f"site{at}", vendors.DAY.date(), there["url"]
    kind = KINDS[at % len(KINDS)]
    registers = [[there["modbus"], 100, "pump", ""], [there["modbus"], 102, "temp", "val / 10"]]
    params: dict[str, dict[str, Any]] = {
        "ambientweather": {"application_key": "a", "api_key": "k", "sensor_prefix": name},
        "okofen": {"site_id": name, "last_date_loaded": day, "until": day},
        "okofen2": {"site_id": name, "days": [day]},
        "enphase": {
            "api_key": "k",
            "systems": [{"user_id": name, "system_id": at}],
            "first_date": "2025-01-01",
        },
        "modbus": {"site_id": name, "host": "127.0.0.1", "sensors": registers},
    }
    return str(SCRIPTS / f"{kind}.py"), {"url": url, **params[kind]}


# -- by the daemon


def served(
    folder: Path, jobs: Sequence[Job], first: float, *, every: int, jitter: int, ticks: range
) -> Served:
    """Let the daemon run them, at first then, in Unix seconds; only some ticks count."""
    collectors = {
        f"script-{at}": {
            "plugin": path,
            "compat": "bmon",
            "every": f"{every}s",
            "offset": f"{first % every:.3f}s",
            "jitter": f"{jitter}s",
            "params": params,
        }
        for at, (path, params) in enumerate(jobs)
    }
    with nullstore.running() as null:
        store = {"type": "influxdb", "url": null.url, "org": "o", "bucket": "b", "token": "t"}
        with daemon.running(folder, stores={"store": store}, collectors=collectors) as running:
            pid = running.process.pid
            with watched(lambda: [pid, *daemon.descendants(pid)]) as memory:
                from_time = wait_until(first + every * ticks.start)
                cpu = cpu_of_all(pid)
                until = wait_until(first + every * ticks.stop)
                cpu = cpu_of_all(pid) - cpu
        runs = running.runs()  # all of them are on disk now
    check(runs, set(collectors))
    counted = [run for run in runs if from_time < run["tick"] < until]
    if not counted:
        raise RuntimeError(f"expected {len(jobs) * len(ticks)} runs in time, got none")
    due = [first + every * ((run["tick"] - first + MARGIN) // every) for run in counted]
    lasted = max(run["started"] + run["seconds"] - at for run, at in zip(counted, due, strict=True))
    lags = [run["started"] - run["tick"] for run in counted]
    cost = Cost(cpu / len(counted), memory.mib, lasted)
    return Served(cost, lags, [run["seconds"] for run in counted])


def wait_until(tick: float) -> float:
    """Wait until shortly before a tick, in Unix seconds; return when that was."""
    time.sleep(max(0.0, tick - MARGIN - time.time()))
    return tick - MARGIN


def check(runs: Sequence[Mapping[str, Any]], scripts: set[str]) -> None:
    """See that all runs went well, and that every script gave something."""
    if bad := [run for run in runs if run["outcome"] != "ok"]:
        raise RuntimeError(f"expected runs that go well, got {bad[0]}")
    if silent := scripts - {run["collector"] for run in runs if run["points"]}:
        raise RuntimeError(f"expected readings of all scripts, got none of {sorted(silent)}")


def cpu_of_all(pid: int) -> float:
    """Return the processor time of a process and all that it ever started, in seconds."""
    used = 0.0
    for each in (pid, *daemon.descendants(pid)):
        with suppress(OSError):  # it has gone, and its parent has its time
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            used += sum(map(int, fields[11:15])) / daemon.TICK
    return used


# -- by cron


def each_alone(jobs: Sequence[Job]) -> Cost:
    """Run each in a process of its own, a few at a time, which is kinder than cron is."""
    return by_cron([[each] for each in jobs])


def all_together(jobs: Sequence[Job]) -> Cost:
    """Run all in one process with a thread for each, as BMON's dispatcher does."""
    return by_cron([jobs])


def by_cron(tasks: Sequence[Sequence[Job]]) -> Cost:
    """Start processes, and wait for them."""
    alive: set[int] = set()

    def start(jobs: Sequence[Job]) -> None:
        argv = [sys.executable, cronjob.__file__]
        null = subprocess.DEVNULL
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=null) as process:
            alive.add(process.pid)
            process.communicate(pickle.dumps(jobs))
            alive.discard(process.pid)
        if process.returncode:
            raise RuntimeError(f"expected scripts that go well, got exit {process.returncode}")

    began, cpu = time.monotonic(), cpu_of_ended()
    with watched(lambda: list(alive)) as memory, ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(start, tasks))
    seconds, runs = time.monotonic() - began, sum(map(len, tasks))
    return Cost((cpu_of_ended() - cpu) / runs, memory.mib, seconds)


def cpu_of_ended() -> float:
    """Return the processor time of all processes that we started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


# -- memory


@dataclass(slots=True)
class Memory:
    """The most memory that was seen, in MiB."""

    mib: float = 0.0
    stop: threading.Event = field(default_factory=threading.Event)


@contextmanager
def watched(pids: Callable[[], Sequence[int]]) -> Iterator[Memory]:
    """Look at the memory of some processes, again and again."""
    memory = Memory()

    def look() -> None:
        while not memory.stop.wait(GLANCE):
            memory.mib = max(memory.mib, sum(map(proportional_mib, pids())))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield memory
    finally:
        memory.stop.set()
        thread.join()


def proportional_mib(pid: int) -> float:
    """Return a process' memory, what it shares counted in parts, in MiB; 0 if it has gone."""
    with suppress(OSError, StopIteration):
        return daemon.proportional_mib(pid)
    return 0.0
