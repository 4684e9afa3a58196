"""Readings of meters from a Coherent Research DCS server, through either of its APIs.

Emits one series for each register and virtual meter, named by a template: its
consumption in each period, its totals, or its samples, in the source's own unit.

Parameters, asking: ``url``; ``api`` -- ``current`` or ``legacy``; ``username`` and
``password`` -- without them what is public; ``registers`` -- ``all``, or a list of
ids such as R733 and VM9 and of patterns over "meter: register"; ``only`` -- patterns over
``meter``, ``service``, ``type``, ``status``, ``serial``; ``max_window`` -- the longest span to
ask for at once.
Parameters, what to read: ``since`` -- where a new source begins: a date, a time, or a
duration back from now; ``period`` -- ``half_hour``, ``hour``, ``day``, ``week`` or
``month``; ``values`` -- ``auto``, ``total``, ``period`` or ``both``; ``calibrated``;
``interpolated`` -- whether the server fills gaps with estimates; ``skip`` -- what to
leave out of ``generated``, ``interpolated``, ``reset``; ``local_time``, ``decimal_places``
and ``source`` -- of the legacy API.
Parameters, naming: ``series`` and ``tags`` -- templates with ``{id}``,
``{quantity}``, ``{meter}``, ``{register}``, ``{unit}``, ``{serial}``, ``{service}``,
``{type}``; ``renamed`` -- whether series ``keep`` or ``follow`` what these were at first;
``status`` -- whether each series has a second one with the status bits.
State: the id of each source -- the time of the newest reading; ``full`` -- until
when sources that were due have been read from their beginning; ``again`` -- how far
those of them have come that are not done; ``names`` -- what sources were called first.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import ijson  # type: ignore[import-untyped]  # ships no types

from ingestd.plugins._checks import Given

from .collecting import Job, collect
from .current import current_api
from .endpoint import Endpoint
from .errors import DcsError
from .failures import Failures
from .legacy import legacy_api
from .listing import listed
from .names import Names
from .naming import columns_of
from .options import READERS, Options, options_of, refuse_repeated
from .periods import Window
from .positions import Rereading, position_in
from .reading import SpanReader
from .session import Session, signing_out
from .spans import Past, Rounds, Span, normal
from .turns import Turns, Urgency

__all__ = ["DcsError", "check", "run"]

REVISIT: Final = timedelta(days=3)


# It yields, but comes to an end: it is called on a schedule.
POLLS: Final = True


async def run(  # noqa: PLR0913 -- each is an option, which the daemon checks by name
    *,
    ctx: Any,
    url: str,
    api: str = "current",
    username: str | None = None,
    password: str | None = None,
    registers: str | Sequence[str] = "all",
    max_window: str = "365d",
    since: Any = "30d",
    period: str = "half_hour",
    values: str = "auto",
    calibrated: bool = True,
    interpolated: bool = False,
    skip: Sequence[str] | None = None,
    local_time: bool = False,
    decimal_places: int = 15,
    source: str = "automatic",
    only: Mapping[str, Any] | None = None,
    renamed: str = "keep",
    series: str = "dcs_{id}_{quantity}",
    tags: Mapping[str, str] | None = None,
    status: bool = False,
    revisit: timedelta | None = None,
    revisit_full: timedelta | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    full: datetime | None = None,
    again: Mapping[str, Any] | None = None,
    names: Mapping[str, Any] | None = None,
    **positions: Any,
) -> AsyncIterator[dict[str, Any]]:
    """Read what is new of every source, or, with a window, what lies in it."""
    options = options_of(
        {
            "url": url,
            "api": api,
            "username": username,
            "password": password,
            "registers": registers,
            "max_window": max_window,
            "since": since,
            "period": period,
            "values": values,
            "calibrated": calibrated,
            "interpolated": interpolated,
            "skip": ("generated",) if skip is None else skip,
            "local_time": local_time,
            "decimal_places": decimal_places,
            "source": source,
            "only": only,
            "renamed": renamed,
            "series": series,
            "tags": tags,
            "status": status,
        }
    )
    now = ctx.now()
    exactly = None if start is None else Window(start, end or now)
    begun = again if isinstance(again, Mapping) else {}
    past = Past(
        positions,
        REVISIT if revisit is None else revisit,
        Rereading(revisit_full, position_in({"full": full}, "full"), begun, now),
        ctx.shared(Rounds, ctx.collector),
    )
    reader = span_reader_of(ctx, options, urgency=Urgency.BACKFILL if exactly else Urgency.LIVE)
    async with signing_out(reader.session):
        called = Names(names, [options.series, *options.tags.values()], follow=options.follow)
        job = await job_of(ctx, reader, past, called, exactly=exactly)
        tell_of_names(ctx, called, past.rounds)
        names_state = called.state if exactly is None else {}
        async with aclosing(collect(job, ctx.stopping)) as results:
            async for result in results:
                yield {**names_state, **result}
                names_state = {}
        if exactly is None and (silent := job.silent(past.revisit)):
            ctx.note(silent)


def check(**params: Any) -> list[str]:
    """Return what is wrong with params, as a run would find it."""
    given = Given(run, params)
    for read in (*READERS.values(), refuse_repeated):
        given.read(partial(_of_attributes, read))
    return list(dict.fromkeys(given.problems))  # some options are read with others


def _of_attributes(read: Callable[[Mapping[str, Any]], Any], given: Any) -> Any:
    return read(Attributes(given))


class Attributes(Mapping[str, Any]):
    """Gives the attributes of an object by their names."""

    def __init__(self, given: Any) -> None:
        self._given = given

    def __getitem__(self, name: str) -> Any:
        return getattr(self._given, name)

    def __iter__(self) -> Iterator[str]:
        return iter(())  # they are asked for by name

    def __len__(self) -> int:
        return 0


def tell_of_names(ctx: Any, names: Names, rounds: Rounds) -> None:
    """Put what is renamed into the record of the run, and tell the log once."""
    for source, change in names.changed.items():
        ctx.note(f"{source}: was changed at the server: {change}; {names.consequence}")
        if f"{source}: {change}" not in rounds.told:
            rounds.told.add(f"{source}: {change}")
            ctx.log.warning("a source was renamed", source=source, change=change)


def span_reader_of(ctx: Any, options: Options, *, urgency: Urgency) -> SpanReader:
    """Return what asks the server, with what all who ask it share."""
    api = legacy_api(options) if options.legacy else current_api(options)
    mode = "private" if api.sign_in is not None else "public"
    endpoint = ctx.shared(Endpoint, str(options.root), mode)
    if ijson.backend != "yajl2_c" and not endpoint.parser_told:
        endpoint.parser_told = True
        ctx.log.warning("ijson lacks its C parser, readings come slowly", backend=ijson.backend)
    session = Session(
        ctx.http,
        options,
        api,
        turns=ctx.shared(Turns, str(options.root.origin())),
        endpoint=endpoint,
        urgency=urgency,
    )
    return SpanReader(session, options, api, endpoint)


async def job_of(
    ctx: Any, reader: SpanReader, past: Past, names: Names, *, exactly: Window | None
) -> Job:
    """Return what to do, for the sources that the server has now.

    Raises:
        DcsError: The server does not list them.
    """
    options, now = reader.options, past.rereading.now
    known, unlisted, repeated = await listed(reader.session, options, reader.api, reader.endpoint)
    if repeated:
        ctx.note(f"listed more than once by the server, and read once: {', '.join(repeated)}")
    sources, unknown = options.selection.choose(known)
    columns, nameless = columns_of(sources, options, reader.api, names)
    sources = [source for source in sources if source.id in columns]
    failures = Failures(refused={**unlisted, **unknown, **nameless})
    if not known:
        failures.refused["registers"] = "expected some that this account may see, got none"
    state = {} if past.rereading.every is None or exactly else {"full": now}
    if exactly is None:
        spans = normal(sources, past, since=options.since(now), now=now)
    else:
        spans = [Span(source, exactly, now) for source in sources]
    begun = dict(past.rereading.reached)
    return Job(
        reader,
        spans,
        columns,
        failures,
        exactly,
        past.rounds,
        past.positions,
        begun,
        now,
        state,
    )
