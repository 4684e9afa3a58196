"""One run: what the daemon gets of what is read.

What is wrong with one source is noted and told at the end.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

from .elements import Column, Reader
from .periods import Window
from .positions import Progress
from .problems import DcsError, SourceFailed, SourceRefused, summary
from .reading import Asker, Part
from .sources import Source
from .spans import Rounds, Span

ENOUGH: Final = 2000
# Nor do readings wait longer than this for others to go with, in seconds.
LINGER: Final = 2.0
# So many sources in a row that fail in passing mean that the server does.
IN_A_ROW: Final = 3

Result = dict[str, Any]


@dataclass(slots=True)
class Troubles:
    """What went wrong with single sources.

    Attributes:
        refused: Those that will never work, and why.
        failed: Those that may work later, and why.
        served: How many were read.
    """

    refused: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    served: int = 0
    in_a_row: int = 0

    def note(self, source: Source, error: SourceFailed | SourceRefused) -> None:
        """Note what went wrong with a source.

        Raises:
            DcsError: It is not the source that is to blame.
        """
        name = f"{source.id} ({source.name})"
        if isinstance(error, SourceRefused):
            self.refused[name] = str(error)
            return
        self.failed[name] = str(error)
        self.in_a_row += 1
        if self.in_a_row >= IN_A_ROW:
            raise DcsError(f"{self.in_a_row} sources in a row failed: {summary(self.failed)}")

    def verdict(self, *, backfill: bool) -> str:
        """Return what marks the run, or nothing.

        Raises:
            DcsError: There was nothing that could be read, or a backfill is incomplete.
        """
        text = summary({**self.failed, **self.refused})
        if text and (not self.served or (backfill and self.failed)):
            raise DcsError(text)
        return text


@dataclass(frozen=True, slots=True)
class Given:
    """Readings, and what goes with them.

    Attributes:
        readings: As the daemon takes them.
        state: What the state is with them.
        source: Whose they are, or nobody's.
    """

    readings: Sequence[tuple[Any, ...]]
    state: Mapping[str, Any]
    source: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """What one run has to do.

    Attributes:
        asker: Reads spans.
        spans: What to read, in this order.
        columns: The series of each source.
        troubles: Takes what goes wrong with single sources.
        exactly: For a backfill, what nothing may lie outside of; else None.
        rounds: Notes who has a turn.
        state: What the state is at the end.
    """

    asker: Asker
    spans: Sequence[Span]
    columns: Mapping[str, Sequence[Column]]
    troubles: Troubles
    exactly: Window | None
    rounds: Rounds
    state: Mapping[str, Any]


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

    Raises:
        DcsError: The server is of no use.
    """
    for span in job.spans:
        if span.moves:
            job.rounds.ask(span.source.id)
        try:
            async with aclosing(parts(job, span)) as found:
                async for each in found:
                    yield each
            job.troubles.served += 1
            job.troubles.in_a_row = 0
        except (SourceFailed, SourceRefused) as error:
            job.troubles.note(span.source, error)
        except DcsError:
            job.rounds.serve([span.source.id])  # it may be this one that the server chokes on
            raise
        yield Given([], {} if span.due is None else {"full": span.due}, span.source.id)
    text = job.troubles.verdict(backfill=job.exactly is not None)
    yield Given([], {**job.state, **({"script_error": text} if text else {})})


async def parts(job: Job, span: Span) -> AsyncGenerator[Given, None]:
    """Yield what one span gives.

    Raises:
        DcsError: The server is of no use.
        SourceFailed: It does not give this source, this time.
        SourceRefused: Or ever.
    """
    asker, source = job.asker, span.source
    reader = Reader(
        asker.api.wire,
        job.columns[source.id],
        skip=asker.api.skip,
        status=asker.options.status,
    )
    progress = Progress(span.position, now=span.now)
    async with aclosing(asker.read(source, reader, span.window, progress)) as found:
        async for part in found:
            readings = part.readings if job.exactly is None else inside(part, job.exactly)
            moved = span.moves and part.position is not None
            yield Given(readings, {source.id: part.position} if moved else {}, source.id)


def inside(part: Part, window: Window) -> list[tuple[Any, ...]]:
    """Return the readings that lie in a window; those without a usable time, too."""
    start, end = window.start.timestamp(), window.end.timestamp()
    return [
        each
        for each in part.readings
        if not isinstance(each[0], float) or not (each[0] < start or each[0] >= end)
    ]
