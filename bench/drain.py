"""A backlog on disk, and a store that comes back: how fast it goes, and how fresh the rest is."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench import daemon, nullstore
from bench.figures import Pace, Row, Scale, count, middle, p99, pace, spread
from bench.throughput import points_in
from tests.support.servers import victoria_metrics

WANTED = 500_000


@dataclass(frozen=True, slots=True)
class Absent:
    """A store that is away.

    Attributes:
        store: How it is configured.
        come: Makes it come back.
        points: Says how many points it has.
        ages: Says when each live reading came, and how old it was; None if it cannot tell.
    """

    store: Mapping[str, Any]
    come: Callable[[], object]
    points: Callable[[], int]
    ages: Callable[[], list[tuple[float, float]]] | None


@contextmanager
def null_store(_folder: Path) -> Iterator[Absent]:
    """Run a store that accepts everything, but not yet."""
    with nullstore.running() as null:
        null.ask("/down")
        store = {"type": "influxdb", "url": null.url, "org": "o", "bucket": "b", "token": "t"}
        yield Absent(
            store, lambda: null.ask("/up"), lambda: null.ask("/points"), lambda: null.ask("/live")
        )


@contextmanager
def victoria_store(folder: Path) -> Iterator[Absent]:
    """Have a VictoriaMetrics ready to be started."""
    server = victoria_metrics(folder)
    store = {"type": "victoriametrics", "url": server.url}
    try:
        yield Absent(store, server.start, lambda: points_in(server.url), None)
    finally:
        server.stop()


def rows(folder: Path, scale: Scale) -> list[Row]:
    """Measure both stores, one after the other, round by round."""
    readings = scale.of(10_000_000, 1_000_000)
    paces: dict[str, list[Pace]] = {}
    during: list[float] = []
    calm: list[float] = []
    for number in range(scale.rounds):
        for name, absent in (
            ("a store that accepts everything", null_store),
            ("VictoriaMetrics", victoria_store),
        ):
            place = folder / f"{number}-{absent.__name__}"
            with absent(place / "store") as store:
                found, ages = drained(store, place, readings, calm=scale.of(3, 1))
            paces.setdefault(name, []).append(found)
            if ages:
                during.append(p99(ages[0]))
                calm.append(p99(ages[1]))
    fresh = (
        f"; fresh readings arrive within {median(during) * 1000:.0f} ms (p99), "
        f"{median(calm) * 1000:.0f} ms when there is no backlog"
    )
    return [
        Row(
            f"drain of a {count(readings)} reading spool into {name}",
            f">= {count(WANTED)}/s, live batches still fresh",
            f"{spread(some)}{'' if number else fresh}",
            "",
            middle(some).per_second >= WANTED and median(during) < 1,
        )
        for number, (name, some) in enumerate(paces.items())
    ]


def drained(
    absent: Absent, folder: Path, readings: int, *, calm: float
) -> tuple[Pace, tuple[list[float], list[float]] | None]:
    """Fill a spool while the store is away, and let it come back.

    Args:
        absent: The store.
        folder: Where the daemon works.
        readings: How many to spool.
        calm: How long to go on when the spool is empty, in seconds.

    Returns:
        How fast the spool went, and how old live readings were when they
        arrived, during that and after it, in seconds.
    """
    report = folder / "report.json"
    with daemon.running(
        folder,
        stores={"store": {**absent.store, "retry_max": "1s", "batch": {"linger": "50ms"}}},
        collectors={
            "flood": {"plugin": "flood", "params": {"readings": readings, "report": str(report)}},
            "live": {"plugin": "live"},
        },
        log_level="error",
    ) as running:
        running.said(report)
        spooled = running.spooled()
        absent.come()
        running.wait_until_draining()
        began, cpu = time.monotonic(), running.cpu
        # Live readings older than the horizon queue like everything else, so the
        # spool is empty only for an instant: what counts is when the flood is gone.
        end, cpu = running.wait_until_empty(), running.cpu - cpu
        time.sleep(calm)
    if (points := absent.points()) < readings:
        raise RuntimeError(f"expected at least {readings} points in the store, got {points}")
    found = pace(spooled, seconds=end - began, cpu=cpu)
    if absent.ages is None:
        return found, None
    ages = [(at, age) for at, age in absent.ages() if at - age > began]
    return found, (
        [age for at, age in ages if at < end],
        [age for at, age in ages if at - age > end],
    )
