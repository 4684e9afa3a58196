"""What shows how a collector is: the pulse of the run under way, and when runs went well."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ingestd.clock import Clock
from ingestd.collecting.schedule import Schedule
from ingestd.config import CollectorConfig
from ingestd.health import CollectorFacts, KnownSeries, LateSeries, SeriesKey, SeriesWatch
from ingestd.records import RunRecord

WAITS_LONG: Final = 5.0  # seconds; a buffer that is full for a moment is no trouble
UNUSABLE_LONG: Final = 30.0  # seconds without one usable reading of a stream
RECOVERED: Final = 60.0  # seconds; a stream that goes on for so long has overcome its failure


@dataclass(slots=True)
class Pulse:
    """What a run under way shows of itself; times are in monotonic seconds.

    Attributes:
        began: When it began.
        result_at: When it gave readings last, or None.
        usable: Whether it has ever given a usable reading.
        unusable_since: When the first came of those after which none was usable, or None.
        waits_since: Since when its points wait to be taken, or None.
        connected: Whether the plugin has said that its connection is up.
        disconnected: Why the plugin says that it is down, or an empty string.
        awaits: What the plugin says that it waits for, or an empty string.
    """

    began: float
    result_at: float | None = None
    usable: bool = False
    unusable_since: float | None = None
    waits_since: float | None = None
    connected: bool = False
    disconnected: str = ""
    awaits: str = ""

    def gave(self, *, usable: bool, now: float) -> None:
        """Note that the run gave readings."""
        self.result_at = now
        if usable:
            self.usable, self.unusable_since = True, None
        elif self.unusable_since is None:
            self.unusable_since = now

    def connection(self, problem: str, awaits: str = "") -> None:
        """Note that the connection of the stream is up and what it waits for, or why it is down."""
        self.connected, self.disconnected, self.awaits = not problem, problem, awaits

    def has_recovered(self, now: float) -> bool:
        """Say whether a stream goes well after a failure."""
        return self.usable or self.connected or now - self.began > RECOVERED


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Where a collector stands at a moment.

    Attributes:
        pulse: That of the run under way, or None.
        unusable: What is told if all that this run has given for a while is unusable.
        last: The record of the newest run that ended, or None.
        failures: How many runs have failed in a row.
        retry_in: For how many seconds it goes on to back off.
        degraded: What the plugin reports as wrong.
        full: What keeps points from being taken.
        blocked: The line with which it held up the event loop, or an empty string.
    """

    pulse: Pulse | None
    unusable: str
    last: RunRecord | None
    failures: int
    retry_in: float
    degraded: str
    full: str
    blocked: str


class Vitals:
    """Remembers when a collector began and went well, and tells the facts of its health.

    Args:
        config: What the operator wrote.
        schedule: Its ticks, or None for a stream.
        watch: Its series; by default those that it will meet.
        first_started: When its first run on record began, in seconds since the epoch, or None.
    """

    def __init__(
        self,
        config: CollectorConfig,
        schedule: Schedule | None,
        *,
        clock: Clock,
        watch: SeriesWatch | None = None,
        first_started: float | None = None,
    ) -> None:
        self._config, self._schedule, self._clock = config, schedule, clock
        self.watch = SeriesWatch(config.cadence) if watch is None else watch
        now, wall = clock.monotonic(), clock.now()
        self._good_at = now
        self.known_since = now - max(0.0, wall - (wall if first_started is None else first_started))
        self._two_ticks = self._next_two_ticks()
        self.succeeded_at: float | None = None  # seconds since the Unix epoch

    def went_well(self, ended: float) -> None:
        """Note the end of a good run, in seconds since the Unix epoch."""
        self._good_at, self._two_ticks = self._clock.monotonic(), self._next_two_ticks()
        self.succeeded_at = ended

    def follow(self, before: "Vitals") -> None:
        """Go on with what is known of the collector in whose place this one comes."""
        now, wall = self._clock.monotonic(), self._clock.now()
        self.watch.take_over(before.watch, now=now, wall=wall)
        self.known_since, self.succeeded_at = before.known_since, before.succeeded_at

    def _next_two_ticks(self) -> float | None:
        if self._schedule is None:
            return None
        now = self._clock.now()
        return self._schedule.next_after(self._schedule.next_after(now)) - now

    def _first_due_in(self) -> float | None:
        if self._schedule is None or self._config.on_request:
            return None
        now = self._clock.now()
        return self._schedule.next_after(now) - now

    def series(self, only: Iterable[SeriesKey] | None = None) -> Iterator[KnownSeries]:
        """Yield series with what is known of them: all, or those among some that there are."""
        now, wall = self._clock.monotonic(), self._clock.now()
        self.watch.look(now=now, wall=wall)
        return self.watch.listed(two_ticks=self._two_ticks or 0.0, now=now, only=only)

    def late(self) -> Sequence[LateSeries]:
        """Return the series that have given nothing for too long."""
        now = self._clock.monotonic()
        self.watch.look(now=now, wall=self._clock.now())
        return self.watch.late(two_ticks=self._two_ticks or 0.0, now=now)

    def facts(self, course: Course) -> CollectorFacts:
        """Return what is known of the collector now."""
        now, late = self._clock.monotonic(), self.late()
        pulse, last, stream = course.pulse, course.last, self._schedule is None
        failures, error = course.failures, last.error if last else ""
        if last is not None and last.failed:  # perhaps before the daemon started
            failures = max(1, failures)
        if stream and pulse is not None and failures and pulse.has_recovered(now):
            failures = 0
        if stream and pulse is not None and _long(pulse.unusable_since, UNUSABLE_LONG, now):
            failures, error = 1, course.unusable
        result_at = pulse.result_at if pulse and pulse.result_at is not None else self._good_at
        waits = pulse is not None and _long(pulse.waits_since, WAITS_LONG, now)
        return CollectorFacts(
            name=self._config.name,
            schedule=self._config.schedule_text,
            two_ticks=self._two_ticks,
            cadence=self._config.cadence,
            known_for=now - self.known_since,
            quiet_for=now - max(self._good_at, result_at),
            running_for=now - pulse.began if pulse else None,
            succeeded=last is not None and not last.failed and last.outcome != "cancelled",
            has_given=len(self.watch) > 0,
            failures=failures,
            error=error,
            retry_in=course.retry_in,
            degraded=course.degraded,
            disconnected=pulse.disconnected if pulse else "",
            awaits=pulse.awaits if pulse else "",
            due_in=self._first_due_in() if last is None and pulse is None else None,
            paused=course.full if waits else "",
            blocked=course.blocked,
            late=late,
            series=len(self.watch),
        )


def _long(since: float | None, seconds: float, now: float) -> bool:
    return since is not None and now - since > seconds
