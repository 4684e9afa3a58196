"""What a run does: one thermostat after the other, a week at a time."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

from ingestd.plugins._answers import AnswerError
from ingestd.plugins._times import NoTime
from ingestd.plugins._tokens import Account

from .api import INTERVAL, Api, Thermostat
from .reports import Report, clock_of, report_of

WEEK: Final = 7 * 86_400.0  # the vendor gives a month at most
# A report may follow the change of its revision by so many seconds.
LATE: Final = 2 * 3600.0

Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Span:
    """From one time to another, in Unix seconds."""

    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Position:
    """How far each thermostat has been read; see the state of the plugin."""

    newest: dict[str, float]
    revisions: dict[str, str]
    changed: dict[str, float]
    names: dict[str, str]

    @classmethod
    def of(cls, *parts: Mapping[str, Any] | None) -> "Position":
        """Take what the run before has left."""
        return cls(*(dict(part or {}) for part in parts))

    def state(self) -> dict[str, Any]:
        """Return what the next run needs."""
        return {
            "newest": dict(self.newest),
            "revisions": dict(self.revisions),
            "changed": dict(self.changed),
            "names": dict(self.names),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to do, and how far it is done.

    Attributes:
        wanted: Identifiers of thermostats; None means all.
        now: When the run began, in Unix seconds.
        first: Where a new thermostat begins, in Unix seconds.
        overlap: How much of what was read to read again, in seconds.
        position: Moves while the job is done, so that it can be begun again.
    """

    api: Api
    account: Account
    wanted: Sequence[str] | None
    columns: Sequence[str]
    sensors: bool
    now: float
    first: float
    overlap: float
    position: Position


async def collect(job: Job) -> AsyncGenerator[Result, None]:
    """Read what is new of each thermostat; each week of one is a result.

    Raises:
        AnswerError: Nothing could be read.
        TokenExpired: A newer token is wanted; begin again with it.
    """
    known = await job.api.summary(job.account.header, job.wanted)
    due = [each for each in known if is_due(each, job)]
    clocks, problems = await clocks_of(job, due)
    problems += missing(job.wanted, known)
    good = len(known) - len(due)
    for each in due:
        if each.identifier not in clocks:
            continue
        try:
            async for result in new_of(each, clocks[each.identifier], job):
                yield result
            good += 1
        except AnswerError as error:
            problems.append(f"thermostat {each.identifier}: {error}")
    if problems and not good:
        raise AnswerError(problems[0])
    if problems:
        yield {"script_error": "; ".join(problems)}


def missing(wanted: Sequence[str] | None, known: Sequence[Thermostat]) -> list[str]:
    """Return a problem for each thermostat that is wanted and not there."""
    there = [each.identifier for each in known]
    return [
        f"thermostats: expected some of {', '.join(there) or 'none'}, got {each!r}"
        for each in wanted or ()
        if each not in there
    ]


def is_due(each: Thermostat, job: Job) -> bool:
    """Say whether there may be something new; the vendor asks not to look without."""
    position = job.position
    if position.revisions.get(each.identifier) != each.revision:
        return True
    return job.now - position.changed.get(each.identifier, 0.0) < LATE


async def clocks_of(job: Job, due: Sequence[Thermostat]) -> tuple[dict[str, tzinfo], list[str]]:
    """Return what the clock of each thermostat shows, and the problems with that."""
    if not due:
        return {}, []
    wanted = None if job.wanted is None else [each.identifier for each in due]
    found = await job.api.locations(job.account.header, wanted)
    clocks: dict[str, tzinfo] = {}
    problems = []
    for each in due:
        try:
            location = found.get(each.identifier, {})
            now = datetime.fromtimestamp(job.now, UTC)
            clocks[each.identifier] = clock_of(location, each.identifier, now=now)
        except ValueError as error:
            problems.append(str(error))
    return clocks, problems


async def new_of(each: Thermostat, clock: tzinfo, job: Job) -> AsyncGenerator[Result, None]:
    """Read a thermostat from where it was left; its revision counts when all is read."""
    position, name = job.position, each.identifier
    begin = position.newest[name] - job.overlap if name in position.newest else job.first
    position.names[name] = each.name
    for span in weeks(Span(begin, job.now)):
        report = await report_in(span, name, clock, job)
        position.names.update(report.names)
        newest = min(report.newest, job.now) if report.newest is not None else None
        if newest is not None and newest > position.newest.get(name, 0.0):
            position.newest[name] = newest
        if span.end == job.now and position.revisions.get(name) != each.revision:
            position.revisions[name], position.changed[name] = each.revision, job.now
        yield {"readings": list(report.readings), **position.state()}


async def collect_past(job: Job, past: Span) -> AsyncGenerator[Result, None]:
    """Read a window of every thermostat; the position stays.

    Raises:
        AnswerError: One of them could not be read.
        TokenExpired: A newer token is wanted; begin again with it.
    """
    known = await job.api.summary(job.account.header, job.wanted)
    clocks, problems = await clocks_of(job, known)
    problems += missing(job.wanted, known)
    if problems:
        raise AnswerError(problems[0])
    for each in known:
        for span in weeks(past):
            report = await report_in(span, each.identifier, clocks[each.identifier], job)
            within = [
                r
                for r in report.readings
                if isinstance(r[0], NoTime) or span.begin <= r[0] < span.end
            ]
            yield {"readings": within}


async def report_in(span: Span, identifier: str, clock: tzinfo, job: Job) -> Report:
    """Return what a thermostat has reported between two times."""
    begin = span.begin // INTERVAL * INTERVAL
    document = await job.api.report(
        job.account.header,
        identifier,
        begin=begin,
        end=span.end,
        columns=job.columns,
        sensors=job.sensors,
    )
    return report_of(document, identifier, columns=job.columns, zone=clock, begin=begin)


def weeks(span: Span) -> list[Span]:
    """Cut a span into pieces that are asked for at once."""
    pieces = []
    begin = span.begin
    while begin < span.end:
        pieces.append(Span(begin, min(begin + WEEK, span.end)))
        begin = pieces[-1].end
    return pieces
