"""Rows of a table in a database: SQLite, PostgreSQL, MySQL, MariaDB or MS SQL.

Emits the series that the parameters name, one reading for each row and value. All but SQLite
need a driver: ``pip install 'ingestd[postgresql]'``, ``[mysql]`` or ``[mssql]``.

Parameters, reaching: ``file`` -- of SQLite; or ``url``, ``user``, ``password``; ``options`` --
for the driver; ``request_timeout`` -- how long a statement may take.
Parameters, finding: ``table`` or ``query``; ``time`` -- the column; ``time_format``,
``timezone``; ``series`` -- a template such as ``{site}_{name}`` -- with ``value``, or ``values``
-- series to column; ``tags`` -- name to template.
Parameters, values: ``words``, ``nothing``, ``decimal``, ``units``.
Parameters, going on: ``id`` -- a column that only grows; ``lookback`` -- where to begin;
``overlap`` -- how far before the newest reading to ask again; ``hold`` -- how long a value that
is missing is waited for; ``since_format`` -- how ``{since}`` and ``{until}`` in ``query`` are
written.
State: ``newest`` -- the time up to which all is read, in Unix seconds; with ``id``,
``last_id`` -- the largest one that was read.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, Final

from ingestd.plugins._checks import Given
from ingestd.plugins._params import zone_of
from ingestd.plugins._shapes import check_shape

from .address import address_of
from .errors import SqlError
from .setup import column_named, patience_of, places_of, setup_of
from .statements import source_of
from .walking import Walk

__all__ = ["SqlError", "check", "run"]

# It yields, but comes to an end: it is called on a schedule.
POLLS: Final = True


async def run(  # noqa: PLR0913 -- each is an option, which the daemon checks by name
    *,
    ctx: Any,
    file: str | None = None,
    url: str | None = None,
    user: str | None = None,
    password: str | None = None,
    options: Mapping[str, Any] | None = None,
    request_timeout: str = "60s",
    table: Sequence[str] | str | None = None,
    query: str | None = None,
    time: str,
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
    id: str | None = None,  # noqa: A002 -- the option's name
    lookback: str | None = None,
    overlap: str = "0s",
    hold: str = "1d",
    since_format: str | None = None,
    revisit: timedelta | None = None,
    newest: float | None = None,
    last_id: Any = None,
    start: datetime | None = None,
    end: datetime | None = None,
    **_: Any,
) -> AsyncIterator[dict[str, Any]]:
    """Read what is new, yielding a result for some thousand readings at a time."""
    params = SimpleNamespace(**locals())  # as `check` has them
    walk = Walk(
        setup_of(params, ctx.timezone), ctx, newest=newest, last_id=last_id, start=start, end=end
    )
    async with aclosing(walk.results()) as found:
        async for result in found:
            yield result


def check(**params: Any) -> list[str]:
    """Return what is wrong with params, as a run would find it."""
    given = Given(run, params)
    given.read(address_of)
    given.read(lambda each: source_of(each.table, each.query))
    given.read(lambda each: column_named(each.time, "time"))
    given.read(lambda each: each.id is None or column_named(each.id, "id"))
    given.read(lambda each: zone_of(each.timezone))
    given.durations("lookback", "overlap", "hold")
    given.read(patience_of)
    check_shape(given, run)
    given.read(places_of)
    given.read(setup_of)
    return [*dict.fromkeys(given.problems)]
