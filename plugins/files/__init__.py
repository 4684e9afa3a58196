"""Readings from files: those that grow line by line, and exports that come as a whole.

Emits the series that the parameters name, one reading for each record and value.

Parameters, which: ``path`` -- a pattern of paths, or a list of them: ``*``, ``?``, ``**`` for
any folders, and ``{name}``, which is a ``*`` that names of series can use; ``follow`` --
whether lines are added to the files; ``ignore`` -- patterns of names that are none of
them; ``settle`` -- for how long nothing has touched a file that is complete; ``after`` --
what becomes of a file that was read: ``keep``, ``delete`` or ``move``; ``move_to`` -- where.
Parameters, finding: ``format`` -- ``csv``, ``ndjson``, ``influx``, ``json``, ``xml``,
``entsoe``, ``senml``, ``jsonstat``, ``text``, ``xlsx``, ``parquet`` (default: as it looks and
is called); ``csv``, ``charset``; ``member`` -- which files of a zip; ``sheet`` -- of a workbook;
``max_bytes`` -- of a document that has to be read as a whole; ``records``, ``layout``,
``fields``, ``time``, ``time_plus``, ``time_step``, ``time_format``, ``timezone``,
``series`` with ``value``, or ``values``; ``tags``.
Parameters, values: ``words``, ``nothing``, ``decimal``, ``units``.
State: ``positions`` -- how far files that grow were read; ``read`` -- how files looked that were
read, and hashes of their contents; ``earlier`` -- hashes of contents of files that have gone;
``reading`` -- how far the file is read that was begun; ``looked`` -- how far one was looked
through before that; ``refused`` -- files that are not what they should be, and why; ``shape`` --
by which params that was.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from types import SimpleNamespace
from typing import Any, Final

from ingestd.plugins._checks import Given
from ingestd.plugins._shapes import check_shape

from .following import Following
from .once import Once
from .options import EACH, setup_of
from .past import window
from .scanning import seen
from .tables import TABLES

__all__ = ["check", "run"]

# It yields, but comes to an end: it is called on a schedule.
POLLS: Final = True


async def run(  # noqa: PLR0913 -- each is an option, which the daemon checks by name
    *,
    ctx: Any,
    path: str | Sequence[str],
    follow: bool = False,
    ignore: Sequence[str] | None = None,
    settle: str = "10s",
    after: str = "keep",
    move_to: str | None = None,
    max_bytes: int = 64 * 1024 * 1024,
    format: str = "auto",  # noqa: A002 -- the option's name
    csv: Mapping[str, Any] | None = None,
    charset: str | None = None,
    member: str | None = None,
    sheet: str | None = None,
    records: str | Sequence[str] | None = None,
    layout: str = "records",
    fields: Sequence[str] | str | None = None,
    time: str | None = None,
    time_plus: str | Mapping[str, str] | None = None,
    time_step: str | None = None,
    time_format: str | None = None,
    timezone: str | None = None,
    series: str | None = None,
    value: str | None = None,
    values: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
    words: Mapping[Any, Any] | None = None,
    nothing: Any = None,
    decimal: str | None = None,
    units: Any = None,
    positions: Sequence[Any] | None = None,
    read: bytes | None = None,
    earlier: bytes | None = None,
    reading: Sequence[Any] | None = None,
    looked: Sequence[Any] | None = None,
    refused: Mapping[str, Any] | None = None,
    shape: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    **_: Any,
) -> AsyncIterator[dict[str, Any]]:
    """Read what is new, yielding many readings at a time."""
    params = locals()  # as `check` has them
    setup = setup_of(SimpleNamespace(**params), ctx.timezone)
    if start is not None and end is not None:
        found = window(setup, ctx, start, end, growing=follow)
    else:
        found = (Following if follow else Once)(setup, ctx, params).results()
    async with aclosing(found) as results:
        async for result in results:
            yield result


def check(**params: Any) -> list[str]:
    """Return what is wrong with params, as a run would find it."""
    given = Given(run, params)
    for each in EACH:
        given.read(each)
    given.durations("settle")
    given.read(setup_of)
    text = {**params, "format": "auto"} if params.get("format") in TABLES else params
    shaped = Given(run, text)  # what is no text has the options of one, but for its format
    check_shape(shaped, run)
    problems = [*dict.fromkeys([*given.problems, *shaped.problems])]
    if not problems and params.get("start") is None:
        given.read(lambda each: problems.append(f"note: {seen(setup_of(each))}"))
    return problems
