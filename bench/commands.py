"""Lines of a command that goes on, read by execd, against a script that reads its pipe."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench import daemon, nullstore, peers
from bench.figures import Pace, Row, Scale, compared, middle, pace, spread
from bench.throughput import check, null_target

TIMES: Final = 2
FIRST: Final = 1_767_225_600  # 2026, in Unix seconds
METERS: Final = 100
# It goes on, as such commands do; else it would be started again.
COMMAND: Final = 'while [ ! -e "$2" ]; do sleep 0.02; done; cat "$1"; exec sleep 600'
PATIENCE: Final = 3.0  # seconds without a batch, after which all have come


def written(path: Path, count: int) -> None:
    """Write so many lines of line protocol, as a script for Telegraf does."""

    def lines() -> Iterator[str]:
        for at in range(count):
            when = (FIRST + at // METERS) * 1_000_000_000
            yield f"meter,site=roof,id=R{at % METERS} kwh={at * 0.25:.2f} {when}\n"

    with path.open("w") as file:
        file.writelines(lines())


def line_rows(folder: Path, scale: Scale) -> list[Row]:
    """Read lines, with the script in between."""
    count = scale.of(500_000, 20_000)
    path = folder / "lines"
    written(path, count)
    ours: list[Pace] = []
    theirs: list[Pace] = []
    for number in range(scale.rounds):
        ours.append(by_execd(path, folder / f"{number}", count))
        theirs.append(by_script(path, folder / f"{number}-peer", count))
    us, peer = middle(ours), middle(theirs)
    return [
        Row(
            "lines of line protocol that a command writes, read with execd",
            f">= {TIMES}x by processor time",
            f"{spread(ours)}, {compared(us, peer)}",
            f"a script that reads its pipe, and influxdb-client WriteApi: {spread(theirs)}",
            us.per_cpu_second / peer.per_cpu_second >= TIMES,
        )
    ]


def by_execd(path: Path, folder: Path, count: int) -> Pace:
    """Read what a command writes with a daemon, from its first line until the last batch came."""
    go = path.with_name(f"go-{folder.name}")
    command = ["sh", "-c", COMMAND, "-", str(path), str(go)]
    collector = {"plugin": "execd", "params": {"command": command, "stop_within": "0s"}}
    with nullstore.running() as null:
        store = {"type": "influxdb", "url": null.url, "org": "o", "bucket": "b", "token": "t"}
        with daemon.running(
            folder, stores={"store": store}, collectors={"lines": collector}
        ) as running:
            began, cpu = time.monotonic(), running.cpu
            go.touch()
            ended = null.quiet(after=began, patience=PATIENCE)
            used = running.cpu - cpu
        points = null.ask("/points")
    if points != count:
        raise RuntimeError(f"expected {count} points in the store, got {points}")
    return pace(count, seconds=ended - began, cpu=used)


def by_script(path: Path, folder: Path, count: int) -> Pace:
    """Read it as a script does."""
    with null_target(folder) as target:
        found = peers.run("lines", path, target.url)
        check(target, count)
    return pace(count, seconds=found["seconds"], cpu=found["cpu"])
