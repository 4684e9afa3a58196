"""One run: what the daemon gets of what is read.

What is wrong with one source is noted and told at the end.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any, Final

from .elements import Column, Reader
from .errors import DcsError, SourceFailed, SourceRefused, summary
from .failures import Failures
from .periods import Window
from .positions import LATE, Progress, position_in
from .reading import SpanReader
from .spans import NEVER, Rounds, Span

# Silent meters that are named in the record of a run, which has room for so many.
NAMED: Final = 12
ENOUGH: Final = 2000  # readings that are worth a result
# Nor do readings wait longer than this for others to go with, in seconds.
LINGER: Final = 2.0
# Seconds before a backfill asks again for what failed in passing.
AGAIN: Final = (5.0, 20.0)

Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Given:
    """Readings, and what goes with them.

    Attributes:
        readings: As the daemon takes them.
        state: What the state is with them.
        source: The source that they are of, or an empty text.
    """

    readings: Sequence[tuple[Any, ...]]
    state: Mapping[str, Any]
    source: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """What one run has to do.

    Attributes:
        span_reader: Reads spans.
        spans: What to read, in this order.
        columns: The series of each source.
        failures: Takes what goes wrong with single sources.
        exactly: For a backfill, what nothing may lie outside of; else None.
        rounds: Notes which sources have a turn.
        positions: The collector's state, which says which source was read last.
        again: How far the sources have come whose past is being read again.
        now: The time that it is.
        state: What the state is at the end.
        reached: The positions of the sources that were read, or None for those without any.
    """

    span_reader: SpanReader
    spans: Sequence[Span]
    columns: Mapping[str, Sequence[Column]]
    failures: Failures
    exactly: Window | None
    rounds: Rounds
    positions: Mapping[str, Any]
    again: dict[str, Any]
    now: datetime
    state: Mapping[str, Any]
    reached: dict[str, datetime | None] = field(default_factory=dict)

    def silent(self, patience: timedelta) -> str:
        """Name the sources that were read and have given nothing for so long, or return nothing."""
        labels = {span.source.id: span.source.label for span in self.spans}
        silent = [
            f"{labels[key]} (nothing yet, or for a year)"
            if position is None or position <= self.now - LATE  # where positions of all such are
            else f"{labels[key]} (since {position:%Y-%m-%d %H:%M} UTC or before)"
            for key, position in self.reached.items()
            if position is None or position < self.now - patience
        ]
        if not silent:
            return ""
        more = f", and {len(silent) - NAMED} more" if len(silent) > NAMED else ""
        return f"silent: {len(silent)} of {len(self.reached)}: {', '.join(silent[:NAMED])}{more}"

    def about_series(self, text: str) -> str | dict[str, str]:
        """Say of which series a problem is, if that is known of all sources that have one.

        Then nothing asks again for what the others do not have.
        """
        troubled = {**self.failures.failed, **self.failures.refused}
        known = {span.source.label: self.columns[span.source.id] for span in self.spans}
        if not troubled.keys() <= known.keys():
            return text
        return {column.series: text for label in troubled for column in known[label]}

    def rereads(self, reached: Mapping[str, datetime]) -> dict[str, Any]:
        """Return the state with which the past of a source has been read so far."""
        self.again.update(reached)
        return {"again": dict(self.again)}

    def noted(self, span: Span) -> dict[str, Any]:
        """Return the state with which a source's past has been read, or was not given.

        What failed stays among those that are being read, so it is not forgotten.
        """
        if span.source.label in self.failures.failed:
            self.again.setdefault(span.source.id, span.window.start)
        else:
            self.again.pop(span.source.id, None)
        due = {} if span.due is None else {"full": span.due}
        return {"again": dict(self.again), **due}


async def collect(job: Job, stopping: Any) -> AsyncGenerator[Result, None]:
    """Do a job, yielding results that are large enough to be worth it.

    A normal run ends early when the daemon stops; a backfill must not, because
    its end says that everything has been read.

    Raises:
        DcsError: The server is of no use.
    """
    readings: list[tuple[Any, ...]] = []
    state: dict[str, Any] = {}
    served: list[str] = []
    broken: DcsError | None = None
    clock = asyncio.get_running_loop().time
    given = clock()
    try:
        async with aclosing(everything(job)) as found:
            async for each in found:
                readings += each.readings
                state |= each.state
                served.append(each.source)
                if len(readings) >= ENOUGH or (readings and clock() > given + LINGER):
                    job.rounds.serve(served)
                    yield {"readings": readings, **state}
                    readings, state, served, given = [], {}, [], clock()
                if stopping and job.exactly is None:
                    break
    except DcsError as error:
        broken = error  # raised behind what came before it
    job.rounds.serve(served)
    if readings or state:
        yield {"readings": readings, **state}
    if broken is not None:
        raise broken


async def everything(job: Job) -> AsyncGenerator[Given, None]:
    """Yield what all spans give, and at last what went wrong.

    What failed in passing is left to the next run, but a backfill has none: it asks
    again before it ends.

    Raises:
        DcsError: The server is of no use.
    """
    failures, spans = job.failures, job.spans
    for wait in (0.0,) if job.exactly is None else (0.0, *AGAIN):
        await asyncio.sleep(wait)
        failures.failed.clear()
        for span in spans:
            async with aclosing(attempt(job, span)) as found:
                async for each in found:
                    yield each
        spans = [span for span in spans if span.source.label in failures.failed]
        if not spans:
            break
    if job.exactly is not None and failures.failed and not failures.works:
        await check_server(job)
    text = failures.verdict(backfill=job.exactly is not None)
    problem = text if job.exactly is None else job.about_series(text)
    yield Given([], {**job.state, **({"script_error": problem} if text else {})})


async def attempt(job: Job, span: Span) -> AsyncGenerator[Given, None]:
    """Yield what one span gives, and note what goes wrong.

    Raises:
        DcsError: The server is of no use.
    """
    failures, source = job.failures, span.source
    if span.moves:
        job.rounds.ask(source.id)
    try:
        async with aclosing(parts(job, span)) as found:
            async for each in found:
                yield each
        if span.moves:
            job.reached.setdefault(source.id, span.position)
        failures.serve()
    except SourceRefused as error:
        failures.refused[source.label] = str(error)
    except SourceFailed as error:
        failures.failed[source.label] = str(error)
    except DcsError:
        job.rounds.serve([source.id])  # it may be this one that the server chokes on
        raise
    if failures.in_doubt:
        await check_server(job)
    yield Given([], job.noted(span) if span.again else {}, source.id)


async def check_server(job: Job) -> None:
    """Find out whether it is the server that fails, when no source could be read so far.

    The one that was read most recently is asked for its newest period: the server
    works if it gives that.

    Raises:
        DcsError: It does not.
    """
    failures = job.failures
    told = f"{len(failures.failed)} sources in a row failed: {summary(failures.failed)}"
    span = most_promising(job)
    if span is None:
        raise DcsError(told)
    try:
        async with aclosing(parts(job, span)) as found:
            async for _ in found:
                pass
    except SourceFailed as error:
        raise DcsError(told) from error
    except SourceRefused:
        pass  # it answers, and knows what it may not give
    failures.works = True


def most_promising(job: Job) -> Span | None:
    """Return a little of the source that is most likely to be read, if there is any hope."""
    ranked = []
    for place, span in enumerate(job.spans):
        position = position_in(job.positions, span.source.id)
        well = span.source.label not in job.failures.failed
        if well or position is not None:
            rank = (well and position is not None, position or NEVER, place)
            ranked.append((rank, span.source, position or job.now))
    if not ranked:
        return None
    _, source, newest = max(ranked, key=itemgetter(0))
    return Span(source, Window(newest, newest + timedelta(seconds=1)), job.now)


async def parts(job: Job, span: Span) -> AsyncGenerator[Given, None]:
    """Yield what one span gives.

    Raises:
        DcsError: The server is of no use.
        SourceFailed: It does not give this source, this time.
        SourceRefused: It never gives this source.
    """
    span_reader, source = job.span_reader, span.source
    reader = Reader(
        span_reader.api.wire,
        job.columns[source.id],
        skip=span_reader.api.skip,
        status=span_reader.options.status,
    )
    progress = Progress(span.position, now=span.now)
    found = span_reader.read(source, reader, span.window, progress, exactly=job.exactly is not None)
    async with aclosing(found):
        async for part in found:
            state: dict[str, Any] = {}
            if span.moves and part.position is not None:
                state = {source.id: part.position}
                job.reached[source.id] = part.position
            elif span.again and part.position is not None:
                state = job.rereads({source.id: part.position})
            yield Given(part.readings, state, source.id)
