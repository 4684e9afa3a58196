"""What a collector remembers follows its readings to the disk, and is forgotten at once."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from ingestd.clock import SystemClock
from ingestd.contract import Memory
from ingestd.keeper import Keeper
from ingestd.model import Receipt
from tests.support.plugins import LogLines


class Disk:
    """Keeps what is committed, in order."""

    def __init__(self) -> None:
        self.commits: list[Memory] = []

    async def commit(self, _collector: str, memory: Memory) -> None:
        """Keep a memory."""
        await asyncio.sleep(0)
        self.commits.append(memory)


@pytest.fixture
def disk() -> Disk:
    """Give an empty disk."""
    return Disk()


@pytest.fixture
async def keeper(disk: Disk) -> AsyncIterator[Keeper]:
    """Run a keeper that begins at 0."""
    keeper = Keeper("m", at(0), store=disk, clock=SystemClock(), log=LogLines())
    task = asyncio.create_task(keeper.run())
    yield keeper
    task.cancel()
    await asyncio.wait({task})


def at(position: int) -> Memory:
    """Return a memory of a position."""
    return Memory(state={"n": position}, masks={"extra": "mark"})


def pending() -> Receipt:
    """Return the receipt of a point that is not safe yet."""
    return Receipt(1, stores=1, hurry=lambda: None)


async def test_memories_are_committed_behind_their_readings(keeper: Keeper, disk: Disk) -> None:
    """A later result whose readings are safe waits for an earlier one's."""
    first, second = pending(), pending()
    keeper.keep(at(1), [first])
    keeper.keep(at(2), [second])
    second.settle(1)
    await asyncio.sleep(0.01)
    assert disk.commits == []
    assert keeper.memory == at(2)
    first.settle(1)
    await keeper.committed()

    assert disk.commits == [at(2)]


async def test_a_reset_waits_for_no_readings(keeper: Keeper, disk: Disk) -> None:
    """It is on disk at once, and readings that become safe later bring nothing back."""
    receipt = pending()
    keeper.keep(at(1), [receipt])

    assert keeper.reset()
    await keeper.committed()
    assert disk.commits == [Memory(masks={"extra": "mark"})]
    receipt.settle(1)
    await asyncio.sleep(0.01)
    assert keeper.memory == disk.commits[-1] == Memory(masks={"extra": "mark"})


async def test_a_reset_of_a_memory_that_was_never_committed(keeper: Keeper, disk: Disk) -> None:
    """What is on disk is forgotten too when the memory on top of it is empty already."""
    keeper.keep(Memory(masks={"extra": "mark"}), [pending()])

    assert keeper.reset()
    await keeper.committed()
    assert disk.commits == [Memory(masks={"extra": "mark"})]


async def test_a_reset_of_nothing(keeper: Keeper, disk: Disk) -> None:
    """Where there is nothing to forget, nothing is written; masks go only when asked for."""
    keeper.reset()
    await keeper.committed()

    assert not keeper.reset()
    assert keeper.reset(masks=True)
    await keeper.committed()
    assert disk.commits[-1] == Memory()
    assert not keeper.reset(masks=True)


async def test_work_goes_on_after_a_reset(keeper: Keeper, disk: Disk) -> None:
    """Void memories do not confuse the order of those that come after the reset."""
    old, new = pending(), pending()
    keeper.keep(at(1), [old])
    keeper.reset()
    keeper.keep(at(5), [new])
    old.settle(1)
    await asyncio.sleep(0.01)
    assert disk.commits[-1].state == {}
    new.settle(1)
    await keeper.committed()

    assert disk.commits[-1] == at(5)
