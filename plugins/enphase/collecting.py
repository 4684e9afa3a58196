"""What a run does: one system after the other, a week at a time."""

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import Any, Final

from ingestd.plugins._answers import AnswerError, number_in
from ingestd.plugins._tokens import Account

from .api import Api, QuotaSpentError

DAY: Final = 86_400.0
WEEK: Final = 7 * DAY
OLDEST: Final = 729 * DAY  # the API goes back two years

Result = dict[str, Any]
Reading = tuple[float, str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of telemetry.

    Attributes:
        seconds: How long its intervals are.
        fields: What the API calls a value -> how its series ends.
    """

    seconds: float
    fields: Mapping[str, str]


KINDS: Final = {
    "production_micro": Kind(
        300, {"powr": "production_micro_watts", "enwh": "production_micro_wh"}
    ),
    "production_meter": Kind(900, {"wh_del": "production_meter_wh"}),
    "consumption_meter": Kind(900, {"enwh": "consumption_meter_wh"}),
}


@dataclass(frozen=True, slots=True)
class Span:
    """From one time to another, in Unix seconds."""

    begin: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What to do, and how far it is done.

    Attributes:
        now: When the run began, in Unix seconds.
        first: Where a new system begins, in Unix seconds.
        overlap: How much of what was read to read again, in seconds.
        newest: Moves while the job is done, so that it can be begun again.
    """

    api: Api
    account: Account
    systems: Sequence[str]
    kinds: Mapping[str, Kind]
    now: float
    first: float
    overlap: float
    newest: dict[str, float]


async def collect(job: Job) -> AsyncGenerator[Result, None]:
    """Read what is new of each system; each answer is a result.

    Raises:
        AnswerError: Nothing could be read.
        TokenExpired: A newer token is wanted; begin again with it.
    """
    problems: list[str] = []
    good = 0
    for system, kind in ((s, k) for s in job.systems for k in job.kinds):
        try:
            async for result in new_of(system, kind, job):
                yield result
            good += 1
        except AnswerError as error:
            problems.append(str(error))
            if isinstance(error, QuotaSpentError):
                break
    if problems and not good:
        raise AnswerError(problems[0])
    if problems:
        yield {"script_error": "; ".join(problems)}


async def new_of(system: str, kind: str, job: Job) -> AsyncGenerator[Result, None]:
    """Read one telemetry of a system from where it was left.

    An empty answer moves nothing: what is not there may be late.
    """
    name = f"{system}_{kind}"
    read = job.newest.get(name)
    if read is not None and job.now - read < job.kinds[kind].seconds:
        return  # quotas are small
    begin = job.first if read is None else read - job.overlap
    async for document in answers(system, kind, Span(begin, job.now), job):
        found = list(readings(document, system, job.kinds[kind]))
        ends = [time for time, _, value in found if value is not None and time <= job.now]
        if ends and max(ends) > job.newest.get(name, 0.0):
            job.newest[name] = max(ends)
        yield {"readings": found, "newest": dict(job.newest)}


async def collect_past(job: Job, past: Span) -> AsyncGenerator[Result, None]:
    """Read a window of every system; the position stays.

    Raises:
        AnswerError: One of them could not be read.
        TokenExpired: A newer token is wanted; begin again with it.
    """
    for system, kind in ((s, k) for s in job.systems for k in job.kinds):
        async for document in answers(system, kind, past, job):
            found = readings(document, system, job.kinds[kind])
            yield {"readings": [r for r in found if past.begin <= r[0] < past.end]}


async def answers(
    system: str, kind: str, span: Span, job: Job
) -> AsyncGenerator[Mapping[str, Any], None]:
    """Yield answers, the oldest first, until they reach the end of a span.

    How far one reaches it says itself, because that depends on the plan, the
    telemetry, and on when the system began to report.
    """
    begin, end = max(span.begin, job.now - OLDEST), span.end
    while begin < end:
        width, granularity = (DAY, "day") if end - begin <= DAY else (WEEK, "week")
        document = await job.api.telemetry(
            job.account.header, system, kind, begin=begin, granularity=granularity
        )
        yield document
        # Behind its last report a system has nothing.
        end = min(end, number_in(document.get("meta"), "last_report_at") or end)
        reached = number_in(document, "end_at")
        begin = reached if reached is not None and reached > begin else begin + width


def readings(document: Mapping[str, Any], system: str, kind: Kind) -> Iterator[Reading]:
    """Yield a reading for each value of each interval."""
    listed = document.get("intervals")
    for each in listed if isinstance(listed, list) else ():
        time = number_in(each, "end_at")
        for field, word in kind.fields.items():
            if isinstance(each, dict) and field in each:
                yield nan if time is None else time, f"enphase_{system}_{word}", each[field]
