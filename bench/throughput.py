"""From a plugin to a store, against influxdb-client's batching writer with Points."""

import json
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import daemon, nullstore, peers
from bench.figures import Pace, Row, Scale, compared, middle, pace, spread
from tests.support.servers import victoria_metrics

MODES = {"every batch on disk first": True, "straight to the store": False}


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
    with urllib.request.urlopen(f"{url}/internal/force_flush", timeout=60):
        pass
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
    """Measure both modes and the peer, one after the other, round by round."""
    readings, fewer = scale.of(2_000_000, 200_000), scale.of(200_000, 20_000)
    ours: dict[str, list[Pace]] = {mode: [] for mode in MODES}
    theirs: list[Pace] = []
    for number in range(scale.rounds):
        for mode, write_ahead in MODES.items():
            place = folder / f"{number}-{write_ahead}"
            with open_target(place) as target:
                ours[mode].append(flooded(target, place, readings, write_ahead=write_ahead))
        with open_target(folder / f"{number}-peer") as target:
            found = peers.run("write_api", target.url, fewer)
            check(target, fewer)
        theirs.append(pace(fewer, seconds=found["seconds"], cpu=found["cpu"]))
    peer = middle(theirs)
    made = []
    for mode, paces in ours.items():
        us = middle(paces)
        made.append(
            Row(
                f"end to end into {name}, {mode}",
                f">= {times}x" if MODES[mode] else "",
                f"{spread(paces)}, {compared(us, peer)}",
                f"influxdb-client WriteApi: {spread(theirs)}",
                us.per_second >= times * peer.per_second if MODES[mode] else None,
            )
        )
    return made


def flooded(target: Target, folder: Path, readings: int, *, write_ahead: bool) -> Pace:
    """Send readings through a daemon, and see that all have come."""
    report = folder / "report.json"
    collector = {"plugin": "flood", "params": {"readings": readings, "report": str(report)}}
    with daemon.running(
        folder,
        stores={"store": {**target.store, "write_ahead": write_ahead}},
        collectors={"flood": collector},
    ) as running:
        said = running.said(report)
        end = running.wait_until_empty() if write_ahead else said["safe"]
        cpu = running.cpu - said["cpu"]
    check(target, readings)
    return pace(readings, seconds=end - said["began"], cpu=cpu)


def check(target: Target, points: int) -> None:
    """See that the store has as many points as were sent."""
    found = target.points()
    if found != points:
        raise RuntimeError(f"expected {points} points in the store, got {found}")
