"""The metrics of the health model: states, times, and the series that are late."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from ingestd.collecting import Collector
from ingestd.health import Overview, State
from ingestd.model import MICROSECONDS

MOST_LATE: Final = 20  # series of a collector; a campus that is cut off has thousands

OF_COLLECTORS: Final[Sequence[tuple[str, str, Callable[[Collector], float]]]] = (
    (
        "ingestd_collector_newest_reading_timestamp_seconds",
        "The newest time of any usable reading; the time of the start while there is none.",
        lambda it: it.known_since if it.newest_us is None else it.newest_us / MICROSECONDS,
    ),
    (
        "ingestd_collector_last_success_timestamp_seconds",
        "When the newest good run ended; the time of the start while there was none.",
        lambda it: it.known_since if it.succeeded_at is None else it.succeeded_at,
    ),
    (
        "ingestd_collector_failures",
        "How many runs have failed in a row.",
        lambda it: it.failures,
    ),
)


def health_metrics(overview: Overview, collectors: Mapping[str, Collector]) -> Iterator[Metric]:
    """Yield how every collector is."""
    states = GaugeMetricFamily(
        "ingestd_collector_state",
        "1 for the state in which a collector is, 0 for all others.",
        labels=["collector", "state"],
    )
    for name, health in overview.collectors.items():
        for state in State:
            states.add_metric([name, state], state is health.state)
    yield states
    for metric, text, value in OF_COLLECTORS:
        family = GaugeMetricFamily(metric, text, labels=["collector"])
        for name, collector in collectors.items():
            family.add_metric([name], value(collector))
        yield family
    yield from _series(overview)


def _series(overview: Overview) -> Iterator[Metric]:
    known = GaugeMetricFamily(
        "ingestd_collector_series", "Series that a collector has given.", labels=["collector"]
    )
    late = GaugeMetricFamily(
        "ingestd_collector_series_late",
        "Those of them that have given nothing for too long.",
        labels=["collector"],
    )
    silent = GaugeMetricFamily(
        "ingestd_series_silent_seconds",
        "For how long a late series has given nothing; of each collector the 20 longest.",
        labels=["collector", "series"],
    )
    for name, facts in overview.facts.items():
        known.add_metric([name], facts.series)
        late.add_metric([name], len(facts.late))
        for each in facts.late[:MOST_LATE]:
            silent.add_metric([name, str(each)], each.silent)
    yield from (known, late, silent)
