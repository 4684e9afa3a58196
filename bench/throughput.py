"""From a plugin to a store, against influxdb-client's batching writer with Points."""

import json
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench import daemon, nullstore, peers
from bench.figures import Pace, Row, Scale, compared, middle, pace, spread
from tests.support.searchable import make_searchable
from tests.support.servers import victoria_metrics

SIZES: Final = (5_000, 10_000)  # points in a batch; the first is the default


@dataclass(frozen=True, slots=True)
class Mode:
    """How batches go to the store.

    Attributes:
        write_ahead: Whether each goes to the disk first.
        size: How many points there are in one.
    """

    write_ahead: bool
    size: int

    def __str__(self) -> str:
        way = "every batch on disk first" if self.write_ahead else "straight to the store"
        return f"{way}, batches of {self.size:,} points"


MODES: Final = [Mode(write_ahead, size) for write_ahead in (True, False) for size in SIZES]


@dataclass(frozen=True, slots=True)
class Target:
    """A store that is empty.

    Attributes:
        url: Where it is.
        store: How it is configured.
        points: Says how many points it has.
    """

    url: str
    store: Mapping[str, Any]
    points: Callable[[], int]


@contextmanager
def null_target(_folder: Path) -> Iterator[Target]:
    """Run a store that accepts everything."""
    with nullstore.running() as null:
        store = {"type": "influxdb", "url": null.url, "org": "o", "bucket": "b", "token": "t"}
        yield Target(null.url, store, lambda: int(null.ask("/points")))


@contextmanager
def victoria_target(folder: Path) -> Iterator[Target]:
    """Run a VictoriaMetrics."""
    with victoria_metrics(folder / "victoria") as server:
        store = {"type": "victoriametrics", "url": server.url}
        yield Target(server.url, store, lambda: points_in(server.url))


def points_in(url: str) -> int:
    """Count everything that a VictoriaMetrics has."""
    make_searchable(url)
    query = urllib.parse.urlencode({"query": 'sum(count_over_time({__name__!=""}[20y]))'})
    with urllib.request.urlopen(f"{url}/api/v1/query?{query}", timeout=120) as reply:
        found = json.load(reply)["data"]["result"]
    return int(found[0]["value"][1]) if found else 0


OpenTarget = Callable[[Path], AbstractContextManager[Target]]


def null_rows(folder: Path, scale: Scale) -> list[Row]:
    """Measure into a store that accepts everything."""
    return rows("a store that accepts everything", null_target, folder, scale, times=15)


def victoria_rows(folder: Path, scale: Scale) -> list[Row]:
    """Measure into VictoriaMetrics."""
    return rows("VictoriaMetrics", victoria_target, folder, scale, times=10)


def rows(
    name: str, open_target: OpenTarget, folder: Path, scale: Scale, *, times: float
) -> list[Row]:
    """Measure all modes and the peer, one after the other, round by round."""
    readings, fewer = scale.of(2_000_000, 200_000), scale.of(200_000, 20_000)
    ours: dict[Mode, list[Pace]] = {mode: [] for mode in MODES}
    theirs: list[Pace] = []
    for number in range(scale.rounds):
        for mode in MODES:
            place = folder / f"{number}-{mode.write_ahead}-{mode.size}"
            with open_target(place) as target:
                ours[mode].append(flooded(target, place, readings, mode))
        for size in SIZES:
            with open_target(folder / f"{number}-peer-{size}") as target:
                found = peers.run("write_api", target.url, fewer, size)
                check(target, fewer)
            theirs.append(pace(fewer, seconds=found["seconds"], cpu=found["cpu"]))
    peer = middle(theirs)
    made = []
    for mode, paces in ours.items():
        us = middle(paces)
        made.append(
            Row(
                f"end to end into {name}, {mode}",
                f">= {times}x" if mode.write_ahead else "",
                f"{spread(paces)}, {compared(us, peer)}",
                f"influxdb-client WriteApi: {spread(theirs)}",
                us.per_second >= times * peer.per_second if mode.write_ahead else None,
            )
        )
    return made


def flooded(target: Target, folder: Path, readings: int, mode: Mode) -> Pace:
    """Send readings through a daemon, and see that all have come."""
    report = folder / "report.json"
    collector = {"plugin": "flood", "params": {"readings": readings, "report": str(report)}}
    batch = {"points": mode.size}
    store = {**target.store, "write_ahead": mode.write_ahead, "batch": batch}
    with daemon.running(
        folder,
        stores={"store": store},
        collectors={"flood": collector},
    ) as running:
        said = running.said(report)
        end = running.wait_until_empty() if mode.write_ahead else said["safe"]
        cpu = running.cpu - said["cpu"]
    check(target, readings)
    return pace(readings, seconds=end - said["began"], cpu=cpu)


def check(target: Target, points: int) -> None:
    """See that the store has as many points as were sent.

    Raises:
        RuntimeError: Points were lost or repeated; the store shows all that it accepted.
    """
    found = target.points()
    if found != points:
        raise RuntimeError(f"{target.url}: expected {points} points in the store, got {found}")
