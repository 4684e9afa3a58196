"""What is told of a collector's runs: their records, the metrics, and one line of log for each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, Self

from ingestd.collecting.run import RunCounts
from ingestd.health import LateSeries
from ingestd.metrics import Metrics
from ingestd.records import RunRecord, StateStore
from ingestd.redaction import Redactor

LONGEST_ERROR: Final = 1000  # characters
LATE_NAMED: Final = 20  # late series in a record


@dataclass(frozen=True, slots=True)
class Standing:
    """How a run went, as far as a change from one run to the next is worth a line in the log.

    Attributes:
        outcome: How it ended.
        error: Why it failed.
        usable: Whether all of its readings could be stored.
        late: Whether series have given nothing for too long.
    """

    outcome: str
    error: str
    usable: bool
    late: bool

    @classmethod
    def of(cls, record: RunRecord) -> Self:
        """Return that of a run."""
        return cls(record.outcome, record.error, usable=not record.unusable, late=bool(record.late))


class Report:
    """Tells of the runs of one collector.

    Args:
        collector: Its name.
        states: Where records are kept.
        metrics: Where runs and readings are counted.
        redactor: Takes secrets out of what plugins say.
        log: Bound to the collector. A run that goes as the one before it is told for debugging
            only, since thousands of collectors would fill any disk; the records have all.
    """

    def __init__(
        self, collector: str, *, states: StateStore, metrics: Metrics, redactor: Redactor, log: Any
    ) -> None:
        self._collector, self._states, self._metrics = collector, states, metrics
        self._redactor, self._log = redactor, log
        self._noted = RunCounts()
        self._told: Standing | None = None

    def note(self, counts: RunCounts) -> None:
        """Add to the metrics what a run has given since it was noted last."""
        self._count(counts)
        self._noted = replace(counts, unusable=Counter(counts.unusable))

    def _count(self, counts: RunCounts) -> None:
        metrics, before = self._metrics, self._noted
        metrics.readings.labels(self._collector).inc(counts.readings - before.readings)
        if counts.unusable:
            for reason, number in (counts.unusable - before.unusable).items():
                metrics.unusable.labels(self._collector, reason).inc(number)

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
        self._count(counts)
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
        before, self._told = self._told, Standing.of(record)
        news = self._told != before
        if record.failed:
            # Of the same failure only the 1st, 2nd, 4th, 8th time and so on.
            log = self._log.warning if news or failures.bit_count() == 1 else self._log.debug
            log("run failed", error=record.error, failures=failures, **values)
        else:
            log = self._log.info if news else self._log.debug
            log(f"run {record.outcome}", **values)
