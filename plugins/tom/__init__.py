"""Brightness and other reduced data of astronomical targets, from a TOM Toolkit server.

Emits ``tom_<target>_brightness``, ``…_error`` and ``…_limit`` for photometry, tagged with ``band``,
``unit``, ``source``, ``telescope`` and ``instrument``; ``…_ra`` and ``…_dec`` for astrometry;
numbers by their own names for other types; ``…_observations`` -- how many observation records there
are, tagged with ``facility`` and ``status``. Units are the TOM's own.

Parameters, asking: ``url`` -- where the TOM is; ``auth`` -- ``username`` with ``password``, or
``token``; without it what is public; ``page`` -- how many rows to ask for at once.
Parameters, what to read: ``targets`` -- ``all``, or a list of ids and of patterns of names;
``data_types`` -- a list (default: ``photometry`` alone); ``since_days`` -- how old data may be;
``observations`` -- whether to count observation records.
Parameters, naming: ``series`` and ``tags`` -- templates with ``{target}``, ``{name}``,
``{quantity}``, ``{band}``, ``{unit}``, ``{source}``, ``{telescope}``, ``{instrument}``.
State: ``seen`` -- the id of each target to the ``hash`` of its data, the time of the ``newest``,
and when it was ``sent`` and ``read`` last, in Unix seconds; ``observed`` -- target, facility and
status of all records that there were.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, Final

from ingestd.plugins._checks import Given

from .api import Api
from .collecting import DAY, Job, collect, collect_past
from .options import EXAMPLE, READERS, options_of
from .remembered import Remembered

__all__ = ["check", "run"]

# It yields, but comes to an end: it is called on a schedule.
POLLS: Final = True


async def run(  # noqa: PLR0913 -- each is an option, which the daemon checks by name
    *,
    ctx: Any,
    url: str,
    auth: Mapping[str, Any] | None = None,
    targets: Any = "all",
    data_types: Any = None,
    series: str = EXAMPLE,
    tags: Mapping[str, str] | None = None,
    observations: bool = False,
    since_days: int | None = None,
    page: int = 100_000,
    seen: Mapping[str, Any] | None = None,
    observed: Sequence[Sequence[str]] | None = None,
    revisit_full: timedelta | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    **_: Any,
) -> AsyncGenerator[dict[str, Any], None]:
    """Read what is new of each target, or, with a window, what lies in it."""
    options = options_of(SimpleNamespace(**locals()))  # as `check` has them
    now = ctx.now().timestamp()
    entry = options.entrance.auth(ctx, None)
    job = Job(
        ctx=ctx,
        api=Api(ctx.http, options.url, entry, options.entrance.scheme, options.page),
        options=options,
        known={str(each): Remembered.of(state) for each, state in (seen or {}).items()},
        observed=observed,
        every=DAY if revisit_full is None else revisit_full.total_seconds(),
        now=now,
    )
    if start is None:
        work = collect(job)
    else:
        work = collect_past(job, start.timestamp(), end.timestamp() if end else now)
    async with aclosing(work) as results:
        async for result in results:
            yield result


def check(**params: Any) -> list[str]:
    """Return what is wrong with params, as a run would find it."""
    given = Given(run, params)
    for read in READERS.values():
        given.read(read)
    return given.problems
