"""Slots go to calls that they suit, else to the one that waited longest; none waits for ever."""

import asyncio
import random

import pytest

from ingestd.calling.slots import MOST_PASSED, Slots
from tests.support.clock import settle
from tests.support.deadline import WITHIN


class Desk:
    """One slot, and which calls held it.

    Attributes:
        suited: The keys that the slot suits.
        held: The calls that have had it, in order.
    """

    def __init__(self) -> None:
        self.suited: set[str] = set()
        self.slots = Slots(1, suits=lambda: self.suited)
        self.held: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def queue(self, *names: str) -> None:
        """Have some calls wait, whose keys are their first letters."""
        for name in names:
            self.tasks[name] = asyncio.create_task(self._visit(name))
            await settle()

    async def _visit(self, name: str) -> None:
        async with self.slots.hold(name[0]):
            self.held.append(name)

    async def serve(self) -> list[str]:
        """Let all calls have the slot; return them in the order in which they had it."""
        self.slots.release()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
        return self.held


@pytest.fixture
async def desk() -> Desk:
    """Give a desk whose slot is held."""
    desk = Desk()
    await desk.slots.acquire()
    return desk


async def test_first_come_first_served(desk: Desk) -> None:
    """If the slot suits none better than others, the order in which they came decides."""
    await desk.queue("a1", "b1", "a2", "c1")

    assert await desk.serve() == ["a1", "b1", "a2", "c1"]


async def test_call_that_the_slot_suits_goes_first(desk: Desk) -> None:
    """The calls that the slot suits go in their order, and then the others in theirs."""
    desk.suited = {"b"}
    await desk.queue("a1", "b1", "a2", "b2")

    assert await desk.serve() == ["b1", "b2", "a1", "a2"]


async def test_no_call_is_passed_over_for_ever(desk: Desk) -> None:
    """The one that has waited longest goes after a bounded number that the slot suits better."""
    desk.suited = {"b"}
    others = [f"b{number}" for number in range(MOST_PASSED + 10)]
    await desk.queue("a1", *others)
    held = await desk.serve()

    assert held.index("a1") == MOST_PASSED
    assert [name for name in held if name != "a1"] == others


async def test_cancelled_call_leaves_the_slot_to_others(desk: Desk) -> None:
    """That holds also for a slot that was granted just before the cancellation."""
    await desk.queue("a1", "b1", "c1", "d1")
    desk.tasks["b1"].cancel()
    await settle()
    desk.slots.release()
    desk.tasks["a1"].cancel()  # it has been called, and does not know yet
    await asyncio.gather(*desk.tasks.values(), return_exceptions=True)

    assert desk.held == ["c1", "d1"]
    async with asyncio.timeout(WITHIN):
        await desk.slots.acquire()


async def test_free_slot_is_granted_beside_a_cancelled_call(desk: Desk) -> None:
    """A call that was cancelled and does not know it yet is in the way of no other."""
    await desk.queue("a1")
    desk.tasks["a1"].cancel()
    desk.slots.release()
    async with asyncio.timeout(WITHIN):
        await desk.slots.acquire()


@pytest.mark.parametrize("seed", range(20))
async def test_no_slot_is_lost_or_given_twice(seed: int) -> None:
    """Calls come, stay and are cancelled at random; the number of slots is what it was."""
    chance = random.Random(seed)
    slots, inside, most = Slots(3, suits=lambda: {chance.randrange(4)}), 0, 0

    async def visit() -> None:
        nonlocal inside, most
        async with slots.hold(chance.randrange(4)):
            inside += 1
            most = max(most, inside)
            try:
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)
            finally:
                inside -= 1

    tasks = []
    for _ in range(100):
        tasks.append(asyncio.create_task(visit()))
        if chance.random() < 0.3:
            chance.choice(tasks).cancel()
        if chance.random() < 0.5:
            await asyncio.sleep(0)
    await asyncio.gather(*tasks, return_exceptions=True)

    assert most == 3
    async with asyncio.timeout(WITHIN):
        for _ in range(3):
            await slots.acquire()
