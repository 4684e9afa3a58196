"""The batches that points leave in."""

import asyncio

import pytest

from ingestd.model import Priority
from tests.support.clock import settle
from tests.support.lanes import LINGER, OneLane, at_once, seconds, waits


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
    """A point waits no longer than linger, also behind a full batch."""
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


async def test_batch_closes_at_once_when_a_caller_waits_and_nothing_is_on_its_way() -> None:
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


async def test_waiting_caller_lets_a_batch_grow_while_another_is_on_its_way() -> None:
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


async def test_waiting_caller_waits_for_all_that_is_on_its_way() -> None:
    """Two batches may be."""
    one = OneLane(batch=2)
    await one.put(1, 2)
    await one.put(3, 4)
    first, second = await one.batch(), await one.batch()
    waiter = asyncio.create_task((await one.put(5)).wait())
    next_batch = asyncio.create_task(one.lane.next_batch())

    one.done(first)
    assert await waits(next_batch)

    one.done(second)
    batch = await at_once(next_batch)
    assert batch is not None
    one.done(batch)
    await at_once(waiter)


async def test_points_linger_again_after_a_batch_that_was_hurried() -> None:
    """Nobody waits for them."""
    one = OneLane()
    waiter = asyncio.create_task((await one.put(1)).wait())
    await settle()
    one.done(await one.batch())
    await at_once(waiter)
    await one.put(2)

    assert await waits(asyncio.create_task(one.lane.next_batch()))


async def test_kept_and_droppable_points_never_share_a_batch() -> None:
    """A full spool may drop the one kind and never the other; the older goes first."""
    one = OneLane()
    await one.put(1, priority=Priority.DROPPABLE)
    await one.clock.advance(1)
    await one.put(2)
    await one.clock.advance(LINGER)

    first, second = await one.batch(), await one.batch()

    assert (seconds(first), first.droppable) == ([1], True)
    assert (seconds(second), second.droppable) == ([2], False)


async def test_backfill_goes_while_nothing_else_is_due() -> None:
    """A live batch that still gathers its points is not delayed by one that is ready."""
    one = OneLane(batch=2)
    await one.clock.advance(2 * LINGER)
    await one.put(1, 2, 3, priority=Priority.BACKFILL)
    await one.put(9)

    first = await one.batch()

    assert (seconds(first), first.priority) == ([1, 2], Priority.BACKFILL)


async def test_live_batch_that_is_due_goes_before_any_backfill() -> None:
    """However much of it waits, and however long."""
    one = OneLane(batch=2, capacity=1000)
    await one.put(*range(100), priority=Priority.BACKFILL)
    await one.clock.advance(2 * LINGER)
    await one.put(900, 901)

    first = await one.batch()

    assert seconds(first) == [900, 901]


async def test_live_point_that_has_lingered_goes_before_a_full_batch_of_backfill() -> None:
    """To have waited long enough makes it due."""
    one = OneLane(batch=2)
    await one.put(9)
    await one.clock.advance(LINGER)
    await one.put(1, 2, priority=Priority.BACKFILL)

    assert seconds(await one.batch()) == [9]


async def test_one_batch_of_backfill_is_on_its_way_at_a_time() -> None:
    """A live batch that becomes due finds the other way free."""
    one = OneLane(batch=2)
    await one.put(1, 2, 3, 4, priority=Priority.BACKFILL)
    first = await one.batch()
    second = asyncio.create_task(one.lane.next_batch())
    assert await waits(second)
    await one.put(8, 9)
    live = await at_once(second)
    third = asyncio.create_task(one.lane.next_batch())
    assert await waits(third)

    one.done(first)

    assert live is not None
    assert live.priority is Priority.SOURCE_KEEPS
    rest = await at_once(third)
    assert rest is not None
    assert seconds(rest) == [3, 4]


async def test_backfill_that_is_waited_for_is_hurried_behind_the_live_points() -> None:
    """Its last batch need not linger, and neither need they."""
    one = OneLane()
    await one.put(9)
    receipt = await one.put(1, priority=Priority.BACKFILL)
    waiter = asyncio.create_task(receipt.wait())
    await settle()

    first = await one.batch()
    one.done(first)
    second = await one.batch()
    one.done(second)

    assert (seconds(first), seconds(second)) == ([9], [1])
    await at_once(waiter)


@pytest.mark.parametrize("priority", [Priority.SOURCE_KEEPS, Priority.DROPPABLE])
async def test_point_that_may_correct_a_backfill_goes_behind_it(priority: Priority) -> None:
    """The backfill read the old value; written last, it would overwrite the new one."""
    one = OneLane(batch=3)
    await one.put(1, 2, 3, 4, priority=Priority.BACKFILL)
    await one.put(3, 9, 10, priority=priority)

    batches = [await one.batch() for _ in range(3)]

    assert [seconds(each) for each in batches] == [[1, 2, 3], [4], [3, 9, 10]]
    assert [each.priority for each in batches] == [Priority.BACKFILL] * 2 + [priority]


@pytest.mark.parametrize("corrected", [1, 2])
async def test_point_that_corrects_the_edge_of_a_backfill_goes_behind_it(corrected: int) -> None:
    """The first and the last time of what waits may be corrected as well as those between."""
    one = OneLane(batch=2)
    await one.put(1, 2, priority=Priority.BACKFILL)
    await one.put(corrected, corrected)

    batches = [await one.batch() for _ in range(2)]

    assert [seconds(each) for each in batches] == [[1, 2], [corrected, corrected]]


@pytest.mark.parametrize("corrected", [1, 5, 9])
async def test_point_that_corrects_any_result_of_a_backfill_goes_behind_it(corrected: int) -> None:
    """What waits of it may have come in parts, in any order."""
    one = OneLane(batch=3)
    for second in (5, 9, 1):
        await one.put(second, priority=Priority.BACKFILL)
    await one.put(corrected, corrected, corrected)

    assert seconds(await one.batch()) == [5, 9, 1]


@pytest.mark.parametrize("other", [0, 3])
async def test_point_beside_a_backfill_goes_before_it(other: int) -> None:
    """It can correct nothing of what waits."""
    one = OneLane(batch=2)
    await one.put(1, 2, priority=Priority.BACKFILL)
    await one.put(other, other)

    batches = [await one.batch() for _ in range(2)]

    assert [seconds(each) for each in batches] == [[other, other], [1, 2]]


@pytest.mark.parametrize("first", [Priority.SOURCE_KEEPS, Priority.DROPPABLE])
async def test_backfill_goes_before_all_that_may_correct_it(first: Priority) -> None:
    """It does not matter which of them came first, nor what came before them."""
    one = OneLane(batch=3)
    other = Priority.DROPPABLE if first is Priority.SOURCE_KEEPS else Priority.SOURCE_KEEPS
    await one.put(90, priority=other)
    await one.clock.advance(1)
    await one.put(91, priority=first)
    await one.clock.advance(1)
    await one.put(1, 2, 3, priority=Priority.BACKFILL)
    await one.put(1, 92, priority=first)
    await one.put(2, 93, priority=other)

    batches = [await one.batch() for _ in range(3)]

    assert [seconds(each) for each in batches] == [[1, 2, 3], [90, 2, 93], [91, 1, 92]]


async def test_backfill_that_comes_later_waits_again() -> None:
    """Only what may be corrected goes before what is due."""
    one = OneLane(batch=2)
    await one.put(1, 2, priority=Priority.BACKFILL)
    await one.put(1, 9)
    await one.put(101, 102, priority=Priority.BACKFILL)

    batches = [await one.batch() for _ in range(2)]

    assert [seconds(each) for each in batches] == [[1, 2], [1, 9]]


async def test_backfill_that_had_to_go_ahead_is_waited_for() -> None:
    """All of what is on its way has to arrive before more may follow."""
    one = OneLane(batch=2)
    await one.put(1, 2, 3, priority=Priority.BACKFILL)
    await one.put(1, 9)
    first, second, live = [await one.batch() for _ in range(3)]
    await one.put(101, 102, priority=Priority.BACKFILL)
    more = asyncio.create_task(one.lane.next_batch())

    one.done(first)
    assert await waits(more)

    one.done(second)
    rest = await at_once(more)
    assert live.priority is Priority.SOURCE_KEEPS
    assert rest is not None
    assert seconds(rest) == [101, 102]


async def test_backfill_lingers_when_no_more_of_it_waits() -> None:
    """From the beginning, as all other points do."""
    one = OneLane()
    await one.put(1, priority=Priority.BACKFILL)

    assert await waits(asyncio.create_task(one.lane.next_batch()))


async def test_backfill_is_due_when_more_of_it_waits_for_room() -> None:
    """Its part of the buffer may be less than a batch, and to linger would be slow."""
    one = OneLane(capacity=8, batch=10)
    await one.put(1, 2, priority=Priority.BACKFILL)
    more = one.later(3, priority=Priority.BACKFILL)
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
    await one.put(*range(10), priority=Priority.BACKFILL)
    more = one.later(*range(10, 17), priority=Priority.BACKFILL)
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
    await one.put(*range(10), priority=Priority.BACKFILL)
    await one.put(*range(900, 920))
    more = one.later(11, priority=Priority.BACKFILL)
    await settle()

    first, second = await one.batch(), await one.batch()

    assert (first.priority, second.priority) == (Priority.SOURCE_KEEPS, Priority.BACKFILL)
    more.cancel()


async def test_closed_lane_hands_out_the_rest_and_ends() -> None:
    """Nothing is left behind at the stop."""
    one = OneLane(batch=2)
    await one.put(1, 2, 3)
    await one.put(4, priority=Priority.DROPPABLE)

    one.lane.close()

    assert sorted([seconds(await one.batch()) for _ in range(3)]) == [[1, 2], [3], [4]]
    assert await at_once(one.lane.next_batch()) is None
    assert await at_once(one.lane.next_batch()) is None


async def test_closed_lane_hands_out_the_backfill_last() -> None:
    """There may not be time for all, and its source can be asked again."""
    one = OneLane()
    await one.put(1, priority=Priority.BACKFILL)
    await one.put(9)

    one.lane.close()

    assert [seconds(await one.batch()) for _ in range(2)] == [[9], [1]]


async def test_empty_lane_ends_as_soon_as_it_is_closed() -> None:
    """A delivery that waits for the next batch is told."""
    one = OneLane()
    next_batch = asyncio.create_task(one.lane.next_batch())
    assert await waits(next_batch)

    one.lane.close()

    assert await at_once(next_batch) is None
