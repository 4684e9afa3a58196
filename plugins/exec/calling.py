"""One call of a command: what it writes, and how it ends."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from ingestd.plugins._commands import Command, CommandError, Ending, told
from ingestd.plugins._places import Write

from .setup import Setup

CHUNK: Final = 64 * 1024


class Call:
    """A command that runs.

    Args:
        program: What was started.
        command: As what.
        max_bytes: How much it may write.
    """

    def __init__(self, program: Any, command: Command, max_bytes: int) -> None:
        self._program, self._name, self._most = program, command.name, max_bytes

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield what it writes.

        Raises:
            CommandError: It is too much.
        """
        came = 0
        while piece := await self._program.stdout.read(CHUNK):
            came += len(piece)
            if came > self._most:
                text = f"expected at most {self._most} bytes of output (max_bytes), got more"
                raise CommandError(f"{self._name}: {text}")
            yield piece

    async def output(self) -> bytes:
        """Return all that it writes.

        Raises:
            CommandError: It is too much.
        """
        return b"".join([piece async for piece in self.pieces()])

    async def ended(self, setup: Setup) -> tuple[Ending, str]:
        """Return what its end means, and how that is told.

        Raises:
            CommandError: It has failed.
        """
        status = await self._program.wait()
        ending, text = setup.ending(status), told(status, self._program.printed)
        if ending is Ending.FAILED:
            raise CommandError(f"{self._name} {text}")
        return ending, f"{self._name} {text}"


@asynccontextmanager
async def calling(
    setup: Setup, ctx: Any, write: Write, data: bytes, *, reads: bool = True
) -> AsyncIterator[Call]:
    """Start a command and give it its input; end it when the context is left.

    Args:
        setup: What is started, and how.
        ctx: The context of the run.
        write: Returns what to write in a place.
        data: Its input.
        reads: Whether anything reads its output.
    """
    async with setup.command.start(ctx, write, reads=reads) as program:
        program.stdin.write(data)  # what it does not read is lost without harm
        program.stdin.close()
        yield Call(program, setup.command, setup.max_bytes)
