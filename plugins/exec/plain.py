"""A command whose output has readings in it, or nothing at all."""

from collections.abc import AsyncGenerator
from typing import Any

from ingestd.plugins._commands import CommandError, Ending, Found, Output
from ingestd.plugins._times import Bounds, settle_readings

from .calling import calling
from .setup import Setup


async def plain_results(
    setup: Setup, params: Any, ctx: Any
) -> AsyncGenerator[dict[str, Any], None]:
    """Yield what one call of the command gives.

    Raises:
        CommandError: It has failed, or its output is not what it should be.
    """
    asking, now = setup.asking, ctx.now().timestamp()
    window = asking.window(params.newest, now=now, start=params.start, end=params.end)
    write, reads = asking.windows.writer(window), setup.output is not None
    data = setup.command.input(write)
    async with calling(setup, ctx, write, data, reads=reads) as call:
        written = await call.output()
        ending, how = await call.ended(setup)
    if ending is Ending.LATER:
        ctx.note(f"{how}, which asks for another try later")
        return
    problem = how if ending is Ending.DEGRADED else ""
    if setup.output is None:
        yield {"readings": [], **degraded(problem)}
        return
    found = await readings_in(setup.output, written, setup.command.name)
    bounds = Bounds(after=window.since or 0.0, now=now, read=params.newest)
    settled = settle_readings(found.readings, bounds=bounds) if found.settles else found.readings
    state: dict[str, Any] = {}
    if asking.moves and params.start is None:
        newest, notes = asking.position(settled, newest=params.newest, now=now)
        state = {} if newest is None else {"newest": newest}
        for note in notes:
            ctx.note(note)
    yield {"readings": settled, **state, **degraded(problem or found.problem)}


async def readings_in(output: Output, written: bytes, name: str) -> Found:
    """Return what is in an output; nothing is in an empty one.

    Raises:
        CommandError: It is not written as it should be.
    """
    if not written.strip():
        return Found([])
    try:
        return await output.read(written)
    except ValueError as error:
        beginning = written[:80].decode(errors="replace")
        raise CommandError(f"{name}: output: {error}; it begins with {beginning!r}") from None


def degraded(problem: str) -> dict[str, str]:
    """Return what marks a run in which something was wrong."""
    return {"script_error": problem} if problem else {}
