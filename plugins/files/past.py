"""Spans of the past, for which files are read anew."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ingestd.plugins._readings import Reading

from .asking import answer, each_of
from .batches import batches
from .gathered import Gathered
from .listing import Found
from .moving import folders_in
from .options import Setup
from .scanning import listed


async def window(
    setup: Setup, ctx: Any, start: datetime, end: datetime, *, growing: bool
) -> AsyncGenerator[dict[str, Any], None]:
    """Yield what all files have of a span of time, whether they were read before or not.

    Raises:
        OSError: One cannot be read.
    """
    gathered, span = Gathered(), (start.timestamp(), end.timestamp())
    for file in await everything(setup):
        work = setup.work(file, (0, 0), now=ctx.now().timestamp(), growing=growing, whole=False)
        try:
            async with aclosing(each_of(file.path, lambda work=work: batches(work))) as found:  # type: ignore[misc]
                async for batch in found:
                    gathered.add(within(batch.readings, *span))
                    if gathered.full:
                        yield {"readings": gathered.take()}
        except FileNotFoundError:  # moved meanwhile: the next one asks again
            raise
        except ValueError as error:
            gathered.complain(f"{file.path}: {error}")
    yield {"readings": gathered.take(), **gathered.problem()}


async def everything(setup: Setup) -> Sequence[Found]:
    """Return all files, those that were moved, too, the oldest first.

    Raises:
        OSError: A folder cannot be read.
    """
    folders: Sequence[Path] = []
    if (moved := setup.moved) is not None:
        folders = await answer(moved / "*", lambda: folders_in(moved))
    setups = [setup, *(replace(setup, patterns=setup.below(each)) for each in folders)]
    found = [file for each in setups for file in (await listed(each)).files]
    return sorted(found, key=lambda each: (each.modified_ns, each.path))


def within(readings: Sequence[Reading], begin: float, end: float) -> list[Reading]:
    """Return the readings of a span; one without a time is of none."""
    return [
        each for each in readings if isinstance(each[0], int | float) and begin <= each[0] < end
    ]
