"""Readings from any command: what it writes to its standard output.

Emits what the parameters name, or what the command says itself.

Parameters, starting: ``command`` -- a list, the program and its arguments, without a shell;
``cwd``; ``env`` -- variables, which may be secret; ``stdin`` -- what it reads, a text, or anything
else as JSON; ``exit_codes`` -- status to ``ok``, ``degraded``, ``failed`` or ``later``;
``max_bytes`` -- of its output.
Parameters, finding: ``format`` -- ``run``, ``value``, ``influx``, ``prometheus``, ``none``, or one
of documents, such as ``json`` and ``csv``, and for these, as with ``http_json``: ``csv``,
``charset``, ``member``, ``records``, ``layout``, ``fields``; ``time``, ``time_plus``,
``time_step``, ``time_format``, ``timezone``; ``series`` and ``value``, or ``values``; ``tags``;
``words``, ``nothing``, ``decimal``, ``units``.
Parameters, going on: ``{since}`` and ``{until}`` or ``{last}`` in ``command`` and ``stdin`` -- what
is asked for; ``since_format``, ``since_timezone``, ``lookback``, ``overlap``, ``hold``.
Parameters of ``format: run``: ``params`` -- what the command is given; ``initial`` -- the state of
the first run, whose names may stand in braces; ``backfills`` -- whether it reads the past on
request.
State: ``newest`` -- the time up to which all is read, in Unix seconds; ``state`` -- what the
command gave as state. Hidden: ``secrets`` -- what it hides; ``spent`` -- marks of params that are
used up.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from types import SimpleNamespace
from typing import Any, Final

from ingestd.plugins._checks import Given
from ingestd.plugins._commands import endings_of, folder_of, texts_by_name, words_of
from ingestd.plugins._params import whole, zone_of
from ingestd.plugins._shapes import check_shape

from .asking import RUN, asking_of
from .plain import plain_results
from .setup import check_window, format_in, is_shaped, look_at_words, setup_of
from .talking import run_results

__all__ = ["check", "run"]

# It yields, but comes to an end: it is called on a schedule.
POLLS: Final = True
# What the collector's limits are for.
PROGRAMS: Final = True


async def run(  # noqa: PLR0913 -- each is an option, which the daemon checks by name
    *,
    ctx: Any,
    command: Any,
    cwd: str | None = None,
    env: Mapping[str, Any] | None = None,
    stdin: Any = None,
    exit_codes: Mapping[Any, Any] | None = None,
    max_bytes: int = 16 * 1024 * 1024,
    format: str = "auto",  # noqa: A002 -- the option's name
    csv: Mapping[str, Any] | None = None,
    charset: str | None = None,
    member: str | None = None,
    records: str | Sequence[str] | None = None,
    layout: str | None = None,
    fields: Sequence[str] | str | None = None,
    time: str | None = None,
    time_plus: str | Mapping[str, str] | None = None,
    time_step: str | None = None,
    time_format: str | None = None,
    timezone: str | None = None,
    series: str | None = None,
    value: str | None = None,
    values: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    words: Mapping[Any, Any] | None = None,
    nothing: Any = None,
    decimal: str | None = None,
    units: Any = None,
    since_format: str | None = None,
    since_timezone: str | None = None,
    lookback: str | None = None,
    overlap: str = "0s",
    hold: str = "1d",
    params: Mapping[str, Any] | None = None,
    initial: Mapping[str, Any] | None = None,
    backfills: bool = False,
    newest: float | None = None,
    state: Mapping[str, Any] | None = None,
    secrets: Mapping[str, Any] | None = None,
    spent: Mapping[str, str] | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    **_: Any,
) -> AsyncIterator[dict[str, Any]]:
    """Run the command once, and yield what it gives."""
    given = SimpleNamespace(**locals())  # as `check` has them
    setup = setup_of(given, ctx.timezone)
    found = run_results(setup, given, ctx) if format == RUN else plain_results(setup, given, ctx)
    async with aclosing(found) as results:
        async for result in results:
            yield result


def check(**params: Any) -> list[str]:
    """Return what is wrong with params, as a run would find it."""
    given = Given(run, params)
    given.read(lambda each: whole(each.max_bytes, "max_bytes", least=1))
    given.read(lambda each: endings_of(each.exit_codes))
    given.read(lambda each: format_in(each.format))
    given.read(lambda each: zone_of(each.timezone))
    given.read(lambda each: words_of(each.command))
    given.read(lambda each: folder_of(each.cwd))
    given.read(lambda each: texts_by_name(each.env, "env"))
    given.read(look_at_words)
    given.durations("lookback", "overlap", "hold")
    given.read(asking_of)
    if is_shaped(params):
        check_shape(given, run)
    given.read(setup_of)
    given.read(check_window)
    return [*dict.fromkeys(given.problems)]
