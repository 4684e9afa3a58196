"""``/metrics``: our own counters, and what the stages count for themselves.

What the stages hold is read in one go between two turns of the event loop, so
that within one answer, for every store,

    accepted + inherited = stored + spool + dead letters + dropped + in memory.

The text is made in a thread, because thousands of collectors make a long one.
"""

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry, Metric, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector as MetricSource

from ingestd import __version__
from ingestd.app import Daemon
from ingestd.backfilling import BackfillRecord
from ingestd.delivery import Delivery
from ingestd.web.call import Call, Nothing, Route, Text, get

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class OfStore:
    """A metric that every store has; its value may be missing.

    Attributes:
        value: Reads it.
    """

    name: str
    text: str
    value: Callable[[Delivery], float | None]

    def family(self, deliveries: Mapping[str, Delivery]) -> Metric:
        """Return it for every store as it is now."""
        # Counters are those whose name says so.
        kind = CounterMetricFamily if self.name.endswith("_total") else GaugeMetricFamily
        family = kind(self.name, self.text, labels=["store"])
        for store, delivery in deliveries.items():
            if (value := self.value(delivery)) is not None:
                family.add_metric([store], value)
        return family


OF_STORES: Final = (
    OfStore(
        "ingestd_points_accepted_total",
        "Points that were taken in for the store.",
        lambda it: it.lane.accepted,
    ),
    OfStore(
        "ingestd_points_inherited_total",
        "Points found in the spool and among the dead letters at the start.",
        lambda it: it.account.inherited,
    ),
    OfStore(
        "ingestd_points_stored_total",
        "Points that the store took.",
        lambda it: it.account.stored,
    ),
    OfStore(
        "ingestd_points_dropped_total",
        "Points given up: spool full, too old, damaged on disk, or purged by the operator.",
        lambda it: it.account.dropped,
    ),
    OfStore(
        "ingestd_points_in_memory",
        "Points in memory on their way to the store.",
        lambda it: it.in_memory,
    ),
    OfStore("ingestd_spool_points", "Points on disk that wait.", lambda it: it.spooled),
    OfStore("ingestd_spool_bytes", "Weight of what waits.", lambda it: it.spool.holds.size_bytes),
    OfStore("ingestd_spool_limit_bytes", "Most that may wait.", lambda it: it.spool.limit_bytes),
    OfStore(
        "ingestd_spool_oldest_timestamp_seconds",
        "When the first of what waits was spooled; missing while nothing waits.",
        lambda it: it.spool.holds.oldest_at,
    ),
    OfStore(
        "ingestd_dead_letters", "Points that the store refused for good.", lambda it: it.dead.count
    ),
    OfStore(
        "ingestd_store_up", "Whether the store takes what it is sent.", lambda it: it.outage.up
    ),
)


OF_BACKFILLS: Final[Sequence[tuple[str, str, Callable[[BackfillRecord], float]]]] = (
    (
        "ingestd_backfill_done_ratio",
        "How much of an unfinished backfill is done.",
        lambda it: it.done,
    ),
    (
        "ingestd_backfill_position_timestamp_seconds",
        "Everything that it is to read before this time is safe.",
        lambda it: it.position,
    ),
    (
        "ingestd_backfill_failures",
        "How often in a row its present window has failed.",
        lambda it: it.failures,
    ),
)


class Answer(CollectorRegistry):
    """What one answer is made of: a snapshot, and what is safe to read from a thread."""

    def __init__(self, snapshot: Sequence[Metric], rest: Iterable[MetricSource]) -> None:
        super().__init__()
        self._snapshot, self._rest = snapshot, tuple(rest)

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        yield from self._snapshot
        for source in self._rest:
            yield from source.collect()


_PROCESS: Final = ProcessCollector(registry=None)


async def metrics(call: Call[Nothing, Nothing]) -> Text:
    """Return the metrics in Prometheus' text format."""
    daemon = call.daemon
    answer = Answer(list(_snapshot(daemon)), [daemon.metrics.registry, _PROCESS])
    return Text(partial(generate_latest, answer), content_type=CONTENT_TYPE)


def _snapshot(daemon: Daemon) -> Iterator[Metric]:
    collectors = daemon.collectors.by_name.values()
    for collector in collectors:
        collector.note()
    for metric in OF_STORES:
        yield metric.family(daemon.deliveries.by_store)
    about = GaugeMetricFamily("ingestd_build_info", "What runs here.", labels=["version", "python"])
    about.add_metric([__version__, platform.python_version()], 1)
    yield about
    yield from _backfills(daemon.backfills.unfinished)
    for name, text, value in (
        ("ingestd_buffer_points", "Points in memory that are not safe yet.", daemon.buffer.held),
        ("ingestd_buffer_capacity_points", "Most of them.", daemon.buffer.capacity),
        ("ingestd_collectors", "Collectors that are enabled.", len(collectors)),
        (
            "ingestd_collectors_failing",
            "Collectors whose last run failed.",
            sum(each.failing for each in collectors),
        ),
    ):
        yield GaugeMetricFamily(name, text, value=value)


def _backfills(unfinished: Sequence[BackfillRecord]) -> Iterator[Metric]:
    """Return how those backfills stand that are neither done nor cancelled."""
    for name, text, value in OF_BACKFILLS:
        family = GaugeMetricFamily(name, text, labels=["collector"])
        for each in unfinished:
            family.add_metric([each.collector], value(each))
        yield family


ROUTES: Final[tuple[Route, ...]] = (get("/metrics", metrics),)
