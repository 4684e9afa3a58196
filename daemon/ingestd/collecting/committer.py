"""What one collector remembers, in memory and on disk.

The next run sees a result's state at once; the disk sees it only when every
reading of that result, and of those before it, is safe. So a crash repeats
readings and never skips one. What depends on no readings, such as a renewed token,
goes ahead of all that waits for some.

A memory is written whole, and that of thousands of registers takes a while. So
commits take a small part of the time, unless a caller waits for one: what a crash
repeats is longer by as much.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from ingestd.clock import Clock, wait_at_most
from ingestd.contract import Memory
from ingestd.errors import StateError
from ingestd.model import Receipt

RETRY: Final = 5.0  # seconds from a failed commit to the next attempt
REST: Final = 10  # times as long as the commit took
LONGEST_REST: Final = 1.0  # seconds


class MemoryStore(Protocol):
    """Where memories are kept."""

    async def commit(self, collector: str, memory: Memory) -> None:
        """Replace what is kept for a collector; it is on disk when this returns."""


@dataclass(slots=True)
class Checkpoint:
    """A memory, with how many receipts it waits for, and what is set when it is on disk."""

    memory: Memory
    unsettled: int
    written: asyncio.Event | None = None


class StateCommitter:
    """Holds a collector's memory, and commits it behind its readings.

    Args:
        collector: The collector's name.
        memory: What was on disk.
        store: Where to commit.
        clock: Where the time comes from.
        log: Told when the disk fails us, and when it is well again.
    """

    def __init__(
        self, collector: str, memory: Memory, *, store: MemoryStore, clock: Clock, log: Any
    ) -> None:
        self.collector, self.memory = collector, memory
        self._store, self._clock, self._log = store, clock, log
        self._checkpoints: deque[Checkpoint] = deque()
        self._unchanged = Checkpoint(memory, unsettled=0)  # what the next change has to wait for
        self._safe = memory  # on disk, or on its way there
        self._waiting = 0
        self._ripe = asyncio.Event()
        self._idle, self._awaited = asyncio.Event(), asyncio.Event()
        self._idle.set()

    def commit_behind(self, memory: Memory, receipts: Sequence[Receipt]) -> None:
        """Remember from now on; commit once the receipts, and all before them, are settled."""
        if memory == self.memory and not self._checkpoints:
            self._wait_for(receipts, self._unchanged)
            return
        if self._unchanged.unsettled:
            self._unchanged.memory = self.memory
            self._checkpoints.append(self._unchanged)
            self._unchanged = Checkpoint(memory, unsettled=0)
        self.memory = memory
        self._idle.clear()
        if self._checkpoints and not receipts:  # it waits for nothing that the last one does not
            self._checkpoints[-1].memory = memory
            return
        checkpoint = Checkpoint(memory, unsettled=0)
        self._checkpoints.append(checkpoint)
        self._wait_for(receipts, checkpoint)

    def amend(self, change: Callable[[Memory], Memory]) -> asyncio.Event:
        """Change what is remembered by something that depends on no readings; commit that at once.

        Args:
            change: Makes of any memory the one that is to be in its place.

        Returns:
            What is set when that is on disk, or void.
        """
        written = asyncio.Event()
        self.memory = change(self.memory)
        for each in self._checkpoints:
            each.memory = change(each.memory)
        self._checkpoints.appendleft(Checkpoint(change(self._safe), unsettled=0, written=written))
        self._idle.clear()
        self._ripe.set()
        self._awaited.set()
        return written

    def reset(self, *, masks: bool = False) -> bool:
        """Forget state and hidden from now on, and the masks if asked to.

        It waits for no readings: without a position all of them come again, so
        that none can be skipped. Memories that still wait for theirs are void.

        Returns:
            Whether there was anything to forget.
        """
        after = Memory(masks={} if masks else self.memory.masks)
        if after == self.memory and not self._checkpoints:
            return False
        self.memory = after
        set_all(self._checkpoints)
        self._checkpoints.clear()
        self._checkpoints.append(Checkpoint(after, unsettled=0))
        self._idle.clear()
        self._ripe.set()
        return True

    def _wait_for(self, receipts: Sequence[Receipt], checkpoint: Checkpoint) -> None:
        checkpoint.unsettled += len(receipts) + 1  # so that it is not ripe before all are counted
        for receipt in receipts:
            receipt.when_settled(lambda: self._settled_one(checkpoint))
        self._settled_one(checkpoint)

    def _settled_one(self, checkpoint: Checkpoint) -> None:
        checkpoint.unsettled -= 1
        # A reset may have taken it out of the queue, and the next commit everything.
        if self._checkpoints and not self._checkpoints[0].unsettled:
            self._ripe.set()

    async def run(self) -> None:
        """Commit each memory when its readings are safe, for ever."""
        while True:
            await self._ripe.wait()
            self._ripe.clear()
            if not self._waiting:  # an amendment hurries one commit, not all that follow
                self._awaited.clear()
            memory, ripe = None, list[Checkpoint]()
            while self._checkpoints and not self._checkpoints[0].unsettled:
                ripe.append(self._checkpoints.popleft())
                self._safe = memory = ripe[-1].memory
            began = self._clock.monotonic()
            if memory is not None:
                await self._commit(memory)
                set_all(ripe)
            if not self._checkpoints:
                self._idle.set()
                self._awaited.clear()
            rest = min(REST * (self._clock.monotonic() - began), LONGEST_REST)
            await wait_at_most(self._awaited, rest, clock=self._clock)

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be committed."""
        return self._idle.is_set()

    async def committed(self) -> None:
        """Return when nothing waits to be committed."""
        if not self._idle.is_set():
            self._awaited.set()
            self._waiting += 1
            try:
                await self._idle.wait()
            finally:
                self._waiting -= 1

    async def _commit(self, memory: Memory) -> None:
        failed = False
        while True:
            try:
                await self._store.commit(self.collector, memory)
            except StateError as error:
                if not failed:
                    self._log.error("state cannot be written", error=str(error))
                failed = True
                await self._clock.sleep(RETRY)
            else:
                if failed:
                    self._log.info("state is written again")
                return


def set_all(checkpoints: Iterable[Checkpoint]) -> None:
    """Tell those who wait for some checkpoints that they need not any more."""
    for each in checkpoints:
        if each.written is not None:
            each.written.set()
