"""A command that speaks the run-contract: it is given what a run gets, and gives results."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import orjson

from ingestd.plugins._commands import Answer, CommandError, Ending, RunMemory, RunReader

from .calling import calling
from .plain import degraded
from .setup import Setup


async def run_results(setup: Setup, params: Any, ctx: Any) -> AsyncGenerator[dict[str, Any], None]:
    """Yield the results of one call of the command, each as soon as it is there.

    Raises:
        CommandError: It has failed, or has written what is no result.
    """
    memory = RunMemory(params, window=(params.start, params.end))
    write = memory.writer()
    data = memory.arguments() if params.stdin is None else setup.command.input(write)
    async with calling(setup, ctx, write, data) as call:
        waiting: dict[str, Any] | None = None
        try:
            async for answer in answers(call.pieces(), setup.results):
                for note in answer.notes:
                    ctx.note(note)
                if waiting is not None:
                    yield waiting
                waiting = memory.result([answer])
        except ValueError as error:
            raise CommandError(f"{setup.command.name}: output: {error}") from None
        ending, how = await call.ended(setup)
    if ending is Ending.LATER:
        ctx.note(f"{how}, which asks for another try later")
    problem = degraded(how) if ending is Ending.DEGRADED else {}
    if waiting is not None or problem:  # the last one counts only if the command has not failed
        yield {**problem, **(waiting or {"readings": []})}


async def answers(pieces: AsyncIterator[bytes], reader: RunReader) -> AsyncIterator[Answer]:
    """Yield the results in an output: one in each line, or one in all of them.

    Raises:
        ValueError: There is something else.
    """
    held: list[bytes] = []  # the lines of one document
    begun = False
    async for line in lines_of(pieces):
        if held or (not begun and not is_json(line)):
            held.append(line)
        else:
            yield reader.answer(line)
        begun = True
    if held:
        yield reader.answer(b"\n".join(held))


async def lines_of(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the lines in pieces of a text that are not blank."""
    parts: list[bytes] = []
    async for piece in pieces:
        *lines, rest = piece.split(b"\n")
        for line in lines:
            whole = b"".join([*parts, line])
            parts = []
            if whole.strip():
                yield whole
        parts.append(rest)
    if (last := b"".join(parts)).strip():
        yield last


def is_json(line: bytes) -> bool:
    """Say whether a line is a document of JSON."""
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True
