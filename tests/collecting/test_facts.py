"""The facts of a collector's health at a moment, told without a run."""

from dataclasses import replace
from typing import Any, Final

import pytest

from ingestd.collecting.schedule import interval
from ingestd.collecting.vitals import RECOVERED, UNUSABLE_LONG, WAITS_LONG, Course, Pulse, Vitals
from ingestd.config.model import CollectorConfig
from ingestd.health import CollectorFacts
from ingestd.model import Series
from ingestd.records import Outcome, RunRecord
from tests.support.clock import START, VirtualClock

QUIET: Final = Course(
    pulse=None, unusable="", last=None, failures=0, retry_in=0.0, degraded="", full="", blocked=""
)
LEVEL: Final = Series("level", (("room", "7"),), "reading", "value")


class Known:
    """The vitals of a collector, every ten seconds or a stream, on a clock of their own."""

    def __init__(self, *, stream: bool = False, first_started: float | None = None) -> None:
        self.clock = VirtualClock()
        every = None if stream else 10.0
        self.config = CollectorConfig(name="probe", plugin="probe", every=every, cadence=20.0)
        schedule = None if stream else interval(10.0)
        self.vitals = Vitals(self.config, schedule, clock=self.clock, first_started=first_started)

    def gave(self, series: Series = LEVEL) -> None:
        """Note a reading of now."""
        now, wall = self.clock.monotonic(), self.clock.now()
        self.vitals.watch.note({series: round(wall * 1e6)}, round(wall * 1e6), now=now, wall=wall)

    def facts(self, **course: Any) -> CollectorFacts:
        """Return the facts of a course that is quiet but for some of it."""
        return self.vitals.facts(replace(QUIET, **course))


def record(outcome: Outcome, error: str = "") -> RunRecord:
    """Return the record of a run that ended so."""
    return RunRecord(collector="probe", tick=START, started=START, outcome=outcome, error=error)


async def test_series_are_listed_with_when_they_are_late() -> None:
    """Twice the cadence, two ticks of the schedule and half a minute after the newest reading."""
    known = Known()
    known.gave()
    assert known.facts().late == []
    await known.clock.advance(90.0)
    (before,) = known.vitals.series()
    await known.clock.advance(0.5)
    (after,) = known.vitals.series()

    assert (before.key.name, before.key.tags) == ("level", (("room", "7"),))
    assert (before.state, before.silent, before.every, before.newest) == ("fresh", 90, 20, START)
    assert (after.state, after.silent) == ("late", 90.5)
    assert [str(each) for each in known.facts().late] == ["level (room=7)"]


async def test_series_of_a_stream_are_late_without_any_ticks() -> None:
    """Twice the cadence and half a minute are all that it may take."""
    known = Known(stream=True)
    known.gave()
    assert known.facts().late == []
    await known.clock.advance(70.0)
    (before,) = known.vitals.series()
    assert known.facts().late == []
    await known.clock.advance(0.5)
    (after,) = known.vitals.series()

    assert (before.state, after.state) == ("fresh", "late")
    assert len(known.facts().late) == 1


async def test_a_reading_counts_as_soon_as_anybody_asks() -> None:
    """What was noted within the last second is looked at then."""
    known = Known()
    known.gave()
    known.gave(replace(LEVEL, name="flow"))

    assert [each.key.name for each in known.vitals.series()] == ["level", "flow"]
    known.gave(replace(LEVEL, name="heat"))
    facts = known.facts()
    assert (facts.series, facts.has_given) == (3, True)


async def test_what_has_never_run_knows_when_it_will() -> None:
    """Its first tick, and for how long it has been there."""
    known = Known()
    await known.clock.advance(4.0)

    facts = known.facts()

    assert (facts.name, facts.schedule) == ("probe", "every 10s")
    assert (facts.two_ticks, facts.cadence) == (20, 20)
    assert (facts.due_in, facts.known_for, facts.quiet_for) == (6, 4, 4)
    assert facts.running_for is None
    assert (facts.has_given, facts.succeeded, facts.series) == (False, False, 0)
    assert known.facts(pulse=Pulse(0.0)).due_in is None
    assert known.facts(last=record(Outcome.OK)).due_in is None


@pytest.mark.parametrize(
    ("started", "known_for"), [(None, 0), (START - 7200, 7200), (START + 3600, 0)]
)
async def test_it_is_known_since_its_first_run_on_record(
    started: float | None, known_for: float
) -> None:
    """A clock that was ahead then makes that no time in the future."""
    assert Known(first_started=started).facts().known_for == known_for


async def test_quiet_counts_from_the_newest_of_good_runs_and_readings() -> None:
    """A run that goes on and gives readings is not quiet."""
    known = Known()
    await known.clock.advance(13.0)
    known.vitals.went_well(known.clock.now())
    await known.clock.advance(9.0)

    assert known.facts().quiet_for == 9
    assert known.facts(pulse=Pulse(15.0)).quiet_for == 9
    assert known.facts(pulse=Pulse(15.0, result_at=20.0)).quiet_for == 2
    assert known.facts(pulse=Pulse(1.0, result_at=2.0)).quiet_for == 9
    assert known.facts(pulse=Pulse(15.0)).running_for == 7
    assert known.facts().two_ticks == 17  # from the end of the good run
    assert known.vitals.succeeded_at == START + 13


@pytest.mark.parametrize(
    ("outcome", "succeeded", "failures"),
    [
        (Outcome.OK, True, 0),
        (Outcome.DEGRADED, True, 0),
        (Outcome.CANCELLED, False, 0),
        (Outcome.FAILED, False, 1),
        (Outcome.TIMEOUT, False, 1),
    ],
)
async def test_the_last_run_on_record_counts(
    outcome: Outcome,
    succeeded: bool,  # noqa: FBT001
    failures: int,
) -> None:
    """One that failed before the daemon started is a failure all the same."""
    facts = Known().facts(last=record(outcome, "why"))

    assert (facts.succeeded, facts.failures, facts.error) == (succeeded, failures, "why")
    assert Known().facts(last=record(outcome), failures=3).failures == 3


async def test_what_the_course_tells_is_passed_on() -> None:
    """And what the plugin says of its connection."""
    pulse = Pulse(0.0)
    pulse.connection("", "the first message")
    up = Known().facts(retry_in=4.0, degraded="half of it", blocked="line 7", pulse=pulse)
    pulse.connection("refused")
    down = Known().facts(pulse=pulse)

    assert (up.retry_in, up.degraded, up.blocked) == (4, "half of it", "line 7")
    assert (up.disconnected, up.awaits) == ("", "the first message")
    assert (down.disconnected, down.awaits) == ("refused", "")


@pytest.mark.parametrize(
    ("stream", "pulse", "failures"),
    [
        (True, Pulse(0.0), 1),
        (True, Pulse(-0.5), 0),
        (True, Pulse(0.0, usable=True), 0),
        (True, Pulse(0.0, connected=True), 0),
        (False, Pulse(0.0, usable=True), 1),
        (True, None, 1),
    ],
)
async def test_a_stream_overcomes_its_failure_while_it_runs(
    stream: bool,  # noqa: FBT001
    pulse: Pulse | None,
    failures: int,
) -> None:
    """By a reading, a connection or a minute; what has a schedule ends its run first."""
    known = Known(stream=stream)
    await known.clock.advance(RECOVERED)

    assert known.facts(pulse=pulse, failures=1, last=record(Outcome.FAILED)).failures == failures


async def test_a_stream_whose_readings_are_unusable_for_a_while_fails() -> None:
    """One usable reading ends that, and what has a schedule is judged at the end of its run."""
    known, pulse = Known(stream=True), Pulse(0.0)
    pulse.gave(usable=False, now=0.0)
    await known.clock.advance(UNUSABLE_LONG)
    pulse.gave(usable=False, now=known.clock.monotonic())
    before = known.facts(pulse=pulse, unusable="all of them")
    await known.clock.advance(0.5)
    after = known.facts(pulse=pulse, unusable="all of them")
    pulse.gave(usable=True, now=known.clock.monotonic())
    mended = known.facts(pulse=pulse, unusable="all of them")

    assert (before.failures, before.error) == (0, "")
    assert (after.failures, after.error) == (1, "all of them")
    assert (mended.failures, mended.error) == (0, "")
    scheduled = Known()
    await scheduled.clock.advance(2 * UNUSABLE_LONG)
    assert scheduled.facts(pulse=Pulse(0.0, unusable_since=0.0), unusable="all").failures == 0


async def test_only_a_long_wait_is_a_pause() -> None:
    """A buffer that is full for a moment is no trouble."""
    known, pulse = Known(), Pulse(0.0, waits_since=0.0)
    await known.clock.advance(WAITS_LONG)
    before = known.facts(pulse=pulse, full="the spool is full")
    await known.clock.advance(0.5)
    after = known.facts(pulse=pulse, full="the spool is full")

    assert (before.paused, after.paused) == ("", "the spool is full")
    assert known.facts(pulse=Pulse(0.0), full="the spool is full").paused == ""


async def test_what_comes_in_the_place_of_a_collector_goes_on_with_what_was_known() -> None:
    """Its series, since when it is known, and when it went well."""
    before = Known(first_started=START - 7200)
    before.gave()
    before.vitals.went_well(START + 1)
    after = Vitals(before.config, interval(10.0), clock=before.clock)

    after.follow(before.vitals)
    facts = after.facts(QUIET)

    assert (facts.series, facts.known_for, after.succeeded_at) == (1, 7200, START + 1)
