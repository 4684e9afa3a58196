"""What the log says of an hour."""

from ingestd.metrics import HourSummary, Metrics


def test_each_hour_counts_for_itself() -> None:
    """A collector that goes, and a store whose count begins anew, make no number negative."""
    metrics, stored = Metrics(), {"main": 0}
    summary = HourSummary(runs=metrics.total_runs, stored=lambda: dict(stored))
    metrics.runs.labels("a", "ok").inc(3)
    metrics.runs.labels("b", "failed").inc(2)
    stored["main"] = 100
    first = summary.since_last()
    metrics.forget("a")
    stored |= {"main": 7, "other": 5}
    second = summary.since_last()
    metrics.runs.labels("b", "failed").inc()
    third = summary.since_last()

    assert first == {"runs": 5, "stored": 100}
    assert second == {"runs": 0, "stored": 12}
    assert third == {"runs": 1, "stored": 0}
