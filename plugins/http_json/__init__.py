"""Readings from any HTTP endpoint that answers with JSON, CSV or XML.

Emits the series that the parameters name, one reading for each record and value.

Parameters, asking: ``url``; ``method``; ``headers``; ``query`` -- added to the
address; ``body`` -- text, or anything else as JSON; ``auth`` -- ``username`` and
``password`` (with ``digest``), ``token``, ``oauth2`` or ``login``; ``paging`` -- how to
find further pages; ``max_pages``, ``max_bytes`` -- of a run, and of a page; ``error`` --
path to what says in a document that the source has failed.
Parameters, finding: ``format`` -- ``json``, ``ndjson``, ``csv``, ``xml``, ``entsoe``
(default: as it looks); ``csv``, ``charset``; ``records`` -- path to the records
(default: the document); ``layout`` -- ``records``, ``columns`` or ``rows``; ``fields``
-- names of columns without a header; ``time`` -- path in a record (default: now);
``time_plus`` -- path to seconds behind that; ``time_format``, ``timezone``; ``series``
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

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from math import inf
from typing import Any, Final
from zoneinfo import ZoneInfo

from ingestd.plugins._answers import AnswerError, bare
from ingestd.plugins._auth import auth_of, authorize_by
from ingestd.plugins._checks import Given
from ingestd.plugins._documents import format_of
from ingestd.plugins._params import duration, time_zone, whole
from ingestd.plugins._shapes import Reader, check_shape, description_of
from ingestd.plugins._times import Bounds, settle_readings

from .cursor import Cursor, Position
from .missing import Missing
from .paging import Page, Paging, Request, paging_of
from .refusals import Refusal, refusal_of
from .source import NOTHING, Source, source_of
from .template import Template, template_of

__all__ = ["authorize", "check", "run"]

# Between so many records others get their turn on the event loop.
SLICE: Final = 500


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
    format: str = "auto",  # noqa: A002 -- the option's name
    csv: Mapping[str, Any] | None = None,
    charset: str | None = None,
    records: str | None = None,
    layout: str = "records",
    fields: Sequence[str] | str | None = None,
    time: str | None = None,
    time_plus: str | None = None,
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
    whole(max_pages, "max_pages", least=1)
    whole(max_bytes, "max_bytes", least=1)
    zone = None if timezone is None else time_zone(timezone, "timezone")
    source = source_of(
        method=method,
        headers=headers,
        body=body,
        max_bytes=max_bytes,
        form=format_of(format, csv=csv, charset=charset, fields=fields, zone=zone),
        entry=auth_of(auth)(ctx, tokens),
    )
    described = {
        "records": records,
        "layout": layout,
        "fields": fields,
        "time": time,
        "time_plus": time_plus,
        "time_format": time_format,
        "series": series,
        "value": value,
        "values": values,
        "tags": tags,
        "words": words,
        "nothing": nothing,
        "decimal": decimal,
        "units": units,
    }
    refusal = refusal_of(error)
    shape = description_of(described, zone=zone).reader()
    template = template_of(
        url=url,
        query=query,
        body=body,
        headers=headers,
        since_param=since_param,
        until_param=until_param,
    )
    cursor = Cursor.of(
        template=template,
        since_format=since_format,
        zone=zone_of(since_timezone, timezone),
        span=None if span is None else duration(span, "span"),
        overlap=duration(overlap, "overlap"),
        lookback=None if lookback is None else duration(lookback, "lookback"),
        ahead=duration(ahead, "ahead"),
        patience=duration(patience, "patience"),
        hold=duration(hold, "hold"),
        revisit=0.0 if revisit is None else revisit.total_seconds(),
        order=order,
        has_time=time is not None,
    )
    now = ctx.now().timestamp()
    position = Position(cursor, newest=newest, now=now, backfill=start is not None)
    pages = paging_of(paging)
    for window in cursor.spans(newest=newest, now=now, start=start, end=end):
        if ctx.stopping:
            break
        position.begin(window)
        request = template.request(cursor.windows.writer(window))
        last = True
        before: list[tuple[Any, ...]] = []
        begin = -inf if window.since is None else window.since
        bounds = Bounds(after=begin, now=now + cursor.ahead, read=position.newest)
        missing = Missing(shape)
        walked = walk(ctx, source, shape, pages, request, refusal=refusal, max_pages=max_pages)
        async for page, last in walked:
            found = await readings_of(shape, page)
            readings = before = settle_readings(found, before=before, bounds=bounds)
            position.gather(readings)
            missing.look(page.records, readings)
            if page.goes_on:
                yield {"readings": readings}
                continue
            state = position.after(page, last=last, full=page.number == max_pages)
            problem = state.pop("script_error", "") or missing.after(page.number)
            yield {"readings": readings, **state, **({"script_error": problem} if problem else {})}
        if not last:
            break
    for note in position.notes():
        ctx.note(note)


def check(**params: Any) -> list[str]:
    """Return what is wrong with params, as a run would find it."""
    given = Given(run, params)
    given.read(lambda each: whole(each.max_pages, "max_pages", least=1))
    given.read(lambda each: whole(each.max_bytes, "max_bytes", least=1))
    for name in ("url", "query", "body"):
        given.read(partial(look_at, name))
    given.read(lambda each: auth_of(each.auth))
    given.read(lambda each: each.timezone is None or time_zone(each.timezone, "timezone"))
    given.read(lambda each: refusal_of(each.error))
    check_shape(given, run)
    given.durations("overlap", "lookback", "ahead", "span", "patience", "hold")
    given.read(lambda each: zone_of(each.since_timezone, None))
    given.read(
        lambda each: Cursor.of(
            template=template_in(each),
            since_format=each.since_format,
            zone=None,
            span=None if each.span is None else duration(each.span, "span"),
            overlap=0.0,
            lookback=None if each.lookback is None else 0.0,
            ahead=duration(each.ahead, "ahead"),
            patience=0.0,
            hold=0.0,
            revisit=0.0,
            order=each.order,
            has_time=each.time is not None,
        )
    )
    given.read(lambda each: paging_of(each.paging))
    return [*dict.fromkeys(given.problems)]


async def authorize(
    *, ctx: Any, tell: Callable[[str], None], auth: Any = None, **_: Any
) -> dict[str, Any]:
    """Have a person allow what ``auth`` asks for; return the tokens."""
    return await authorize_by(auth, ctx, tell)


async def walk(
    ctx: Any,
    source: Source,
    shape: Reader,
    pages: Paging,
    request: Request,
    *,
    refusal: Refusal | None,
    max_pages: int,
) -> AsyncIterator[tuple[Page, bool]]:
    """Yield the pages, each with whether it is the last one that the source has.

    Raises:
        AnswerError: A page is not what it should be.
    """
    if pages.single and refusal is None:
        async for page in parts(ctx, source, shape, request):
            yield page, True
        return
    following: Request | None = replace(request, query={**request.query, **pages.first})
    before: Page | None = None
    earlier: set[object] = set()  # what was asked before the latest page
    for number in range(1, max_pages + 1):
        if following is None:
            return
        where = f"{source.method} {bare(following.url)}: page {number}"
        beyond = pages.counted and number > 1
        documents, link = await source.get(ctx.http, following, may_be_missing=beyond)
        if documents is NOTHING:
            yield Page(following, number, None, [], None), True
            return
        try:
            records = [each for found in documents for each in records_in(found, shape, refusal)]
            document = documents[0] if len(documents) == 1 else documents
            page = Page(following, number, document, records, link)
            following = pages.following(page)
        except ValueError as error:
            raise AnswerError(f"{where}: {error}") from None
        if before is not None and page.records and page.records == before.records:
            if page.request == before.request:  # the last page names itself as the next
                yield replace(page, records=[]), True
                return
            raise AnswerError(
                f"{where}: expected other records than on the page before, got the same"
            )
        if following is not None and following.key in earlier - {page.request.key}:
            raise AnswerError(f"{where}: expected a further page, got one that was read before")
        earlier.add(page.request.key)
        before = page
        yield page, following is None


def records_in(document: Any, shape: Reader, refusal: Refusal | None) -> list[Any]:
    """Return the records of a document.

    Raises:
        ValueError: There are none where they should be, or it says that the source has failed.
    """
    if refusal is not None and (said := refusal(document)):
        raise ValueError(f"expected records, got the error {said!r}")
    return shape.records_of(document)


async def parts(ctx: Any, source: Source, shape: Reader, request: Request) -> AsyncIterator[Page]:
    """Yield the records of the only page, in parts while they arrive.

    Raises:
        AnswerError: It is not what it should be.
    """
    waiting: list[Any] = []
    broken: AnswerError | None = None
    try:
        async with aclosing(source.records(ctx.http, request, shape)) as found:
            async for records in found:
                if waiting:
                    yield Page(request, 1, None, waiting, None, goes_on=True)
                waiting = records
    except AnswerError as error:  # what came before it is good
        broken = error
    if broken is None or waiting:
        yield Page(request, 1, None, waiting, None, goes_on=broken is not None)
    if broken is not None:
        raise broken


async def readings_of(shape: Reader, page: Page) -> list[tuple[Any, ...]]:
    """Return the readings of a page, letting others run in between."""
    readings: list[tuple[Any, ...]] = []
    for at in range(0, len(page.records), SLICE):
        readings += shape.readings(page.records[at : at + SLICE])
        await asyncio.sleep(0)
    return readings


def look_at(name: str, params: Any) -> None:
    """Look at one of the params that say what is to be asked, so that each tells its own faults.

    Raises:
        ValueError: Says what is wrong with it.
    """
    nothing = {"url": "http://h/", "query": None, "body": None}
    one = {**nothing, name: getattr(params, name)}
    template_of(**one, headers=params.headers, since_param=None, until_param=None)


def template_in(params: Any) -> Template:
    """Return what params say is to be asked.

    Raises:
        ValueError: Says which is wrong.
    """
    return template_of(
        url=params.url,
        query=params.query,
        body=params.body,
        headers=params.headers,
        since_param=params.since_param,
        until_param=params.until_param,
    )


def zone_of(since_timezone: str | None, timezone: str | None) -> ZoneInfo | None:
    """Return the zone of the times that a source takes: that of those it gives, if none is said.

    Raises:
        ValueError: There is none of this name.
    """
    if since_timezone is not None:
        return time_zone(since_timezone, "since_timezone")
    return None if timezone is None else time_zone(timezone, "timezone")
