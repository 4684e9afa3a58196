"""How collectors are, as far as the files tell: their last runs, and what their series gave."""

import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from ingestd.collecting import schedule_of
from ingestd.config import CollectorConfig, Config
from ingestd.health import CollectorFacts, KnownSeries, Overview, SeriesWatch, StoreFacts
from ingestd.model import MICROSECONDS
from ingestd.records import Paces, RunRecord, load_paces
from ingestd.records import runs as runrecords


@dataclass(frozen=True, slots=True)
class FromFiles:
    """What the state database says of collectors.

    Attributes:
        last: The newest record of each, by name.
        first_started: When the first run on record of each began, in seconds since the epoch.
        paces: What their series gave, by the name of the collector.
    """

    last: Mapping[str, RunRecord] = field(default_factory=dict)
    first_started: Mapping[str, float] = field(default_factory=dict)
    paces: Mapping[str, Paces] = field(default_factory=dict)

    @classmethod
    def read(cls, db: sqlite3.Connection) -> "FromFiles":
        """Read what the state database says."""
        columns = {row[1] for row in db.execute("PRAGMA table_info(series)")}
        return cls(
            last={each.collector: each for each in runrecords.latest_runs(db)[0]},
            first_started=runrecords.first_runs(db),
            paces=load_paces(db)[0] if "moved_at" in columns else {},  # not of an older ingestd
        )

    def overview(self, config: Config, stores: list[StoreFacts]) -> Overview:
        """Judge what was known when it was written."""
        enabled = [each for each in config.collectors.values() if each.enabled]
        return Overview.of(map(self._facts, enabled), stores)

    def series(self, config: CollectorConfig) -> list[KnownSeries]:
        """Return every series of a collector with what was known of it."""
        watch, two_ticks = self._watch(config), _two_ticks(config)
        return list(watch.listed(two_ticks=two_ticks or 0.0, now=0.0))

    def newest(self, config: CollectorConfig) -> float | None:
        """Return the newest time of any reading of a collector, in seconds since the epoch."""
        newest_us = self._watch(config).newest_us
        return None if newest_us is None else newest_us / MICROSECONDS

    def _watch(self, config: CollectorConfig) -> SeriesWatch:
        watch = SeriesWatch(config.cadence)
        watch.resume(self.paces.get(config.name, {}), now=0.0)
        return watch

    def _facts(self, config: CollectorConfig) -> CollectorFacts:
        last, watch, two_ticks = self.last.get(config.name), self._watch(config), _two_ticks(config)
        now = time.time()
        return CollectorFacts(
            name=config.name,
            schedule=config.schedule_text,
            two_ticks=two_ticks,
            cadence=config.cadence,
            known_for=max(0.0, now - self.first_started.get(config.name, now)),
            succeeded=last is not None and not last.failed and last.outcome != "cancelled",
            has_given=len(watch) > 0,
            failures=int(last is not None and last.failed),
            error=last.error if last else "",
            degraded=last.degraded if last else "",
            due_in=None if last else _first_due_in(config),
            late=watch.late(two_ticks=two_ticks or 0.0, now=0.0),
            series=len(watch),
        )


def _first_due_in(config: CollectorConfig) -> float | None:
    schedule, now = schedule_of(config), time.time()
    scheduled = schedule is not None and not config.on_request
    return schedule.next_after(now) - now if schedule and scheduled else None


def _two_ticks(config: CollectorConfig) -> float | None:
    schedule, now = schedule_of(config), time.time()
    return schedule.next_after(schedule.next_after(now)) - now if schedule else None
