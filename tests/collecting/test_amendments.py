"""What depends on no readings is committed ahead of what waits for some."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from ingestd.collecting.committer import RETRY
from ingestd.contract.memory import Memory
from tests.support.clock import settle
from tests.support.committing import Kept, receipt
from tests.support.deadline import WITHIN


def token(name: str) -> Callable[[Memory], Memory]:
    """Return what puts a token into a memory."""
    return lambda memory: replace(memory, hidden={"token": name})


async def test_amendment_waits_for_no_readings() -> None:
    """It is on disk at once, with the state whose readings are safe."""
    async with Kept() as kept:
        kept.keep(1)
        await settle()
        late = receipt()
        kept.keep(2, late)
        kept.committer.amend(token("x"))
        await settle()
        assert kept.shelf.kept[-1] == Memory(state={"n": 1}, hidden={"token": "x"})
        assert kept.committer.memory == Memory(state={"n": 2}, hidden={"token": "x"})

        late.settle(1)
        await kept.committer.committed()

        assert kept.shelf.kept[-1] == Memory(state={"n": 2}, hidden={"token": "x"})


async def test_amendment_while_another_is_written_is_added_to_it() -> None:
    """What is on its way to the disk counts as being there."""
    async with Kept() as kept:
        kept.shelf.open.clear()
        kept.keep(1)
        await settle()
        kept.committer.amend(token("x"))
        kept.shelf.open.set()
        await kept.committer.committed()

        assert kept.shelf.kept[-1] == Memory(state={"n": 1}, hidden={"token": "x"})


async def test_amendment_does_not_wait_until_the_disk_has_rested() -> None:
    """The rest after a long commit is cut short for it, and for no other."""
    async with Kept() as kept:
        kept.shelf.seconds = 0.02
        kept.keep(1)
        await kept.clock.drive(kept.committer.committed())
        last = receipt()
        kept.keep(2, last)
        kept.committer.amend(token("x"))
        await kept.clock.drive(kept.clock.sleep(0.03))
        assert kept.shelf.kept[-1].hidden == {"token": "x"}
        number = len(kept.shelf.kept)

        last.settle(1)
        for number_of_state in range(3, 13):
            kept.keep(number_of_state)
            await kept.clock.drive(kept.clock.sleep(0.01))

        assert len(kept.shelf.kept) <= number + 1


async def test_amendment_is_waited_for() -> None:
    """A daemon that stops does not go before it is on disk."""
    async with Kept() as kept:
        kept.shelf.open.clear()
        kept.committer.amend(token("x"))
        committed = asyncio.create_task(kept.committer.committed())
        await settle()
        assert not committed.done()

        kept.shelf.open.set()
        await asyncio.wait_for(committed, WITHIN)


async def test_amendment_survives_a_commit_that_fails() -> None:
    """It is tried again, as any other."""
    async with Kept() as kept:
        kept.shelf.full = True
        kept.committer.amend(token("x"))
        await settle()
        kept.shelf.full = False
        await kept.clock.advance(RETRY)
        await kept.committer.committed()

        assert kept.shelf.kept == [Memory(hidden={"token": "x"})]


async def test_amendment_tells_when_it_is_on_disk() -> None:
    """Not before, and not with what waits for readings."""
    async with Kept() as kept:
        kept.keep(1, receipt())
        kept.shelf.open.clear()
        written = kept.committer.amend(token("x"))
        await settle()
        assert not written.is_set()

        kept.shelf.open.set()
        await asyncio.wait_for(written.wait(), WITHIN)

        assert kept.shelf.kept[-1].hidden == {"token": "x"}
        assert not kept.committer.idle


async def test_amendment_that_a_reset_voids_keeps_nobody_waiting() -> None:
    """There is nothing left to wait for."""
    async with Kept() as kept:
        kept.shelf.open.clear()
        kept.keep(1)
        await settle()
        written = kept.committer.amend(token("x"))
        kept.committer.reset()

        assert written.is_set()
