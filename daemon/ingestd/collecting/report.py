"""What is told of a collector's runs: their records, the metrics, and one line of log for each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from ingestd.collecting.run import RunCounts
from ingestd.health import LateSeries
from ingestd.metrics import Metrics
from ingestd.records import RunRecord, StateStore
from ingestd.redaction import Redactor

LONGEST_ERROR: Final = 1000  # characters
LATE_NAMED: Final = 20  # late series in a record


class Report:
    """Tells of the runs of one collector.

    Args:
        collector: Its name.
        states: Where records are kept.
        metrics: Where runs and readings are counted.
        redactor: Takes secrets out of what plugins say.
        log: Bound to the collector.

    """

    def __init__(
        self, collector: str, *, states: StateStore, metrics: Metrics, redactor: Redactor, log: Any
    ) -> None:
        self._collector, self._states, self._metrics = collector, states, metrics
        self._redactor, self._log = redactor, log
        self._noted = RunCounts()

    def note(self, counts: RunCounts) -> None:
        """Add to the metrics what a run has given since it was noted last."""
        metrics, before = self._metrics, self._noted
        metrics.readings.labels(self._collector).inc(counts.readings - before.readings)
        for reason, number in (counts.unusable - before.unusable).items():
            metrics.unusable.labels(self._collector, reason).inc(number)
        self._noted = replace(counts, unusable=Counter(counts.unusable))

    def complete(self, record: RunRecord, counts: RunCounts, *, late: Sequence[LateSeries]) -> None:
        """Fill in what a run that ended has given, without any secrets.

        Args:
            record: How it went.
            counts: What it has given.
            late: The series that have given nothing for too long.
        """
        text = partial(self._redactor.text, owner=self._collector)
        record.readings, record.points = counts.readings, counts.points
        record.unusable = dict(counts.unusable)
        record.samples = [text(sample) for sample in counts.samples]
        record.error, record.details = text(record.error)[:LONGEST_ERROR], text(record.details)
        record.output = text(record.output or counts.output)
        record.degraded = text(counts.degraded)
        record.notes = [text(note) for note in counts.notes]
        record.late = len(late)
        record.late_series = [text(str(each)) for each in late[:LATE_NAMED]]

    def tell(self, record: RunRecord, counts: RunCounts, *, failures: int) -> None:
        """Count a run whose record is complete, keep that, and log its line.

        Args:
            record: How it went.
            counts: What it has given.
            failures: How many runs have failed in a row, this one included.
        """
        self._metrics.runs.labels(self._collector, record.outcome).inc()
        self._metrics.run_seconds.labels(self._collector).observe(record.seconds)
        self.note(counts)
        self._noted = RunCounts()
        record.id = self._states.add_run(record)
        self._log_line(record, failures)

    def _log_line(self, record: RunRecord, failures: int) -> None:
        values: dict[str, Any] = {
            "run": record.id,
            "seconds": round(record.seconds, 3),
            "readings": record.readings,
        }
        if record.unusable:
            values["unusable"] = dict(record.unusable)
        if record.degraded:
            values["degraded"] = record.degraded
        if record.late:
            values["late"] = record.late
        if record.failed:
            self._log.warning("run failed", error=record.error, failures=failures, **values)
        else:
            self._log.info(f"run {record.outcome}", **values)
