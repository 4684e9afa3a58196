"""What ``ctx`` is made of, and what it gives out of its hands."""

import asyncio
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from ingestd.model import StoredPoint


class Reader(Protocol):
    """Reads points back from a store."""

    async def read(
        self, series: str, *, start_us: int, end_us: int, tags: Mapping[str, str]
    ) -> list[StoredPoint]:
        """Return the points of one series, in time order."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """Whether the daemon is stopping: true or false, and an event to wait for."""

    event: asyncio.Event

    def __bool__(self) -> bool:
        return self.event.is_set()

    async def wait(self) -> None:
        """Return when the daemon is stopping."""
        await self.event.wait()


class RunningProgram(Protocol):
    """A program that a run has started.

    Attributes:
        stdin: What it reads.
        stdout: What it writes.
    """

    stdin: asyncio.StreamWriter
    stdout: asyncio.StreamReader

    @property
    def printed(self) -> str:
        """The end of what it wrote to standard error."""

    async def wait(self) -> int:
        """Return how it ended: its status, or the number of a signal below 0."""

    def hears(self, number: int) -> bool:
        """Say whether it has a handler for a signal."""

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""


# Starts a program; what it takes is told by ``Context.program``.
StartProgram = Callable[..., AbstractAsyncContextManager[RunningProgram]]


class BeingKept:
    """Something that was given to be kept; who awaits it goes on when it is on disk."""

    def __init__(self, event: asyncio.Event) -> None:
        self._event = event

    def __await__(self) -> Generator[Any, Any, None]:
        """Return when it is on disk."""
        yield from self._event.wait().__await__()
