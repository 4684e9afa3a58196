"""Points in memory: the bound on them, and who is let in when."""

import asyncio

from ingestd.delivery.lane import Lane
from ingestd.model import Priority
from tests.support.clock import settle
from tests.support.lanes import LINGER, OneLane, at_once, seconds, waits
from tests.support.pipeline import points


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
    """Room that no point uses would be missing for ever."""
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
    kept, droppable = one.later(1), one.later(2, priority=Priority.DROPPABLE)
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
    await one.put(1, 2, 3, priority=Priority.BACKFILL)
    more = one.later(4, priority=Priority.BACKFILL)
    assert await waits(more)

    one.done(await one.batch())

    await at_once(more)
    assert (one.buffer.held, one.buffer.backfill) == (1, 1)


async def test_backfill_comes_in_when_no_other_result_waits() -> None:
    """It waits for that even if it asked first."""
    one = OneLane(capacity=8, batch=8)
    await one.put(*range(8))
    backfill, live = one.later(101, priority=Priority.BACKFILL), one.later(*range(10, 18))
    assert await waits(live)
    one.done(await one.batch())
    await at_once(live)
    assert await waits(backfill)

    one.done(await one.batch())

    await at_once(backfill)
    assert (one.buffer.held, one.buffer.backfill) == (1, 1)


async def test_full_part_of_backfill_leaves_room_for_live_results() -> None:
    """A collector that has something new is let in at once."""
    one = OneLane(capacity=100, batch=10)
    await one.put(*range(25), priority=Priority.BACKFILL)
    waiting = [one.later(n, priority=Priority.BACKFILL) for n in range(25, 60)]
    await settle()

    await one.put(*range(900, 975))

    assert one.buffer.held == 100
    assert not any(each.done() for each in waiting)
    for each in waiting:
        each.cancel()


async def test_backfill_never_passes_a_live_result_that_waits() -> None:
    """It has to wait even if there is room for it and not for the other."""
    one = OneLane(capacity=12, batch=12)
    await one.put(*range(8))
    live = one.later(*range(10, 16))
    backfill = one.later(101, priority=Priority.BACKFILL)

    assert await waits(backfill)
    assert not live.done()
    for each in (live, backfill):
        each.cancel()


async def test_cancelled_backfill_gives_up_its_turn() -> None:
    """The next backfill comes in its place."""
    one = OneLane(capacity=8, batch=8)
    await one.put(1, 2, priority=Priority.BACKFILL)
    first, second = (one.later(n, n, priority=Priority.BACKFILL) for n in (3, 4))
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


async def test_cancelled_collector_keeps_no_backfill_out() -> None:
    """One that has given up waiting is not waited for, once there is room."""
    one = OneLane(capacity=8, batch=8)
    await one.put(*range(8))
    live = one.later(9)
    await settle()
    live.cancel()
    await settle()
    backfill = one.later(1, priority=Priority.BACKFILL)

    one.done(await one.batch())

    await at_once(backfill)
    assert (one.buffer.held, one.buffer.backfill) == (1, 1)


async def test_result_that_is_held_back_keeps_its_turn_behind_one_without_room() -> None:
    """One waits for the spool, the other for the buffer."""
    one = OneLane(capacity=2, batch=2)
    await one.put(1, 2)
    one.buffer.pause("main")
    kept, droppable = one.later(3), one.later(4, 5, priority=Priority.DROPPABLE)
    await settle()

    one.done(await one.batch())
    await at_once(droppable)
    one.done(await one.batch())
    assert await waits(kept)

    one.buffer.resume("main")
    await at_once(kept)


async def test_what_points_wait_for_is_told() -> None:
    """Every spool that takes no more, with the reason; otherwise the buffer alone is full."""
    buffer = OneLane().buffer
    full = [buffer.full]
    buffer.pause("other", "cannot be written")
    buffer.pause("main")
    full.append(buffer.full)
    for store in ("main", "other", "other"):
        buffer.resume(store)
    full.append(buffer.full)

    assert full == [
        "the buffer is full",
        "the spool of main is full, the spool of other cannot be written",
        "the buffer is full",
    ]


async def test_points_go_to_the_stores_of_their_run() -> None:
    """Under the names that these have now; the receipt names those that are missing."""
    one = OneLane()
    other = Lane(points=10, size_bytes=10**6, linger=LINGER, clock=one.clock)
    one.buffer.lanes = {"main": one.lane, "other": other}
    one.buffer.successors = {"old": "main"}
    put = one.buffer.put(points(1), priority=Priority.SOURCE_KEEPS, stores=["old", "gone"])
    receipt = await at_once(put)

    assert (one.lane.points, other.points) == (1, 0)
    assert receipt.missing == ["gone"]
    assert (await one.put(2)).missing == []
    assert (one.lane.points, other.points) == (2, 1)


async def test_stores_that_are_gone_are_named() -> None:
    """One that has another name now is there."""
    one = OneLane()
    one.buffer.successors = {"old": "main"}

    assert one.buffer.missing(["z", "main", "old", "a"]) == ["a", "z"]
