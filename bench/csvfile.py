"""A large CSV, taken in by the plugin files, against a script with pandas."""

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Final

from bench import daemon, peers
from bench.dcs import AGAIN, HEAD_START
from bench.figures import Pace, Row, Scale, compared, middle, pace, spread
from bench.throughput import check, null_target

TIMES: Final = 3
MOST_MIB: Final = 90
SECOND: Final = timedelta(seconds=1)
FIRST: Final = datetime(2024, 1, 1, tzinfo=UTC)
VALUES: Final = ("kWh", "kW", "celsius")
BLOCK: Final = 10_000  # rows


def rows(begin: int) -> str:
    """Return lines, each with a time and three values."""
    numbers = range(begin, begin + BLOCK)
    times = (f"{FIRST + at * SECOND:%Y-%m-%dT%H:%M:%SZ}" for at in numbers)
    values = (f"{at * 0.25:.2f},{at % 997 / 8:.3f},{at % 613 / 10:.1f}" for at in numbers)
    return "".join(f"{time},{some}\n" for time, some in zip(times, values, strict=True))


def written(path: Path, size: int) -> int:
    """Write a CSV of so many bytes, and return how many lines it has."""

    def blocks() -> Iterator[str]:
        yield f"time,{','.join(VALUES)}\n"
        for begin in range(0, size // 20, BLOCK):
            yield rows(begin)

    count = -1
    with path.open("w") as file:
        for block in blocks():
            file.write(block)
            count += block.count("\n")
            if file.tell() >= size:
                break
    return count


@dataclass(frozen=True, slots=True)
class Read:
    """How a file came through.

    Attributes:
        pace: How fast, in lines.
        memory: The most that the process ever had, in MiB.
    """

    pace: Pace
    memory: float


def file_rows(folder: Path, scale: Scale) -> list[Row]:
    """Read a CSV, with pandas in between."""
    size = scale.of(50, 1)
    count = written(folder / "large.csv", size * 1_000_000)
    ours: list[Read] = []
    theirs: list[Read] = []
    for number in range(scale.rounds):
        ours.append(taken_in(folder / "large.csv", folder / f"{number}", count))
        theirs.append(by_script(folder / "large.csv", folder / f"{number}-peer", count))
    us, peer = [each.pace for each in ours], [each.pace for each in theirs]
    memory = max(each.memory for each in ours)
    better = middle(us).per_cpu_second / middle(peer).per_cpu_second
    return [
        Row(
            f"a CSV of {size} MB with three values in each line, read with files",
            f">= {TIMES}x by processor time, < {MOST_MIB} MiB",
            f"{spread(us)} lines, {compared(middle(us), middle(peer))}; peak RSS {memory:.0f} MiB",
            f"pandas and influxdb-client: {spread(peer)} lines; peak RSS "
            f"{median(each.memory for each in theirs):.0f} MiB",
            better >= TIMES and memory < MOST_MIB,
        )
    ]


def taken_in(path: Path, folder: Path, count: int) -> Read:
    """Read a file with a daemon, from the run's beginning until its end is on disk."""
    shape = {"time": "time", "values": {name: name for name in VALUES}}
    collector = {
        "plugin": "files",
        "every": f"{AGAIN}s",
        "offset": f"{(time.time() + HEAD_START) % AGAIN:.3f}s",
        "params": {"path": str(path), "settle": "0s", **shape},
    }
    with null_target(folder) as target, daemon.running(
        folder, stores={"store": target.store}, collectors={"exports": collector}
    ) as running:  # fmt: skip
        cpu = running.cpu
        running.wait_for(lambda: is_read(running))
        ended, used = time.time(), running.cpu - cpu
        memory = daemon.memory_mib(running.process.pid, "VmHWM")
        running.wait_for(running.runs)
        run = running.runs()[0]
        check(target, count * len(VALUES))
    return Read(pace(count, seconds=ended - run["started"], cpu=used), memory)


def is_read(running: daemon.Daemon) -> bool:
    """Say whether the state on disk says that the file was read."""
    with closing(running.database()) as database:
        found = database.execute("SELECT state FROM state").fetchone()
    return found is not None and "read: !!binary" in found[0]


def by_script(path: Path, folder: Path, count: int) -> Read:
    """Read a file as a script does."""
    with null_target(folder) as target:
        found = peers.run("csvfile", path, target.url)
        check(target, count * len(VALUES))
    return Read(pace(count, seconds=found["seconds"], cpu=found["cpu"]), found["memory"])
