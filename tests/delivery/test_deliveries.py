"""The deliveries of all stores: made as configured, replaced, removed, stopped, and asked."""

import asyncio

import pytest

from ingestd.config.model import BatchConfig, BufferConfig, InfluxStore
from ingestd.delivery import deadletters
from ingestd.delivery.deadletters import DeadLetters
from ingestd.delivery.limits import STALLED, Limits
from ingestd.errors import NotNow
from ingestd.model import Series
from tests.support.deadline import WITHIN
from tests.support.influx2 import HANG, answer
from tests.support.pipeline import BUCKET, held, points, until
from tests.support.stores import Stores

AWAY = answer(503, retry_after="60")


def test_a_delivery_is_made_as_the_operator_wrote(stores: Stores) -> None:
    """Each option of the store and of the buffer is one of its limits."""
    store = InfluxStore(
        name="main",
        url="http://localhost",
        batch=BatchConfig(points=7, bytes=8, linger=9.0),
        timeout=10.0,
        retry_max=11.0,
        write_ahead=True,
    )

    made = stores.all.make(store, BufferConfig(spool_bytes=12, spool_age=13.0))

    assert made.name == "main"
    assert made.limits == Limits(
        points=7,
        size_bytes=8,
        linger=9.0,
        longest_retry=11.0,
        write_ahead=True,
        spool_bytes=12,
        spool_age=13.0,
        stalled=10.0 + STALLED,
    )
    made.log.info("it is told which store")
    assert stores.events == [{"level": "info", "event": "it is told which store", "store": "main"}]
    assert stores.all.by_store == {}


async def test_points_go_to_every_store_that_was_started(stores: Stores) -> None:
    """The buffer has a lane for each."""
    stores.server.make_bucket("second")
    stores.start("main")
    stores.start("other", bucket="second")
    await stores.safe(points(1, 2))

    assert stores.server.values("second") == stores.server.values(BUCKET)
    assert len(held(stores.server)) == 2
    assert set(stores.buffer.lanes) == set(stores.all.by_store) == {"main", "other"}


async def test_a_delivery_takes_over_from_the_one_it_replaces(stores: Stores) -> None:
    """What was under way is spooled by the one, and found and stored by the other."""
    stores.server.always = HANG
    before = stores.start()
    receipt = await stores.put(points(1, 2))
    await until(lambda: stores.server.writes == 1)
    stores.buffer.pause("main")
    stores.server.always = None

    after = stores.start()
    await receipt.wait()
    await until(lambda: after.account.stored == 2)

    assert before.account.stored == 0
    assert after.account.inherited == 2
    assert after.balance.off_by == 0
    assert stores.buffer.paused == set()
    assert len(held(stores.server)) == 2


async def test_a_store_that_is_removed_leaves_its_spool(stores: Stores) -> None:
    """Its points wait there for its return, and no new ones join them."""
    stores.server.make_bucket("second")
    stores.start("main")
    stores.start("other", bucket="second")
    stores.server.always = HANG
    receipt = await stores.put(points(1, 2))
    await until(lambda: stores.server.writes == 2)
    stores.buffer.pause("main")
    stores.server.always = None

    stores.all.remove("main")
    stores.all.by_store["other"].cancel()
    await receipt.wait()
    await stores.safe(points(3))

    assert set(stores.buffer.lanes) == set(stores.all.by_store) == {"other"}
    assert stores.buffer.paused == set()
    assert await stores.spooled("main") == 2


async def test_a_stop_delivers_what_is_in_memory(stores: Stores) -> None:
    """A batch need not be full, nor old, nor waited for."""
    stores.start()
    await stores.put(points(1))

    async with asyncio.timeout(WITHIN):
        await stores.all.stop(patience=1e6, hurry=asyncio.Event())

    assert held(stores.server) == {("level", 1): 1.0}


async def test_a_stop_has_patience_for_a_while(stores: Stores) -> None:
    """What is not stored by then is in the spool when it is over."""
    stores.start()
    stores.server.always = HANG
    receipt = await stores.put(points(1))

    async with asyncio.timeout(WITHIN):
        await stores.all.stop(patience=0.2, hurry=asyncio.Event())

    assert receipt.settled
    assert await stores.spooled() == 1


async def test_a_stop_can_be_hurried(stores: Stores) -> None:
    """A second signal spools at once, and what is there to be spooled still is."""
    stores.start()
    stores.server.always = HANG
    receipt = await stores.put(points(1))
    hurry = asyncio.Event()
    hurry.set()

    async with asyncio.timeout(WITHIN):
        await stores.all.stop(patience=1e6, hurry=hurry)

    assert receipt.settled
    assert await stores.spooled() == 1


async def test_without_a_store_there_is_nothing_to_stop(stores: Stores) -> None:
    """The last store may have been taken out of the configuration."""
    await stores.all.stop(patience=1e6, hurry=asyncio.Event())


async def test_new_limits_let_collectors_go_on(stores: Stores) -> None:
    """A spool that was full has room when it may weigh more."""
    delivery = stores.start(spool_bytes=10)
    stores.server.always = AWAY
    await stores.safe(points(1))
    full = stores.buffer.paused

    stores.all.limit(BufferConfig(spool_bytes=10_000, spool_age=86_400.0))

    assert full == {"main"}
    assert stores.buffer.paused == set()
    assert (delivery.spool.limit_bytes, delivery.limits.spool_age) == (10_000, 86_400.0)


async def test_points_are_read_from_the_first_store(stores: Stores) -> None:
    """They are those of the series, the span and the tags that were asked for."""
    stores.server.make_bucket("second")
    stores.start("main")
    stores.start("other", bucket="second")
    for site, value in (("a", 1.0), ("b", 2.0)):
        series = Series("level", (("site", site),))
        await stores.safe(points(1, 2, 3, 4, series=series, value=value))
    stores.server.stored["second"].clear()

    found = await stores.all.read("level", start_us=2_000_000, end_us=4_000_000, tags={"site": "b"})

    assert [(each.time_us, each.value) for each in found] == [
        (2_000_000, 2.0),
        (3_000_000, 2.0),
    ]


async def test_one_store_that_is_down_is_enough_to_be_behind(stores: Stores) -> None:
    """Backfills wait for all of them."""
    stores.server.make_bucket("second")
    stores.start("main")
    other = stores.start("other", bucket="second")
    assert stores.all.behind == ""

    other.outage.failed("no")

    assert stores.all.behind == "store other is down"


async def test_the_store_whose_delivery_is_stuck_is_named(stores: Stores) -> None:
    """The others go on."""
    stores.server.make_bucket("second")
    stores.start("main")
    other = stores.start("other", bucket="second")
    assert stores.all.stuck == []

    other.account.to_flight(1)
    other.account.moved_at -= 2 * other.limits.stalled

    assert stores.all.stuck == ["other"]


async def test_recovery_is_waited_for_but_not_for_ever(stores: Stores) -> None:
    """A health check must come, also when the disk is slow; without a store at once."""
    async with asyncio.timeout(WITHIN):
        await stores.all.wait_recovered(within=1e6)
        main = stores.start("main")
        await stores.all.wait_recovered(within=1e6)
        recovered = main.recovered.is_set()
        main.recovered.clear()
        await stores.all.wait_recovered(within=0.01)

    assert recovered


# Dead letters


async def test_all_dead_letters_are_tried_again_page_by_page(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of other stores stay, and none is tried twice."""
    monkeypatch.setattr(deadletters, "PAGE", 2)
    delivery = stores.start()
    await stores.refused(1, 2)
    other = DeadLetters(stores.database, "gone", clock=stores.clock)
    await other.add([(b"x", "")])
    await stores.refused(3, 4, 5)

    assert await stores.all.retry("main") == 5
    await until(lambda: delivery.account.stored == 5)

    assert {second for _, second in held(stores.server)} == {1, 2, 3, 4, 5}
    assert delivery.dead.count == 0
    assert len(await other.listed()) == 1
    assert await stores.all.retry("main") == 0


async def test_dead_letters_that_are_refused_again_are_not_tried_for_ever(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A retry ends with the letters that were there when it began."""
    monkeypatch.setattr(deadletters, "PAGE", 1)
    delivery = stores.start()
    await stores.refused(1, 2, 3)
    stores.server.refuse = lambda _line: "still no such field"

    assert await stores.all.retry("main") == 3
    await until(lambda: delivery.dead.count == 3)

    assert {each.reason for each in await delivery.dead.listed()} != {"no such field"}


async def test_some_dead_letters_are_tried_again(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator names them by their numbers, more than are moved together."""
    monkeypatch.setattr(deadletters, "PAGE", 2)
    delivery = stores.start()
    await stores.refused(1, 2, 3, 4, 5, 6)

    assert await stores.all.retry("main", [1, 3, 4, 5, 6]) == 5
    await until(lambda: delivery.account.stored == 5)

    assert {second for _, second in held(stores.server)} == {1, 3, 4, 5, 6}
    assert [each.id for each in await delivery.dead.listed()] == [2]


async def test_dead_letters_of_a_former_store_are_not_tried_again(stores: Stores) -> None:
    """No store of that name could take them; they stay."""
    gone = DeadLetters(stores.database, "gone", clock=stores.clock)
    await gone.add([(b"x", "")])

    with pytest.raises(NotNow, match=r"^gone: expected a configured store, got a former one$"):
        await stores.all.retry("gone")
    assert len(await gone.listed()) == 1


async def test_dead_letters_are_purged(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are counted as dropped, those that were named or all."""
    monkeypatch.setattr(deadletters, "PAGE", 2)
    delivery = stores.start()
    await stores.refused(1, 2, 3, 4, 5, 6, 7)

    assert await stores.all.purge("main", [2, 3, 99]) == 2
    assert [each.id for each in await delivery.dead.listed()] == [1, 4, 5, 6, 7]
    assert (delivery.dead.count, delivery.account.dropped) == (5, 2)
    assert await stores.all.purge("main") == 5
    assert (delivery.dead.count, delivery.account.dropped) == (0, 7)
    assert delivery.balance.off_by == 0


async def test_dead_letters_of_a_former_store_are_purged(stores: Stores) -> None:
    """Nothing else could be done with them; those of the others stay."""
    delivery = stores.start()
    await stores.refused(1)
    gone = DeadLetters(stores.database, "gone", clock=stores.clock)
    await gone.add([(b"x", ""), (b"y", "")])

    assert await stores.all.purge("gone") == 2
    assert await gone.listed() == []
    assert len(await delivery.dead.listed()) == 1
