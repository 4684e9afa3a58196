"""What waits for a store that has gone: noted, taken over, moved and dropped while others run."""

import asyncio
import gc
import sqlite3
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest

from ingestd.config.model import BufferConfig, EmbeddedStore
from ingestd.delivery import deadletters
from ingestd.delivery.former import OLDER, FormerStore, read
from ingestd.delivery.spool import contents
from ingestd.disk.directory import Ballast
from ingestd.errors import NotNow, NotPossible
from tests.support.deadline import WITHIN
from tests.support.disk import fill
from tests.support.influx2 import HANG, Influx2, answer
from tests.support.pipeline import held, points, until
from tests.support.stores import Stores, stores_of

AWAY = answer(503)
TOOK_OVER = "took over what waited for the former store"
KEPT_BACK = "what may be older than what is stored was kept back; see ingestd spool"
STAYS = "what waits for the former store stays"


async def leave(stores: Stores, *times: int, dead: int = 0, name: str = "old") -> None:
    """Have a store leave a body for each time and some dead letters, and go."""
    stores.start(name)
    if dead:
        await stores.refused(*range(1000, 1000 + dead))
    stores.server.always = AWAY
    for time in times:
        await stores.safe(points(time))
    stores.all.remove(name)
    await stores.all.wait_ended(within=WITHIN)
    stores.server.always = None


def logged(stores: Stores, event: str) -> list[dict[str, Any]]:
    """Return what was logged under a phrase."""
    return [each for each in stores.events if each["event"] == event]


async def names(stores: Stores) -> list[tuple[str, int]]:
    """Return the stores that are noted, and whether they are configured."""
    select = "SELECT name, configured FROM stores ORDER BY name"
    return await stores.database.read(lambda db: db.execute(select).fetchall())


# At the start of a delivery


@pytest.mark.parametrize(("times", "dead"), [((1, 2), 1), ((1, 2), 0), ((), 1)])
async def test_a_new_name_takes_over_what_the_former_is_still_bringing_to_safety(
    stores: Stores, times: tuple[int, ...], dead: int
) -> None:
    """It begins once that is in the spool, and says what it has taken over."""
    stores.start("old")
    await stores.refused(*range(1000, 1000 + dead))
    stores.server.always = HANG
    receipts = [await stores.put(points(time)) for time in times]
    await until(lambda: not times or stores.server.writes > dead)

    new = stores.start("new", former="old")
    stores.server.always = AWAY
    stores.all.remove("old")
    await until(new.recovered.is_set)
    await stores.all.wait_ended(within=WITHIN)

    assert all(each.settled for each in receipts)
    assert (new.account.inherited, new.dead.count) == (len(times) + dead, dead)
    assert new.balance.off_by == 0
    assert stores.buffer.successors == {"old": "new"}
    (told,) = logged(stores, TOOK_OVER)
    assert told == {
        "level": "info", "event": TOOK_OVER, "store": "new",
        "former": "old", "points": len(times), "dead": dead,
    }  # fmt: skip
    assert await names(stores) == [("new", 1)]


async def test_nothing_is_told_where_nothing_waited(stores: Stores) -> None:
    """The former store had stored everything."""
    await leave(stores)
    new = stores.start("new", former="old")
    await until(new.recovered.is_set)

    assert stores.events == []


async def test_a_store_that_comes_back_keeps_back_what_may_be_older(stores: Stores) -> None:
    """Another was sent a newer value meanwhile; the earlier body goes."""
    await leave(stores, 1, 50)
    stores.start("main")
    await stores.safe(points(50, value=2.0))
    old = stores.start("old")
    await until(lambda: old.account.stored == 1)

    assert held(stores.server) == {("level", 1): 1.0, ("level", 50): 2.0}
    (told,) = logged(stores, KEPT_BACK)
    assert (told["level"], told["points"]) == ("warning", 1)
    assert not logged(stores, TOOK_OVER)
    assert await stores.spooled(f"old{OLDER}") == 1


async def test_what_was_made_for_another_kind_of_store_stays(
    stores: Stores, tmp_path: Path
) -> None:
    """The log says why, and a move is refused with the same words."""
    await leave(stores, 1, dead=1)
    store = EmbeddedStore(name="new", path=tmp_path / "readings.db", former="old")
    new = stores.all.make(store, BufferConfig())
    stores.all.start(new)
    await until(new.recovered.is_set)

    (told,) = logged(stores, STAYS)
    assert told["level"] == "error"
    assert told["reason"].startswith(
        "old: expected what new can be sent, got that of another kind: "
    )
    assert (await stores.spooled("old"), new.account.inherited, new.dead.count) == (1, 0, 0)
    with pytest.raises(NotPossible) as refused:
        await stores.all.move("old", "new")
    assert str(refused.value) == told["reason"]


# While it runs


@pytest.mark.parametrize("own", [(), (300,)])
@pytest.mark.parametrize("times", [(), (1, 200)])
async def test_what_waits_is_moved(
    stores: Stores, own: tuple[int, ...], times: tuple[int, ...]
) -> None:
    """It joins what waits for the other store, and is counted there as inherited."""
    await leave(stores, *times, dead=2)
    stores.start("main")
    await stores.refused(2000)
    stores.server.always = AWAY
    for time in own:
        await stores.safe(points(time))
    main = stores.start("main")  # it inherits its own

    found = await stores.all.move("old", "main")

    assert (found.spooled.points, found.dead, found.kept_back) == (len(times), 2, 0)
    assert main.account.inherited == len(own) + 1 + len(times) + 2
    assert main.dead.count == 3
    assert main.spool.holds == await stores.database.read(lambda db: contents(db, "main"))
    assert main.balance.off_by == 0
    assert await names(stores) == [("main", 1)]
    stores.server.always = None
    stores.all.hurry()
    await until(lambda: main.account.stored == len(own) + len(times))


async def test_what_may_be_older_is_moved_when_an_operator_says_so(stores: Stores) -> None:
    """Otherwise it is kept back, and has to be asked for by its own name."""
    await leave(stores, 1, 50)
    main = stores.start("main")
    await stores.safe(points(50, value=2.0))

    kept_back = (await stores.all.move("old", "main")).kept_back
    with pytest.raises(NotPossible, match=r"^old@older: may be older than what is stored, expected "
                                          r"to be told to overwrite that$"):  # fmt: skip
        await stores.all.move(f"old{OLDER}", "main")
    moved = await stores.all.move(f"old{OLDER}", "main", overwrite=True)
    await until(lambda: main.account.stored == 3)

    assert (kept_back, moved.kept_back, moved.spooled.points) == (1, 0, 1)
    assert held(stores.server) == {("level", 1): 1.0, ("level", 50): 1.0}


async def test_nothing_is_kept_back_of_a_move_that_overwrites(stores: Stores) -> None:
    """An operator may know at once that the old values are right."""
    await leave(stores, 1, 50)
    stores.start("main")
    await stores.safe(points(50, value=2.0))

    moved = await stores.all.move("old", "main", overwrite=True)

    assert (moved.kept_back, moved.spooled.points) == (0, 2)


async def test_a_move_names_what_it_cannot_do(stores: Stores) -> None:
    """It goes from a former store to one that is configured."""
    with pytest.raises(NotNow, match=r"^main: expected a configured store, known: none$"):
        await stores.all.move("old", "main")
    stores.server.make_bucket("second")
    stores.start("main")
    stores.start("other", bucket="second")

    with pytest.raises(NotNow, match=r"^x: expected a configured store, known: main, other$"):
        await stores.all.move("old", "x")
    with pytest.raises(
        NotPossible, match=r"^main: expected a former store, got one that is configured$"
    ):
        await stores.all.move("main", "other")


async def test_what_waits_is_dropped(stores: Stores) -> None:
    """Of a former store only, and it is forgotten with it."""
    await leave(stores, 1, 2)
    stores.start("main")

    assert await stores.all.drop("old") == 2
    assert (await stores.spooled("old"), await names(stores)) == (0, [])
    with pytest.raises(NotPossible, match=r"^main: expected a former store"):
        await stores.all.drop("main")


@pytest.mark.slow  # a small disk is filled
async def test_what_a_former_store_has_left_makes_room_on_a_full_disk(
    server: Influx2, small_disk: Path
) -> None:
    """An operator can give up its letters and what waits for it, although a delete needs room."""
    ballast = Ballast(small_disk / "ballast", size=8 << 20)
    ballast.make()
    async with stores_of(server, small_disk, ballast=ballast) as stores:
        letters = [("old", 1.0, "", b"x" * 5000)] * 500
        await stores.database.write(lambda db: deadletters.insert(db, letters))
        await leave(stores, *range(20))
        filler = fill(small_disk)

        assert await stores.all.purge("old") == 500
        filler.unlink()
        await stores.database.write(lambda _: None)  # with room, the ballast is made again
        fill(small_disk)
        assert await stores.all.drop("old") == 20


# When a store goes


async def test_what_a_store_leaves_is_noted_when_its_delivery_has_ended(stores: Stores) -> None:
    """What was in memory is in its spool then, and those beside it are no successors."""
    stores.start("old")
    stores.server.always = HANG
    receipt = await stores.put(points(7))
    await until(lambda: stores.server.writes == 1)
    stores.all.remove("old", beside=["other"])
    await stores.all.wait_ended(within=WITHIN)

    assert receipt.settled
    assert await stores.database.read(lambda db: read(db, "old")) == FormerStore(
        beside=frozenset({"old", "other"}), horizon_us=7_000_000
    )


async def test_a_store_that_comes_back_at_once_is_not_noted(stores: Stores) -> None:
    """It has not gone."""
    stores.start("old")
    stores.server.always = AWAY
    await stores.safe(points(7))
    stores.all.remove("old")
    stores.start("old")
    await stores.all.wait_ended(within=WITHIN)

    assert await names(stores) == []


def blocked(stores: Stores) -> tuple[threading.Event, "asyncio.Task[bool]"]:
    """Have the disk write nothing until an event comes."""
    gate = threading.Event()

    def wait(_: sqlite3.Connection) -> bool:
        return gate.wait(10)

    return gate, asyncio.create_task(stores.database.write(wait))


async def test_the_end_of_a_store_is_not_waited_for_for_ever(stores: Stores) -> None:
    """A reload goes on, also when the disk hangs."""
    old = stores.start("old")
    await until(old.recovered.is_set)
    await stores.database.write(
        lambda db: db.execute("INSERT INTO stores VALUES ('old', 1, '', 0)")
    )
    gate, waiting = blocked(stores)
    stores.all.remove("old")
    await stores.all.wait_ended(within=0.01)

    assert await names(stores) == [("old", 1)]
    gate.set()
    await waiting
    await stores.all.wait_ended(within=WITHIN)
    assert await names(stores) == []


async def test_a_stop_does_not_wait_for_a_disk_for_ever(stores: Stores) -> None:
    """What is in memory then is read again from its source."""
    old = stores.start()
    await until(old.recovered.is_set)
    stores.server.always = HANG
    receipt = await stores.put(points(1))
    await until(lambda: stores.server.writes == 1)
    gate, waiting = blocked(stores)
    await stores.all.stop(patience=0.01, hurry=asyncio.Event())

    assert not receipt.settled
    gate.set()
    await waiting
    await receipt.wait()


async def test_a_delivery_that_has_ended_is_let_go_of(stores: Stores) -> None:
    """A daemon whose stores are replaced for years does not keep them all."""
    old = stores.start("old")
    await until(old.recovered.is_set)
    gone = weakref.ref(old)
    del old
    stores.all.remove("old")
    await stores.all.wait_ended(within=WITHIN)
    for _ in range(2):  # what the tasks hold is freed behind them
        await asyncio.sleep(0)
        gc.collect()

    assert gone() is None


async def test_dead_letters_of_a_store_that_went_with_nothing_else_are_found(
    stores: Stores,
) -> None:
    """A store comes back to its own, although nothing was noted of it."""
    await leave(stores, dead=2)
    old = stores.start("old")
    await until(old.recovered.is_set)

    assert (
        old.dead.count == await stores.database.read(lambda db: deadletters.count(db, "old")) == 2
    )
