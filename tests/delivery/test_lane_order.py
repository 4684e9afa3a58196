"""No point is lost or out of turn in a lane, whatever happens to it."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestd.model import Batch, Point, Priority, Receipt
from tests.support.clock import settle
from tests.support.lanes import OneLane, at_once
from tests.support.pipeline import points

PRIORITIES = st.sampled_from(Priority)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 7), PRIORITIES),
        st.tuples(st.just("cut"), st.just(0), PRIORITIES),
        st.tuples(st.just("arrive"), st.just(0), PRIORITIES),
        st.tuples(st.just("wait"), st.integers(1, 12), PRIORITIES),
        st.tuples(st.just("hurry"), st.just(0), PRIORITIES),
    ),
    max_size=40,
)


@given(STEPS, st.integers(1, 6))
@settings(max_examples=200, deadline=None)
@pytest.mark.slow  # many examples
def test_every_point_leaves_once_and_in_order(
    steps: Sequence[tuple[str, int, Priority]], batch: int
) -> None:
    """In any order of adds and cuts no point is lost, doubled, mixed up or kept too long."""
    asyncio.run(leave_once_and_in_order(steps, batch))


async def leave_once_and_in_order(steps: Sequence[tuple[str, int, Priority]], batch: int) -> None:
    """Play the steps and look at what came out."""
    play = Play(batch)
    for step, number, priority in steps:
        await play.step(step, number, priority)
    await play.finish()

    assert play.got == play.put
    assert play.one.lane.points == 0
    assert play.one.buffer.held == play.one.buffer.backfill == 0
    assert all(receipt.settled for receipt in play.receipts)


class Play:
    """A lane that is played with, and what went in and came out."""

    def __init__(self, batch: int) -> None:
        self.one, self.most = OneLane(capacity=10**6, batch=batch), batch
        self.put: dict[Priority, list[Point]] = {priority: [] for priority in Priority}
        self.got: dict[Priority, list[Point]] = {priority: [] for priority in Priority}
        self.receipts: list[Receipt] = []
        self.asked: asyncio.Task[Batch | None] | None = None
        self.under_way: list[Batch] = []

    async def step(self, step: str, number: int, priority: Priority) -> None:
        """Do something to the lane, and see whether a batch comes out."""
        if step == "add":
            await self.add(number, priority)
        elif step == "cut":
            self.ask()
        elif step == "arrive":
            self.arrive()
        elif step == "wait":
            await self.one.clock.advance(number)
        elif step == "hurry":
            self.one.lane.hurry()
        await settle()
        if self.asked and self.asked.done():
            self.take(self.asked.result())

    async def add(self, number: int, priority: Priority) -> None:
        """Put points into the lane."""
        # Apart in time, or the ones would have to go behind the others.
        start = len(self.put[priority]) + 1000 * (priority is Priority.BACKFILL)
        some = points(*range(start, start + number))
        self.put[priority] += some
        self.receipts.append(await at_once(self.one.buffer.put(some, priority=priority)))

    def ask(self) -> None:
        """Ask for a batch, unless two are on their way."""
        if self.asked is None and len(self.under_way) < 2:
            self.asked = asyncio.create_task(self.one.lane.next_batch())

    def arrive(self) -> None:
        """Have the first batch arrive, if one is on its way."""
        if self.under_way:
            self.one.done(self.under_way.pop(0))

    def take(self, found: Batch | None) -> None:
        """Note a batch that came out."""
        self.asked = None
        assert found is not None
        assert 0 < len(found) <= self.most
        self.got[found.priority] += found.points
        self.under_way.append(found)
        assert sum(each.priority is Priority.BACKFILL for each in self.under_way) <= 1

    async def finish(self) -> None:
        """Close the lane and take what is left."""
        while self.under_way:
            self.arrive()
        self.one.lane.close()
        while found := await at_once(self.asked or self.one.lane.next_batch()):
            self.take(found)
            self.arrive()
