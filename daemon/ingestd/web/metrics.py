"""``/metrics``: our own counters, and what the stages count for themselves.

What the stages hold is read in one go between two turns of the event loop, so
that within one answer, for every store,

    accepted + inherited = stored + spool + dead letters + dropped + in memory.

The text is made in a thread, because thousands of collectors make a long one.
"""

import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry, Metric, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector as MetricSource

from ingestd import __version__
from ingestd.app import Daemon
from ingestd.backfilling import BackfillRecord
from ingestd.delivery import buffer_metrics, store_metrics
from ingestd.web.call import Call, Nothing, Route, Text, get
from ingestd.web.healthmetrics import health_metrics

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


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
    collectors, overview = daemon.collectors.by_name, daemon.overview()
    for collector in collectors.values():
        collector.note()
    yield from store_metrics(daemon.deliveries.by_store)
    yield from buffer_metrics(daemon.buffer)
    about = GaugeMetricFamily("ingestd_build_info", "What runs here.", labels=["version", "python"])
    about.add_metric([__version__, platform.python_version()], 1)
    yield about
    yield from _backfills(daemon.backfills.unfinished)
    for name, text, value in (
        ("ingestd_collectors", "Collectors that are enabled.", len(collectors)),
        (
            "ingestd_collectors_failing",
            "Collectors whose last run failed, or whose stream has no connection.",
            sum(each.state.is_failing for each in overview.collectors.values()),
        ),
    ):
        yield GaugeMetricFamily(name, text, value=value)
    yield from health_metrics(overview, collectors)
    held_up = CounterMetricFamily(
        "ingestd_event_loop_held_up_seconds",
        "For how long a collector's plugin has held up the event loop; empty for no plugin.",
        labels=["collector"],
    )
    for name in ("", *collectors):
        held_up.add_metric([name], daemon.held_up_seconds.get(name, 0.0))
    yield held_up


def _backfills(unfinished: Sequence[BackfillRecord]) -> Iterator[Metric]:
    """Return how those backfills stand that are neither done nor cancelled."""
    for name, text, value in OF_BACKFILLS:
        family = GaugeMetricFamily(name, text, labels=["collector"])
        for each in unfinished:
            family.add_metric([each.collector], value(each))
        yield family


ROUTES: Final[tuple[Route, ...]] = (get("/metrics", metrics),)
