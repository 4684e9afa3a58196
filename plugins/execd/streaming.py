"""A command from its start to its end, as one stream of results.

The daemon starts it again when it has ended, after a pause that grows, so that each life of the
command is a run with a record of its own.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from typing import Any, Final

from ingestd.plugins._commands import CommandError, RunMemory, told

from .setup import NONE, SIGNALS, STDIN, Setup

CHUNK: Final = 256 * 1024
PATIENCE: Final = 1.0  # seconds between SIGTERM and SIGKILL


async def stream(setup: Setup, params: Any, ctx: Any) -> AsyncGenerator[dict[str, Any], None]:
    """Yield what the command gives until it ends.

    Raises:
        CommandError: It has ended with another status than 0, or has written what is no good.
    """
    memory, name = RunMemory(params), setup.command.name
    write = memory.writer()
    told_first = setup.lines is None and params.stdin is None
    first = memory.arguments() if told_first else setup.command.input(write)
    async with setup.command.start(ctx, write, patience=PATIENCE) as program:
        program.stdin.write(first)
        asking = asyncio.create_task(ask(program, setup), name="execd.ask")
        ctx.connected(f"lines of {name}")
        try:
            async for block in blocks(program.stdout, setup.max_line, name):
                yield result_of(block, setup, memory, ctx)
            status = await program.wait()
        finally:
            asking.cancel()
            await farewell(program, setup.asking.stop_within)
    if status:
        raise CommandError(f"{name} {told(status, program.printed)}")
    ctx.note(f"{name} has ended by itself")


def result_of(block: bytes, setup: Setup, memory: RunMemory, ctx: Any) -> dict[str, Any]:
    """Return what some whole lines give.

    Raises:
        CommandError: One of them is no result of a run.
    """
    if setup.lines is not None:
        return {"readings": setup.lines.read(block)}
    try:
        answers = [setup.results.answer(line) for line in block.split(b"\n") if line.strip()]
    except ValueError as error:
        raise CommandError(f"{setup.command.name}: output: {error}") from None
    for answer in answers:
        for note in answer.notes:
            ctx.note(note)
    return memory.result(answers)


async def blocks(stdout: Any, max_line: int, name: str) -> AsyncIterator[bytes]:
    """Yield what a command writes, in blocks of whole lines.

    Raises:
        CommandError: A line is too long.
    """
    rest: list[bytes] = []
    size = 0
    while piece := await stdout.read(CHUNK):
        cut = piece.rfind(b"\n") + 1
        if cut:
            yield b"".join([*rest, piece[:cut]])
            rest, size = [], 0
        rest.append(piece[cut:])
        size += len(rest[-1])
        if size > max_line:
            text = f"expected lines of at most {max_line} bytes (max_line), got a longer one"
            raise CommandError(f"{name}: output: {text}")
    if size:
        yield b"".join(rest)


async def ask(program: Any, setup: Setup) -> None:
    """Ask a command for readings, again and again."""
    asking = setup.asking
    if asking.way == NONE:
        return
    while True:
        if asking.way == STDIN:
            if not program.stdin.transport.get_write_buffer_size():  # or else it does not read
                program.stdin.write(b"\n")
        elif program.hears(SIGNALS[asking.way]):  # or else that would end it
            program.send_signal(SIGNALS[asking.way])
        await asyncio.sleep(asking.interval)


async def farewell(program: Any, within: float) -> None:
    """Close the input of a command, and wait for its end; what it still writes is not read.

    Args:
        program: The command.
        within: How long it has, in seconds.
    """
    program.stdin.close()
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            while await program.stdout.read(CHUNK):
                pass
            await program.wait()
