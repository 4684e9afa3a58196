"""The metrics of the buffer and of every store, read from what the delivery counts for itself."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from ingestd.delivery.buffer import Buffer
from ingestd.delivery.delivery import Delivery


@dataclass(frozen=True, slots=True)
class OfStore:
    """A metric that every store has; its value may be missing.

    Attributes:
        value: Reads it.
        of_accounts: Whether it is a side of the accounting identity, which holds only once
            it is known what waits on disk.
    """

    name: str
    text: str
    value: Callable[[Delivery], float | None]
    of_accounts: bool = True

    def family(self, deliveries: Mapping[str, Delivery]) -> Metric:
        """Return the metric with its present value for every store."""
        # Counters are those whose name says so.
        kind = CounterMetricFamily if self.name.endswith("_total") else GaugeMetricFamily
        family = kind(self.name, self.text, labels=["store"])
        for store, delivery in deliveries.items():
            if self.of_accounts and not delivery.recovered.is_set():
                continue
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
    OfStore(
        "ingestd_spool_limit_bytes",
        "Most that may wait.",
        lambda it: it.spool.limit_bytes,
        of_accounts=False,
    ),
    OfStore(
        "ingestd_spool_full",
        "Whether spool or disk are full, so that collectors wait or lose their oldest readings.",
        lambda it: it.space.full,
        of_accounts=False,
    ),
    OfStore(
        "ingestd_spool_failed",
        "Whether the spool cannot be written for another reason, so that collectors wait.",
        lambda it: bool(it.space.failure),
        of_accounts=False,
    ),
    OfStore(
        "ingestd_spool_oldest_timestamp_seconds",
        "When the first of what waits was spooled; missing while nothing waits.",
        lambda it: it.spool.holds.oldest_at,
    ),
    OfStore(
        "ingestd_spool_suspect_points",
        "Points on disk over which the store fails, while it takes others.",
        lambda it: it.sender.suspects.points,
        of_accounts=False,
    ),
    OfStore(
        "ingestd_dead_letters", "Points that the store refused for good.", lambda it: it.dead.count
    ),
    OfStore(
        "ingestd_store_up",
        "Whether the store takes what it is sent.",
        lambda it: it.outage.up,
        of_accounts=False,
    ),
)


def store_metrics(deliveries: Mapping[str, Delivery]) -> Iterator[Metric]:
    """Yield the metrics of all stores as they are now."""
    for metric in OF_STORES:
        yield metric.family(deliveries)


def buffer_metrics(buffer: Buffer) -> Iterator[Metric]:
    """Yield the metrics of the buffer as it is now."""
    for name, text, value in (
        ("ingestd_buffer_points", "Points in memory that are not safe yet.", buffer.held),
        ("ingestd_buffer_capacity_points", "Most of them.", buffer.capacity),
    ):
        yield GaugeMetricFamily(name, text, value=value)
