"""One run: one target after the other, those first that were not read for longest."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ingestd.plugins._answers import AnswerError

from .api import Api, RefusedError
from .observations import count_readings, counted, kinds_in
from .options import Options, wanted
from .readings import Reading, Target, digest, since, told, within
from .remembered import Remembered

DAY: Final = 86_400.0
ENOUGH: Final = 5000  # readings that are worth a result
TOLD: Final = 5
# A run that has less time left than this, in seconds, leaves the other targets to the next one.
SHORT: Final = 10.0

Result = dict[str, Any]


@dataclass(slots=True)
class Job:
    """What one run has to do, and what came of it.

    Attributes:
        ctx: The run's context.
        api: The TOM.
        options: The collector's options.
        known: What is remembered of each target, by its id.
        observed: The kinds of observation records that there were, as the state has them.
        every: How often all is sent again, in seconds.
        now: When the run began, in Unix seconds.
        problems: What went wrong, by what it is about.
        repeats: Targets with rows that another one has replaced -> how many.
        empty: Targets with rows without numbers -> how many.
        served: How many targets were read.
    """

    ctx: Any
    api: Api
    options: Options
    known: dict[str, Remembered]
    observed: Any
    every: float
    now: float
    problems: dict[str, str] = field(default_factory=dict)
    repeats: dict[str, int] = field(default_factory=dict)
    empty: dict[str, int] = field(default_factory=dict)
    served: int = 0

    @property
    def state(self) -> Result:
        """What is remembered from now on."""
        return {"seen": {target: each.state for target, each in self.known.items()}}


async def collect(job: Job) -> AsyncGenerator[Result, None]:
    """Read all targets, and send those that have changed or are due.

    Raises:
        AnswerError: Nothing could be read.
    """
    names = await chosen(job)
    waiting: list[Reading] = []
    for target in sorted(names, key=lambda each: job.known.get(each, Remembered()).read):
        left = job.ctx.time_left()
        if left is not None and left < SHORT and job.served:
            job.ctx.note(f"targets: {len(names) - job.served} are left to the next run")
            break
        waiting += await news(job, target, names[target])
        if len(waiting) >= ENOUGH:
            yield {"readings": waiting, **job.state}
            waiting = []
    counts = await observations(job, names) if job.options.observations else {}
    tell(job)
    yield {
        **counts,
        "readings": [*waiting, *counts.get("readings", [])],
        **job.state,
        **verdict(job),
    }


async def collect_past(job: Job, begin: float, end: float) -> AsyncGenerator[Result, None]:
    """Read what all targets have in a window, given in Unix seconds.

    Raises:
        AnswerError: One of them could not be read.
    """
    for target, name in (await chosen(job)).items():
        found = await read(job, target, name)
        yield {"readings": within(found.readings(job.options.naming), begin, end)}
    if job.problems:
        yield verdict(job)


async def chosen(job: Job) -> dict[str, str]:
    """Return the names of the targets to read, by their ids.

    Raises:
        RefusedError: There is none that this account may see, and that cannot be.
        AnswerError: The server does not say which there are.
    """
    if job.api.scheme:
        await job.api.knock()
    seen = await job.api.targets()
    if not seen:
        return nobody(job)
    patterns = job.options.targets
    fits = {target: wanted(patterns, target, name) for target, name in seen.items()}
    used = {pattern for each in fits.values() for pattern in each}
    for pattern in patterns:
        if pattern not in used:
            job.problems[f"targets: {pattern}"] = "expected one that this account sees, got none"
    found = {target: seen[target] for target in seen if not patterns or fits[target]}
    forget(job, found, seen)
    return found


def nobody(job: Job) -> dict[str, str]:
    """Say that the account sees no target at all.

    Raises:
        RefusedError: It has seen some before.
    """
    who = "this account" if job.api.scheme else "everyone, since there is no `auth`,"
    text = f"expected some that {who} may see, got none"
    if job.known:
        raise RefusedError(f"targets: {text}, and had {len(job.known)}")
    job.problems["targets"] = text
    return {}


def forget(job: Job, found: Mapping[str, str], seen: Mapping[str, str]) -> None:
    """Forget what is not to be read any more, and tell once of what is no longer seen."""
    if gone := [target for target in job.known if target not in seen]:
        shown = ", ".join(gone[:TOLD]) + (", ..." if len(gone) > TOLD else "")
        job.problems["targets"] = f"expected those that were read before, no longer sees {shown}"
    for target in [target for target in job.known if target not in found]:
        del job.known[target]


async def news(job: Job, target: str, name: str) -> list[Reading]:
    """Return what is to be sent of a target: all that it has, or nothing.

    Raises:
        RefusedError: The server no longer lets us in.
    """
    try:
        found = await read(job, target, name)
    except RefusedError:
        raise
    except AnswerError as error:
        job.problems[f"target {target}"] = str(error)
        return []
    readings = await asyncio.to_thread(found.readings, job.options.naming)
    hash_ = await asyncio.to_thread(digest, readings, job.options.mark)
    before = job.known.get(target, Remembered())
    if before.newest is not None and not readings:
        job.problems[f"target {target}"] = "expected data, which it had before, got none"
    send = hash_ != before.hash or job.now - before.sent >= job.every
    job.known[target] = before.after(hash_, found.newest, now=job.now, sent=send)
    return [*since(readings, oldest(job))] if send else []


async def read(job: Job, target: str, name: str) -> Target:
    """Return all that a target has.

    Not with the API's own filter for types: it leaves out rows of an older TOM.

    Raises:
        AnswerError: The server does not give it.
    """
    found = Target(target, name, job.options.data_types)
    async for rows in job.api.pages("reduceddatums", {"target__id": target}):
        await asyncio.to_thread(found.take, rows)  # there may be very many
    job.served += 1
    if found.foreign:
        job.problems[f"target {target}"] = f"got {found.foreign} rows that are none of it"
    for counts, number in ((job.repeats, found.repeats), (job.empty, found.empty)):
        if number:
            counts[target] = number
    return found


async def observations(job: Job, names: Mapping[str, str]) -> Result:
    """Return how many observation records there are, or nothing if the server does not tell."""
    try:
        found = await counted(job.api.pages("observations", {}), names)
    except RefusedError:
        raise
    except AnswerError as error:
        job.problems["observations"] = str(error)
        return {}
    before = kinds_in(job.observed, names)
    readings = count_readings(found, before, names, job.options.naming, job.now)
    return {"readings": readings, "observed": [list(kind) for kind in sorted({*found, *before})]}


def oldest(job: Job) -> float | None:
    """Return before when nothing is sent, in Unix seconds, or None."""
    days = job.options.since_days
    return None if days is None else job.now - days * DAY


def tell(job: Job) -> None:
    """Put what is no failure into the record of the run."""
    if job.repeats:
        job.ctx.note(
            "rows of one target, series and time that differ, of which the last one listed was "
            f"taken, in targets {told(job.repeats)}"
        )
    if job.empty:
        job.ctx.note(
            "rows without a number, which is all that the API of a TOM 3 tells of upper limits, "
            f"in targets {told(job.empty)}"
        )


def verdict(job: Job) -> Result:
    """Return what marks the run, or nothing.

    Raises:
        AnswerError: There was nothing that could be read.
    """
    if not job.problems:
        return {}
    shown = [f"{what}: {problem}" for what, problem in list(job.problems.items())[:TOLD]]
    if more := len(job.problems) - len(shown):
        shown.append(f"and {more} more")
    text = "; ".join(shown)
    if not job.served and any(what.startswith("target ") for what in job.problems):
        raise AnswerError(text)
    return {"script_error": text}
