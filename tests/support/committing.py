"""A committer at work, with where it commits to."""

import asyncio
from dataclasses import dataclass, field
from typing import Self

from ingestd.collecting.committer import StateCommitter
from ingestd.contract.memory import Memory
from ingestd.errors import DiskFull
from ingestd.model import Receipt
from tests.support.clock import VirtualClock
from tests.support.plugins import LogLines


@dataclass
class Shelf:
    """Keeps memories in a list; may be full, or slow.

    Attributes:
        kept: All that were committed, in order.
        full: Whether it refuses.
        open: Set while it answers.
        seconds: How long that takes, by the clock.
    """

    clock: VirtualClock

    kept: list[Memory] = field(default_factory=list)
    full: bool = False
    open: asyncio.Event = field(default_factory=asyncio.Event)
    seconds: float = 0.0

    async def commit(self, collector: str, memory: Memory) -> None:
        """Keep a memory."""
        await self.open.wait()
        if self.seconds:
            await self.clock.sleep(self.seconds)
        if self.full:
            raise DiskFull(f"{collector}: no room")
        self.kept.append(memory)


class Kept:
    """A committer at work, with its shelf."""

    def __init__(self) -> None:
        self.clock, self.log = VirtualClock(), LogLines()
        self.shelf = Shelf(self.clock)
        self.shelf.open.set()
        self.committer = StateCommitter(
            "probe", Memory(), store=self.shelf, clock=self.clock, log=self.log
        )
        self.task = asyncio.create_task(self.committer.run())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.task.cancel()
        await asyncio.wait({self.task})

    def keep(self, number: int, *receipts: Receipt) -> Memory:
        """Remember a number behind some receipts."""
        memory = Memory(state={"n": number})
        self.committer.commit_behind(memory, receipts)
        return memory


def receipt() -> Receipt:
    """Return a receipt for one point."""
    return Receipt(1, stores=1, hurry=lambda: None)
