"""Readings from a command that goes on and on, and writes a line whenever it has something.

Emits what its lines of line protocol name, or what the parameters do.

Parameters, starting: ``command`` -- a list, the program and its arguments, without a shell;
``cwd``; ``env`` -- variables, which may be secret; ``stdin`` -- what it reads first, a text, or
anything else as JSON; ``signal`` -- how it is asked for readings: ``none``, ``stdin``, ``sigusr1``,
``sigusr2`` or ``sighup``; ``interval`` -- how often; ``stop_within`` -- how long it has to end once
its input is closed; ``max_line`` -- bytes in a line.
Parameters, finding: ``format`` -- ``influx``, ``json``, ``ndjson`` or ``run``, and, as with
``http_json``, ``records``, ``layout``, ``fields``; ``time``, ``time_plus``, ``time_step``,
``time_format``, ``timezone``; ``series`` and ``value``, or ``values``; ``tags``; ``words``,
``nothing``, ``decimal``, ``units``.
Parameters of ``format: run``: ``params`` -- what the command is given; ``initial`` -- the state of
the first run, whose names may stand in braces.
State: ``state`` -- what the command gave as state. Hidden: ``secrets`` -- what it hides;
``spent`` -- marks of params that are used up.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any, Final

from ingestd.plugins._checks import Given
from ingestd.plugins._commands import folder_of, texts_by_name, words_of
from ingestd.plugins._params import whole, zone_of
from ingestd.plugins._shapes import check_shape

from .setup import asking_of, is_shaped, look_at_words, setup_of
from .streaming import stream

__all__ = ["check", "run"]

# What the collector's limits are for.
PROGRAMS: Final = True


async def run(  # noqa: PLR0913 -- each is an option, which the daemon checks by name
    *,
    ctx: Any,
    command: Any,
    cwd: str | None = None,
    env: Mapping[str, Any] | None = None,
    stdin: Any = None,
    signal: str = "none",
    interval: str = "10s",
    stop_within: str = "2s",
    max_line: int = 1024 * 1024,
    format: str = "influx",  # noqa: A002 -- the option's name
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
    params: Mapping[str, Any] | None = None,
    initial: Mapping[str, Any] | None = None,
    state: Mapping[str, Any] | None = None,
    secrets: Mapping[str, Any] | None = None,
    spent: Mapping[str, str] | None = None,
    **_: Any,
) -> AsyncIterator[dict[str, Any]]:
    """Run the command until it ends or is to stop, and yield what its lines give."""
    given = SimpleNamespace(**locals())  # as `check` has them
    async with aclosing(stream(setup_of(given, ctx.timezone), given, ctx)) as results:
        async for result in results:
            yield result


def check(**params: Any) -> list[str]:
    """Return what is wrong with params, as a run would find it."""
    given = Given(run, params)
    given.read(lambda each: whole(each.max_line, "max_line", least=1))
    given.read(lambda each: zone_of(each.timezone))
    given.read(lambda each: words_of(each.command))
    given.read(lambda each: folder_of(each.cwd))
    given.read(lambda each: texts_by_name(each.env, "env"))
    given.read(look_at_words)
    given.read(asking_of)
    if is_shaped(params):
        check_shape(given, run)
    given.read(setup_of)
    return [*dict.fromkeys(given.problems)]
