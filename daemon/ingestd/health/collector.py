"""The state of one collector, and why it is in it.

Everything that is compared is a duration in seconds, so a step of the wall clock is nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ingestd.health.pace import MARGIN
from ingestd.health.series import LateSeries
from ingestd.health.states import State
from ingestd.health.words import span

FIRST_READING: Final = 60.0  # seconds that a stream may take for its first reading
LONG_WAIT: Final = 86_400.0  # seconds; a first run that is later than that may be a mistake
NAMED: Final = 3  # late series in a line


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorFacts:
    """What is known of a collector; durations are in seconds up to now.

    Attributes:
        name: Its name.
        schedule: How often it runs, as it is written: ``every 30s``, ``stream``.
        two_ticks: From its last good run, or from its start, to the second tick after that;
            None for a stream.
        cadence: How far apart its readings should be, or None.
        known_for: Since it was started for the first time that is known.
        quiet_for: Since it was started, had a good run, or gave a result, whichever was last.
        running_for: Since the run under way began, or None.
        succeeded: Whether any run has ended well.
        has_given: Whether it has ever given a usable reading.
        failures: How many runs have failed in a row.
        error: Why the last of them did.
        retry_in: For how long it goes on to back off; 0 if it does not.
        degraded: What the plugin reported as wrong in the run that ended last or goes on.
        disconnected: Why its stream has no connection, or an empty string.
        awaits: What its stream waits for, as its plugin says, or an empty string.
        due_in: How long it is to its first run, or None if that has begun.
        paused: What it waits for before its readings can be taken, or an empty string.
        blocked: The line with which it held up the event loop, or an empty string.
        late: Its late series.
        series: How many series it has.
    """

    name: str
    schedule: str
    two_ticks: float | None
    cadence: float | None = None
    known_for: float = 0.0
    quiet_for: float = 0.0
    running_for: float | None = None
    succeeded: bool = False
    has_given: bool = False
    failures: int = 0
    error: str = ""
    retry_in: float = 0.0
    degraded: str = ""
    disconnected: str = ""
    awaits: str = ""
    due_in: float | None = None
    paused: str = ""
    blocked: str = ""
    late: Sequence[LateSeries] = ()
    series: int = 0


@dataclass(frozen=True, slots=True)
class CollectorHealth:
    """How a collector is.

    Attributes:
        why: What is wrong, for people; empty if nothing is. One that waits for more than a
            day for its first run says so.
    """

    name: str
    state: State
    why: str

    def __str__(self) -> str:
        """Return the collector and its trouble for a sentence."""
        return f"{self.name} {self.why}" if self.why else f"{self.name} is {self.state}"


def judge(facts: CollectorFacts) -> CollectorHealth:
    """Return the one state of a collector: the worst of those that apply."""
    state, why = _judged(facts)
    return CollectorHealth(facts.name, state, why)


def _judged(facts: CollectorFacts) -> tuple[State, str]:
    for state, prefix, reason in (
        (State.BLOCKED, "has held up the event loop at ", facts.blocked),
        (State.PAUSED, "waits: ", facts.paused),
        (State.DISCONNECTED, "has no connection: ", facts.disconnected),
    ):
        if reason:
            return state, prefix + reason
    if facts.failures:
        return _failing(facts)
    return _lateness(facts) if facts.has_given else _nothing_yet(facts)


def _lateness(facts: CollectorFacts) -> tuple[State, str]:
    if run_is_late(facts):
        return State.LATE, _late_run(facts)
    if facts.late:
        return State.LATE, late_series(facts.late, facts.series)
    if facts.degraded:
        return State.DEGRADED, f"is degraded: {facts.degraded}"
    return State.FRESH, ""


def _failing(facts: CollectorFacts) -> tuple[State, str]:
    times = "" if facts.failures == 1 else f" {facts.failures} times"
    why = f"has failed{times}: {facts.error}"
    return (State.BACKING_OFF if facts.retry_in > 0 else State.FAILING), why


def _nothing_yet(facts: CollectorFacts) -> tuple[State, str]:
    """Tell a collector that has had no chance yet from one that gives nothing."""
    patience = FIRST_READING if facts.two_ticks is None else facts.two_ticks + MARGIN
    if facts.two_ticks is None and facts.cadence is not None:
        patience = max(patience, 2 * facts.cadence + MARGIN)
    ran_for_nothing = facts.succeeded and facts.two_ticks is not None
    if ran_for_nothing or facts.known_for > patience:
        why = f"has given nothing yet, for {span(facts.known_for)} ({facts.schedule})"
        if run_is_late(facts) and facts.running_for is not None:
            why += f", and is in a run that began {span(facts.running_for)} ago"
        return State.NEVER, f"{why}{_degraded(facts) or _awaits(facts)}"
    if facts.due_in is not None and facts.due_in > LONG_WAIT:
        return State.WAITING, f"is first due in {span(facts.due_in)} ({facts.schedule})"
    return State.WAITING, ""


def _degraded(facts: CollectorFacts) -> str:
    return f": {facts.degraded}" if facts.degraded else ""


def _awaits(facts: CollectorFacts) -> str:
    return f": it is connected and waits for {facts.awaits}" if facts.awaits else ""


def run_is_late(facts: CollectorFacts) -> bool:
    """Say whether two ticks have passed without a good run and without a result."""
    return facts.two_ticks is not None and facts.quiet_for > facts.two_ticks + MARGIN


def _late_run(facts: CollectorFacts) -> str:
    quiet = f"({facts.schedule})"
    if facts.running_for is not None:
        return f"is in a run that began {span(facts.running_for)} ago and gives nothing {quiet}"
    return f"has had no good run for {span(facts.quiet_for)} {quiet}"


def late_series(late: Sequence[LateSeries], total: int) -> str:
    """Name the series that are late."""
    first = late[0]
    every = "" if first.every is None else f" (every {span(first.every)})"
    if len(late) >= total:
        last = late[-1]  # the one that spoke last
        every = "" if last.every is None else f" (every {span(last.every)})"
        return f"has given nothing for {span(last.silent)}{every}"
    more = [str(each) for each in late[1:NAMED]]
    beyond = len(late) - 1 - len(more)
    others = ", ".join([*more, f"{beyond} more"] if beyond else more)
    silent = f"gets nothing from {first} for {span(first.silent)}{every}"
    return f"{silent}, nor from {others}" if others else silent
