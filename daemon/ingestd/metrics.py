"""Our own counters, in the names that Prometheus users expect.

What a stage counts for itself becomes a metric where it is counted, as in
``delivery/metrics.py``, and is read with each request; see ``web/metrics.py``.
"""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Summary,
    disable_created_metrics,
)

# In the text format each would be a gauge of its own, twice as many lines for nothing.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """The counters of one daemon, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.runs = Counter(
            "ingestd_runs",
            "Runs that ended, by how.",
            ["collector", "outcome"],
            registry=self.registry,
        )
        self.run_seconds = Summary(
            "ingestd_run_duration_seconds",
            "How long runs took.",
            ["collector"],
            registry=self.registry,
        )
        self.start_lag = Histogram(
            "ingestd_run_start_lag_seconds",
            "How late runs started.",
            buckets=(0.005, 0.025, 0.1, 0.25, 1, 5, 30),
            registry=self.registry,
        )
        self.missed = Counter(
            "ingestd_ticks_missed",
            "Ticks without a run: the previous one was still going, or backing off.",
            ["collector"],
            registry=self.registry,
        )
        self.readings = Counter(
            "ingestd_readings",
            "Readings that collectors gave.",
            ["collector"],
            registry=self.registry,
        )
        self.unusable = Counter(
            "ingestd_readings_unusable",
            "Readings that could not be stored, by reason.",
            ["collector", "reason"],
            registry=self.registry,
        )
        self.backfill_readings = Counter(
            "ingestd_backfill_readings",
            "Readings that backfills gave, those of windows that were read again included.",
            ["collector"],
            registry=self.registry,
        )
        self.reload_ok = Gauge(
            "ingestd_config_last_reload_successful",
            "Whether the last config that was read is the one in use.",
            registry=self.registry,
        )
        self.reload_time = Gauge(
            "ingestd_config_last_reload_success_timestamp_seconds",
            "When the config in use was read.",
            registry=self.registry,
        )

    def expect(self, collector: str, outcomes: Iterable[str]) -> None:
        """Begin the counters of a collector with 0, so that the first increase is one."""
        for outcome in outcomes:
            self.runs.labels(collector, outcome)
        for metric in (self.run_seconds, self.missed, self.readings):
            metric.labels(collector)

    def total_runs(self) -> float:
        """Return how many runs of all collectors have ended."""
        (family,) = self.runs.collect()
        return sum(each.value for each in family.samples)

    def forget(self, collector: str) -> None:
        """Drop the series of a collector that is no longer configured."""
        self.runs.remove_by_labels({"collector": collector})
        self.unusable.remove_by_labels({"collector": collector})
        for metric in (
            self.run_seconds,
            self.missed,
            self.readings,
            self.backfill_readings,
        ):
            metric.remove_by_labels({"collector": collector})


class HourSummary:
    """Counts what has happened since it was asked last.

    Args:
        runs: Returns how many runs have ended.
        stored: Returns how many points each store has taken, by its name.
    """

    def __init__(
        self, *, runs: Callable[[], float], stored: Callable[[], Mapping[str, int]]
    ) -> None:
        self._runs, self._stored = runs, stored
        self._last_runs, self._last_stored = runs(), stored()

    def since_last(self) -> dict[str, int]:
        """Return how many runs have ended, and how many readings the stores have taken.

        What was counted for a collector that was removed is not among it, and a store whose
        delivery was replaced is counted from then on.
        """
        before, runs, stored = self._last_stored, self._runs(), self._stored()
        ended = max(0, int(runs - self._last_runs))
        taken = [
            number - before.get(name, 0) if number >= before.get(name, 0) else number
            for name, number in stored.items()
        ]
        self._last_runs, self._last_stored = runs, stored
        return {"runs": ended, "stored": sum(taken)}
