"""Readings from any HTTP endpoint that answers with JSON, CSV or XML.

Emits the series that the parameters name, one reading for each record and value.

Parameters, asking: ``url``; ``method``; ``headers``; ``query`` -- added to the
address; ``body`` -- text, or anything else as JSON; ``auth`` -- ``username`` and
``password`` (with ``digest``), ``token``, ``oauth2`` or ``login``; ``paging`` -- how to
find further pages; ``max_pages``, ``max_bytes`` -- of a run, and of a page; ``error`` --
path to what says in a document that the source has failed; ``no_data`` -- statuses that
say that there is nothing.
Parameters, finding: ``format`` -- ``json``, ``ndjson``, ``csv``, ``xml``, ``entsoe``,
``influx``, ``senml``, ``jsonstat``, ``text`` (default: as it looks); ``csv``, ``charset``;
``member`` -- which files of a zip; ``records`` -- path to the records (default: the document);
``layout`` -- ``records``, ``columns`` or ``rows``; ``fields`` -- names of columns without a header;
``time`` -- path in a record (default: now);
``time_plus`` -- path to seconds behind that; ``time_step`` -- how far apart the records of a
list are; ``time_format``, ``timezone``; ``series``
-- a template such as ``{site}_{name}`` -- with ``value``, or ``values`` -- series to
path; ``tags`` -- name to template.
Parameters, values: ``words``, ``nothing``, ``decimal``, ``units``.
Parameters, going on: ``{since}`` and ``{until}`` or ``{last}`` in the address, query or body,
or ``since_param`` and ``until_param`` -- what is asked for; ``since_format``,
``since_timezone`` -- how times are written; ``span`` -- the longest time to ask for at
once; ``overlap`` -- how far before the newest reading to ask again; ``lookback`` -- where
to begin; ``ahead`` -- how far beyond now to ask; ``patience`` -- how long a span without
readings is asked for again; ``hold`` -- how long a value that is missing is waited for;
``order`` -- ``oldest_first`` if pages surely come like that.
State, if it goes on: ``newest`` -- the time up to which all is read, in Unix seconds: the
latest one, or just before the first whose value may still come, or the end of a span that was
read long ago. Hidden: ``tokens``, with ``oauth2``.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any, Final

from ingestd.plugins._auth import auth_of, authorize_by
from ingestd.plugins._checks import Given
from ingestd.plugins._params import whole, zone_of
from ingestd.plugins._shapes import check_shape

from .paging import paging_of
from .refusals import refusal_of
from .setup import asked_zone_of, cursor_of, look_at, pages_of, setup_of, windows_of
from .source import statuses_of
from .walking import Walk

__all__ = ["authorize", "check", "run"]

# It yields, but comes to an end: it is called on a schedule.
POLLS: Final = True


async def run(  # noqa: PLR0913 -- each is an option, which the daemon checks by name
    *,
    ctx: Any,
    url: str,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, Any] | None = None,
    body: Any = None,
    auth: Mapping[str, Any] | None = None,
    paging: Mapping[str, Any] | None = None,
    max_pages: int = 100,
    max_bytes: int = 16 * 1024 * 1024,
    error: str | None = None,
    no_data: Any = None,
    format: str = "auto",  # noqa: A002 -- the option's name
    csv: Mapping[str, Any] | None = None,
    charset: str | None = None,
    member: str | None = None,
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
    since_param: str | None = None,
    until_param: str | None = None,
    since_format: str | None = None,
    overlap: str = "0s",
    lookback: str | None = None,
    ahead: str = "0s",
    since_timezone: str | None = None,
    span: str | None = None,
    patience: str = "30d",
    hold: str = "1d",
    revisit: timedelta | None = None,
    order: str | None = None,
    newest: float | None = None,
    tokens: Mapping[str, Any] | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    **_: Any,
) -> AsyncIterator[dict[str, Any]]:
    """Read all pages, yielding a result for each."""
    params = SimpleNamespace(**locals())  # as `check` has them
    walk = Walk(setup_of(params, ctx.timezone), ctx, tokens)
    async with aclosing(walk.results(newest=newest, start=start, end=end)) as found:
        async for result in found:
            yield result


def check(**params: Any) -> list[str]:
    """Return what is wrong with params, as a run would find it."""
    given = Given(run, params)
    given.read(lambda each: whole(each.max_pages, "max_pages", least=1))
    given.read(lambda each: whole(each.max_bytes, "max_bytes", least=1))
    for name in ("url", "query", "body"):
        given.read(partial(look_at, name))
    given.read(lambda each: auth_of(each.auth))
    given.read(lambda each: zone_of(each.timezone))
    given.read(lambda each: refusal_of(each.error))
    given.read(lambda each: statuses_of(each.no_data))
    check_shape(given, run)
    given.durations("overlap", "lookback", "ahead", "span", "patience", "hold")
    given.read(asked_zone_of)
    given.read(partial(windows_of, zone=None))
    given.read(lambda each: paging_of(each.paging))
    given.read(pages_of)
    given.read(setup_of)
    given.read(lambda each: cursor_of(each).check(each.start))
    return [*dict.fromkeys(given.problems)]


async def authorize(
    *, ctx: Any, tell: Callable[[str], None], auth: Any = None, **_: Any
) -> dict[str, Any]:
    """Have a person allow what ``auth`` asks for; return the tokens."""
    return await authorize_by(auth, ctx, tell)
