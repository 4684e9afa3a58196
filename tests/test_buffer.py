"""Points in memory: the bound on them, and the batches that they leave in."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestd.buffer import Buffer
from ingestd.lane import Lane
from ingestd.model import Batch, Point, Receipt, Standing
from tests.support.clock import VirtualClock, settle
from tests.support.pipeline import points

T = TypeVar("T")

LINGER = 10.0


class OneLane:
    """A buffer with one lane on a clock that stands still."""

    def __init__(self, *, capacity: int = 100, batch: int = 10, size_bytes: int = 10**6) -> None:
        self.clock = VirtualClock()
        self.lane = Lane(points=batch, size_bytes=size_bytes, linger=LINGER, clock=self.clock)
        self.buffer = Buffer(capacity=capacity)
        self.buffer.lanes = {"main": self.lane}

    async def put(self, *times: int, standing: Standing = Standing.KEPT) -> Receipt:
        """Put points into the buffer, which must have room."""
        return await at_once(self.buffer.put(points(*times), standing=standing))

    def later(self, *times: int, standing: Standing = Standing.KEPT) -> "asyncio.Task[Receipt]":
        """Begin to put points into the buffer."""
        return asyncio.create_task(self.buffer.put(points(*times), standing=standing))

    async def batch(self) -> Batch:
        """Return the next batch, which must be due."""
        batch = await at_once(self.lane.next_batch())
        assert batch is not None
        return batch

    def done(self, batch: Batch, *, raw_bytes: int = 0) -> None:
        """Have a batch arrive."""
        batch.settle()
        self.lane.done(batch, raw_bytes=raw_bytes)


async def at_once(awaitable: Awaitable[T]) -> T:
    """Return a result that needs no time to pass."""
    task: asyncio.Future[T] = asyncio.ensure_future(awaitable)
    await settle()
    if not task.done():
        task.cancel()
        pytest.fail("it waits")
    return task.result()


def seconds(batch: Batch) -> list[int]:
    """Return the times of a batch's points."""
    return [time_us // 1_000_000 for _, time_us, _ in batch.points]


async def waits(task: "asyncio.Task[Any]") -> bool:
    """Say whether a task cannot go on."""
    await settle()
    return not task.done()


async def test_batch_closes_when_it_is_full() -> None:
    """So many points together are worth a request; the rest waits on."""
    one = OneLane(batch=3)
    await one.put(1, 2)
    await one.put(3, 4)

    assert seconds(await one.batch()) == [1, 2, 3]
    assert one.lane.points == 1


async def test_batch_closes_by_the_size_that_bodies_turned_out_to_have() -> None:
    """Names may be long: what a point weighs is learnt from the bodies before."""
    one = OneLane(batch=1000, size_bytes=64_000)
    await one.put(*range(1000))
    first = await one.batch()
    one.done(first, raw_bytes=640 * len(first))

    await one.put(*range(1000))

    assert len(first) == 1000
    assert len(await one.batch()) == 64_000 // 208  # a quarter of the way from 64 to 640


async def test_batch_closes_when_its_oldest_point_has_lingered() -> None:
    """The age that counts is that of the first point."""
    one = OneLane()
    next_batch = asyncio.create_task(one.lane.next_batch())
    await one.put(1)
    await one.clock.advance(LINGER - 1)
    await one.put(2)
    assert await waits(next_batch)

    await one.clock.advance(1)

    batch = await at_once(next_batch)
    assert batch is not None
    assert seconds(batch) == [1, 2]


async def test_what_a_full_batch_left_behind_keeps_its_age() -> None:
    """A point waits no longer than linger, whatever went before it."""
    one = OneLane(batch=2)
    await one.put(1, 2, 3)
    await one.clock.advance(LINGER - 1)
    await one.batch()
    rest = asyncio.create_task(one.lane.next_batch())
    assert await waits(rest)

    await one.clock.advance(1)

    batch = await at_once(rest)
    assert batch is not None
    assert seconds(batch) == [3]


async def test_age_of_points_that_have_left_counts_no_more() -> None:
    """Each batch has its own linger."""
    one = OneLane()
    await one.put(1)
    await one.clock.advance(LINGER)
    await one.batch()
    await one.put(2)

    await one.clock.advance(LINGER - 1)

    assert await waits(asyncio.create_task(one.lane.next_batch()))


async def test_batch_closes_at_once_when_somebody_waits_and_nothing_is_on_its_way() -> None:
    """Waiting for a receipt costs no linger."""
    one = OneLane()
    receipt = await one.put(1)
    next_batch = asyncio.create_task(one.lane.next_batch())
    assert await waits(next_batch)

    waiter = asyncio.create_task(receipt.wait())

    batch = await at_once(next_batch)
    assert batch is not None
    one.done(batch)
    await at_once(waiter)


async def test_somebody_who_waits_lets_a_batch_grow_while_another_is_on_its_way() -> None:
    """Small batches one after the other would be slower than one that is full."""
    one = OneLane(batch=2)
    first = await one.put(1, 2)
    under_way = await one.batch()
    second = await one.put(3)
    waiter = asyncio.gather(first.wait(), second.wait())
    next_batch = asyncio.create_task(one.lane.next_batch())
    assert await waits(next_batch)

    one.done(under_way)

    batch = await at_once(next_batch)
    assert batch is not None
    one.done(batch)
    await at_once(waiter)


async def test_kept_and_droppable_points_never_share_a_batch() -> None:
    """A full spool may drop the one kind and never the other; the older goes first."""
    one = OneLane()
    await one.put(1, standing=Standing.DROPPABLE)
    await one.clock.advance(1)
    await one.put(2)
    await one.clock.advance(LINGER)

    first, second = await one.batch(), await one.batch()

    assert (seconds(first), first.droppable) == ([1], True)
    assert (seconds(second), second.droppable) == ([2], False)


async def test_backfill_goes_while_nothing_else_is_due() -> None:
    """A live batch that still gathers its points is not delayed by one that is ready."""
    one = OneLane(batch=2)
    await one.put(1, 2, 3, standing=Standing.BACKFILL)
    await one.put(9)

    first = await one.batch()

    assert (seconds(first), first.standing) == ([1, 2], Standing.BACKFILL)


async def test_live_batch_that_is_due_goes_before_any_backfill() -> None:
    """However much of it waits, and however long."""
    one = OneLane(batch=2, capacity=1000)
    await one.put(*range(100), standing=Standing.BACKFILL)
    await one.clock.advance(2 * LINGER)
    await one.put(900, 901)

    first = await one.batch()

    assert seconds(first) == [900, 901]


async def test_live_point_that_has_lingered_goes_before_a_full_batch_of_backfill() -> None:
    """To have waited long enough makes it due."""
    one = OneLane(batch=2)
    await one.put(9)
    await one.clock.advance(LINGER)
    await one.put(1, 2, standing=Standing.BACKFILL)

    assert seconds(await one.batch()) == [9]


async def test_one_batch_of_backfill_is_on_its_way_at_a_time() -> None:
    """So that a live batch that comes up finds the other way free."""
    one = OneLane(batch=2)
    await one.put(1, 2, 3, 4, standing=Standing.BACKFILL)
    first = await one.batch()
    second = asyncio.create_task(one.lane.next_batch())
    assert await waits(second)
    await one.put(8, 9)
    live = await at_once(second)
    third = asyncio.create_task(one.lane.next_batch())
    assert await waits(third)

    one.done(first)

    assert live is not None
    assert live.standing is Standing.KEPT
    rest = await at_once(third)
    assert rest is not None
    assert seconds(rest) == [3, 4]


async def test_backfill_that_somebody_waits_for_is_hurried_behind_the_live_points() -> None:
    """Its last batch need not linger, and neither need they."""
    one = OneLane()
    await one.put(9)
    receipt = await one.put(1, standing=Standing.BACKFILL)
    waiter = asyncio.create_task(receipt.wait())
    await settle()

    first = await one.batch()
    one.done(first)
    second = await one.batch()
    one.done(second)

    assert (seconds(first), seconds(second)) == ([9], [1])
    await at_once(waiter)


@pytest.mark.parametrize("standing", [Standing.KEPT, Standing.DROPPABLE])
async def test_point_that_may_correct_a_backfill_goes_behind_it(standing: Standing) -> None:
    """The backfill read the old value; written last, it would overwrite the new one."""
    one = OneLane(batch=3)
    await one.put(1, 2, 3, 4, standing=Standing.BACKFILL)
    await one.put(3, 9, 10, standing=standing)

    batches = [await one.batch() for _ in range(3)]

    assert [seconds(each) for each in batches] == [[1, 2, 3], [4], [3, 9, 10]]
    assert [each.standing for each in batches] == [Standing.BACKFILL] * 2 + [standing]


@pytest.mark.parametrize("first", [Standing.KEPT, Standing.DROPPABLE])
async def test_backfill_goes_before_all_that_may_correct_it(first: Standing) -> None:
    """Whichever of those that do has come in first, and whatever came in before them."""
    one = OneLane(batch=3)
    other = Standing.DROPPABLE if first is Standing.KEPT else Standing.KEPT
    await one.put(90, standing=other)
    await one.clock.advance(1)
    await one.put(91, standing=first)
    await one.clock.advance(1)
    await one.put(1, 2, 3, standing=Standing.BACKFILL)
    await one.put(1, 92, standing=first)
    await one.put(2, 93, standing=other)

    batches = [await one.batch() for _ in range(3)]

    assert [seconds(each) for each in batches] == [[1, 2, 3], [90, 2, 93], [91, 1, 92]]


async def test_backfill_that_comes_later_waits_again() -> None:
    """Only what may be corrected goes before what is due."""
    one = OneLane(batch=2)
    await one.put(1, 2, standing=Standing.BACKFILL)
    await one.put(1, 9)
    await one.put(101, 102, standing=Standing.BACKFILL)

    batches = [await one.batch() for _ in range(2)]

    assert [seconds(each) for each in batches] == [[1, 2], [1, 9]]


async def test_backfill_that_had_to_go_ahead_is_waited_for() -> None:
    """All of what is on its way has to arrive before more may follow."""
    one = OneLane(batch=2)
    await one.put(1, 2, 3, standing=Standing.BACKFILL)
    await one.put(1, 9)
    first, second, live = [await one.batch() for _ in range(3)]
    await one.put(101, 102, standing=Standing.BACKFILL)
    more = asyncio.create_task(one.lane.next_batch())

    one.done(first)
    assert await waits(more)

    one.done(second)
    rest = await at_once(more)
    assert live.standing is Standing.KEPT
    assert rest is not None
    assert seconds(rest) == [101, 102]


async def test_backfill_is_due_when_more_of_it_waits_for_room() -> None:
    """Its part of the buffer may be less than a batch, and to linger would be slow."""
    one = OneLane(capacity=8, batch=10)
    await one.put(1, 2, standing=Standing.BACKFILL)
    more = one.later(3, standing=Standing.BACKFILL)
    await settle()
    first = await one.batch()
    second = asyncio.create_task(one.lane.next_batch())
    one.done(first)
    await at_once(more)

    assert seconds(first) == [1, 2]
    assert await waits(second)  # there is room again, so this one lingers
    second.cancel()


async def test_backfill_stays_due_while_more_of_it_waits_for_room() -> None:
    """Its part may be full of the rest after one batch has left, and nothing else comes."""
    one = OneLane(capacity=40, batch=6)
    await one.put(*range(10), standing=Standing.BACKFILL)
    more = one.later(*range(10, 17), standing=Standing.BACKFILL)
    await settle()
    one.done(await one.batch())
    assert await waits(more)

    rest = await one.batch()

    assert seconds(rest) == [6, 7, 8, 9]
    one.done(rest)
    await at_once(more)


async def test_backfill_that_is_pressed_stays_so_behind_a_live_batch() -> None:
    """It is due as soon as that has been cut."""
    one = OneLane(capacity=40, batch=20)
    await one.put(*range(10), standing=Standing.BACKFILL)
    await one.put(*range(900, 920))
    more = one.later(11, standing=Standing.BACKFILL)
    await settle()

    first, second = await one.batch(), await one.batch()

    assert (first.standing, second.standing) == (Standing.KEPT, Standing.BACKFILL)
    more.cancel()


async def test_closed_lane_hands_out_the_rest_and_ends() -> None:
    """Nothing is left behind at the stop."""
    one = OneLane(batch=2)
    await one.put(1, 2, 3)
    await one.put(4, standing=Standing.DROPPABLE)

    one.lane.close()

    assert sorted([seconds(await one.batch()) for _ in range(3)]) == [[1, 2], [3], [4]]
    assert await at_once(one.lane.next_batch()) is None
    assert await at_once(one.lane.next_batch()) is None


async def test_empty_lane_ends_as_soon_as_it_is_closed() -> None:
    """Whoever waits for its next batch is told."""
    one = OneLane()
    next_batch = asyncio.create_task(one.lane.next_batch())
    assert await waits(next_batch)

    one.lane.close()

    assert await at_once(next_batch) is None


async def test_full_buffer_makes_putting_wait_until_a_receipt_is_settled() -> None:
    """The bound holds from the lane to the disk or the store, not only to the lane's end."""
    one = OneLane(capacity=3, batch=3)
    await one.put(1, 2, 3)
    putting = one.later(4)
    batch = await one.batch()
    assert await waits(putting)

    one.done(batch)

    await at_once(putting)
    assert one.buffer.held == 1


async def test_room_is_given_in_the_order_of_asking() -> None:
    """A large result does not wait for ever while small ones slip in."""
    one = OneLane(capacity=4, batch=1)
    await one.put(1)
    await one.put(2)
    large = one.later(3, 4, 5, 6)
    small = [one.later(7), one.later(8)]
    await settle()

    one.done(await one.batch())
    assert await waits(large)
    assert await waits(small[0])

    one.done(await one.batch())
    await at_once(large)
    assert await waits(small[0])


async def test_one_that_gives_up_its_turn_lets_the_next_one_in() -> None:
    """A cancelled run leaves no gap in the queue."""
    one = OneLane(capacity=4)
    await one.put(1)
    large, small = one.later(2, 3, 4, 5), one.later(6)
    assert await waits(small)

    large.cancel()

    await at_once(small)
    assert one.buffer.held == 2


async def test_one_that_is_cancelled_as_its_turn_comes_gives_the_room_back() -> None:
    """Room that nobody uses would be missing for ever."""
    one = OneLane(capacity=2, batch=2)
    await one.put(1, 2)
    putting = one.later(3, 4)
    batch = await one.batch()
    assert await waits(putting)

    one.done(batch)  # its turn has come, but it has not run yet
    putting.cancel()
    await settle()

    assert putting.cancelled()
    assert one.buffer.held == 0
    await one.put(5, 6)


async def test_result_larger_than_the_bound_is_let_in_when_the_buffer_is_empty() -> None:
    """Otherwise it would wait for ever; nothing else comes in beside it."""
    one = OneLane(capacity=2, batch=5)
    await one.put(1)
    large, small = one.later(2, 3, 4, 5), one.later(6)
    assert await waits(large)

    one.lane.close()
    one.done(await one.batch())

    await at_once(large)
    assert one.buffer.held == 4
    assert await waits(small)


async def test_result_without_points_is_settled_and_never_waits() -> None:
    """State alone needs no room, not even in a full or paused buffer."""
    one = OneLane(capacity=1)
    await one.put(1)
    one.buffer.pause("main")

    receipt = await one.put()

    assert receipt.settled


async def test_paused_store_holds_back_only_points_that_their_source_keeps() -> None:
    """The others have nowhere to wait, so they come in and the spool drops its oldest."""
    one = OneLane()
    one.buffer.pause("main")
    kept, droppable = one.later(1), one.later(2, standing=Standing.DROPPABLE)
    assert await waits(kept)
    await at_once(droppable)
    assert one.buffer.paused == {"main"}

    one.buffer.resume("main")

    await at_once(kept)
    assert one.buffer.held == 2


async def test_held_back_results_keep_their_order() -> None:
    """A pause is no reason to overtake."""
    one = OneLane(capacity=2, batch=2)
    one.buffer.pause("main")
    waiting = [one.later(1, 2), one.later(3, 4), one.later(5, 6)]
    await settle()

    one.buffer.resume("main")
    for second in (1, 3, 5):
        batch = await one.batch()
        assert seconds(batch) == [second, second + 1]
        one.done(batch)
        await settle()

    await asyncio.gather(*waiting)


async def test_buffer_stays_closed_until_the_last_store_has_room() -> None:
    """Two spools may be full."""
    one = OneLane()
    one.buffer.pause("main")
    one.buffer.pause("other")
    kept = one.later(1)

    one.buffer.resume("main")
    assert await waits(kept)

    one.buffer.resume("other")
    await at_once(kept)


async def test_backfill_never_holds_more_than_its_part_of_the_buffer() -> None:
    """The rest is for those who have something new."""
    one = OneLane(capacity=12, batch=3)
    await one.put(1, 2, 3, standing=Standing.BACKFILL)
    more = one.later(4, standing=Standing.BACKFILL)
    assert await waits(more)

    one.done(await one.batch())

    await at_once(more)
    assert (one.buffer.held, one.buffer.backfill) == (1, 1)


async def test_backfill_comes_in_when_nobody_else_waits() -> None:
    """Even if it asked first."""
    one = OneLane(capacity=8, batch=8)
    await one.put(*range(8))
    backfill, live = one.later(101, standing=Standing.BACKFILL), one.later(*range(10, 18))
    assert await waits(live)
    one.done(await one.batch())
    await at_once(live)
    assert await waits(backfill)

    one.done(await one.batch())

    await at_once(backfill)
    assert (one.buffer.held, one.buffer.backfill) == (1, 1)


async def test_full_part_of_backfill_leaves_room_for_live_results() -> None:
    """Whoever has something new is let in at once."""
    one = OneLane(capacity=100, batch=10)
    await one.put(*range(25), standing=Standing.BACKFILL)
    waiting = [one.later(n, standing=Standing.BACKFILL) for n in range(25, 60)]
    await settle()

    await one.put(*range(900, 975))

    assert one.buffer.held == 100
    assert not any(each.done() for each in waiting)
    for each in waiting:
        each.cancel()


async def test_backfill_never_passes_a_live_result_that_waits() -> None:
    """Even if there is room for it and not for the other."""
    one = OneLane(capacity=12, batch=12)
    await one.put(*range(8))
    live = one.later(*range(10, 16))
    backfill = one.later(101, standing=Standing.BACKFILL)

    assert await waits(backfill)
    assert not live.done()
    for each in (live, backfill):
        each.cancel()


async def test_cancelled_backfill_gives_up_its_turn() -> None:
    """And the next one comes in its place."""
    one = OneLane(capacity=8, batch=8)
    await one.put(1, 2, standing=Standing.BACKFILL)
    first, second = (one.later(n, n, standing=Standing.BACKFILL) for n in (3, 4))
    await settle()
    first.cancel()
    await settle()

    one.lane.hurry()
    one.done(await one.batch())

    await at_once(second)
    assert one.buffer.backfill == 2


async def test_receipt_waits_for_every_store() -> None:
    """A point is safe when all stores have taken responsibility."""
    one = OneLane(batch=1)
    other = Lane(points=1, size_bytes=10**6, linger=LINGER, clock=one.clock)
    one.buffer.lanes = {"main": one.lane, "other": other}
    receipt = await one.put(1)

    one.done(await one.batch())
    before = receipt.settled, one.buffer.held

    batch = await at_once(other.next_batch())
    assert batch is not None
    batch.settle()
    assert before == (False, 1)
    assert (receipt.settled, one.buffer.held) == (True, 0)


STANDINGS = st.sampled_from(Standing)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 7), STANDINGS),
        st.tuples(st.just("cut"), st.just(0), STANDINGS),
        st.tuples(st.just("arrive"), st.just(0), STANDINGS),
        st.tuples(st.just("wait"), st.integers(1, 12), STANDINGS),
        st.tuples(st.just("hurry"), st.just(0), STANDINGS),
    ),
    max_size=40,
)


@given(STEPS, st.integers(1, 6))
@settings(max_examples=200, deadline=None)
@pytest.mark.slow
def test_every_point_leaves_once_and_in_order(
    steps: Sequence[tuple[str, int, Standing]], batch: int
) -> None:
    """Whatever the order of adds and cuts, nothing is lost, doubled, mixed up or kept too long."""
    asyncio.run(leave_once_and_in_order(steps, batch))


async def leave_once_and_in_order(steps: Sequence[tuple[str, int, Standing]], batch: int) -> None:
    """Play the steps and look at what came out."""
    play = Play(batch)
    for step, number, standing in steps:
        await play.step(step, number, standing)
    await play.finish()

    assert play.got == play.put
    assert play.one.lane.points == 0
    assert play.one.buffer.held == play.one.buffer.backfill == 0
    assert all(receipt.settled for receipt in play.receipts)


class Play:
    """A lane that is played with, and what went in and came out."""

    def __init__(self, batch: int) -> None:
        self.one, self.most = OneLane(capacity=10**6, batch=batch), batch
        self.put: dict[Standing, list[Point]] = {standing: [] for standing in Standing}
        self.got: dict[Standing, list[Point]] = {standing: [] for standing in Standing}
        self.receipts: list[Receipt] = []
        self.asked: asyncio.Task[Batch | None] | None = None
        self.under_way: list[Batch] = []

    async def step(self, step: str, number: int, standing: Standing) -> None:
        """Do something to the lane, and see whether a batch comes out."""
        if step == "add":
            await self.add(number, standing)
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

    async def add(self, number: int, standing: Standing) -> None:
        """Put points into the lane."""
        # Apart in time, or the ones would have to go behind the others.
        start = len(self.put[standing]) + 1000 * (standing is Standing.BACKFILL)
        some = points(*range(start, start + number))
        self.put[standing] += some
        self.receipts.append(await at_once(self.one.buffer.put(some, standing=standing)))

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
        self.got[found.standing] += found.points
        self.under_way.append(found)
        assert sum(each.standing is Standing.BACKFILL for each in self.under_way) <= 1

    async def finish(self) -> None:
        """Close the lane and take what is left."""
        while self.under_way:
            self.arrive()
        self.one.lane.close()
        while found := await at_once(self.asked or self.one.lane.next_batch()):
            self.take(found)
            self.arrive()
