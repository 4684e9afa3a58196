"""The queue of bodies on disk: what is in it, what is counted, what is left of it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestd.delivery.spool import Contents, Spool, Spooled, stores
from ingestd.disk.database import Database
from ingestd.disk.directory import Ballast
from ingestd.errors import DiskFull
from ingestd.model import Body
from tests.support.clock import START, VirtualClock
from tests.support.disk import fill

LIMIT = 100


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Open a new database."""
    async with await Database.open(tmp_path / "state.db") as opened:
        yield opened


@pytest.fixture
def clock() -> VirtualClock:
    """Give a clock that stands still."""
    return VirtualClock()


@pytest.fixture
def spool(database: Database, clock: VirtualClock) -> Spool:
    """Give an empty spool for a hundred bytes."""
    return Spool(database, "main", limit_bytes=LIMIT, clock=clock)


def body(text: str, *, points: int = 1, last: int = 0, first: int | None = None) -> Body:
    """Make a body with times in seconds since the Unix epoch."""
    first_us = (last if first is None else first) * 1_000_000
    return Body(text.encode(), points, first_us, last * 1_000_000)


async def add(spool: Spool, *bodies: Body, droppable: bool = False) -> None:
    """Append bodies."""
    for each in bodies:
        await spool.append(each, droppable=droppable)


async def queue(spool: Spool) -> list[str]:
    """Return what is in a spool, in order."""
    found, lost = await spool.oldest(10**9)
    assert lost == 0
    return [each.body.data.decode() for each in found]


async def set_aside(spool: Spool) -> list[tuple[str, bytes, str]]:
    """Return what was set aside."""
    select = "SELECT key, payload, error FROM damaged"
    return await spool._database.read(lambda db: db.execute(select).fetchall())


async def reopened(spool: Spool) -> Contents:
    """Return what another daemon would find."""
    other = Spool(spool._database, spool.store, limit_bytes=LIMIT, clock=spool._clock)
    await other.open()
    return other.holds


async def test_bodies_come_back_as_they_were_and_in_order(spool: Spool) -> None:
    """What is spooled is what will be sent."""
    await add(spool, body("a", points=3, first=1, last=9), body("b"))
    await add(spool, body("c"), droppable=True)

    found, _ = await spool.oldest(100)

    assert [each.body.data for each in found] == [b"a", b"b", b"c"]
    assert found[0].body == body("a", points=3, first=1, last=9)
    assert [each.droppable for each in found] == [False, False, True]


async def test_oldest_gives_about_as_many_points_as_were_asked_for(spool: Spool) -> None:
    """One body comes in any case, and beyond the first never more points."""
    await add(spool, body("a", points=5), body("b", points=3), body("c", points=4))

    assert [each.body.points for each in (await spool.oldest(1))[0]] == [5]
    assert [each.body.points for each in (await spool.oldest(9))[0]] == [5, 3]
    assert [each.body.points for each in (await spool.oldest(12))[0]] == [5, 3, 4]


async def test_contents_are_counted(spool: Spool, clock: VirtualClock) -> None:
    """Bodies, points, bytes, the latest time and the age of the head."""
    await add(spool, body("aa", points=2, last=50))
    await clock.advance(60)
    await add(spool, body("b", points=3, last=20))

    assert spool.holds == Contents(2, 5, 3, 50_000_000, START)


async def test_spools_of_two_stores_are_apart(database: Database, clock: VirtualClock) -> None:
    """They are two queues in one file."""
    main, other = (Spool(database, n, limit_bytes=LIMIT, clock=clock) for n in ("main", "other"))
    await add(main, body("m"))
    await add(other, body("o"))

    assert await queue(main) == ["m"]
    assert (await reopened(other)).bodies == 1
    assert await database.read(stores) == ["main", "other"]


async def test_points_beyond_the_horizon_overtake(spool: Spool) -> None:
    """A point that cannot correct anything that waits here may go first."""
    assert spool.is_beyond_horizon(-(10**15))
    await add(spool, body("a", last=50), body("b", last=20))

    assert not spool.is_beyond_horizon(50_000_000)
    assert spool.is_beyond_horizon(50_000_001)


async def test_horizon_does_not_fall_below_zero_by_accident(spool: Spool) -> None:
    """The epoch is a time like any other."""
    await add(spool, body("a", last=0), body("b", last=-50))

    assert spool.holds.horizon_us == 0


async def test_horizon_outlives_a_body_that_shrinks(spool: Spool) -> None:
    """What is left of the only body still waits here."""
    await add(spool, body("aa", points=2, last=50))
    found, _ = await spool.oldest(100)

    await spool.replace(found, body("a", last=50))

    assert not spool.is_beyond_horizon(50_000_000)
    assert spool.holds == await reopened(spool)


async def test_horizon_is_gone_when_the_queue_is_empty(spool: Spool) -> None:
    """With no point to overtake, every other may go ahead."""
    await add(spool, body("a", last=50))

    await spool.replace((await spool.oldest(100))[0], None)

    assert spool.holds == Contents()
    assert spool.is_beyond_horizon(0)


async def test_nothing_overtakes_what_is_about_to_join_a_queue_that_runs_empty(
    spool: Spool, database: Database, clock: VirtualClock
) -> None:
    """The last body of its own may leave before that has come, and after it is on its way."""
    other = Spool(database, "other", limit_bytes=LIMIT, clock=clock)
    await add(spool, body("a", last=50))
    await add(other, body("b", last=90))
    found, _ = await spool.oldest(100)

    with spool.expecting(other.holds.horizon_us):
        await spool.replace(found, None)
        before = spool.is_beyond_horizon(90_000_000)
        spool.joined(other.holds)

    assert not before
    assert not spool.is_beyond_horizon(90_000_000)
    assert spool.holds == other.holds


async def test_nothing_is_expected_any_more_when_it_does_not_come(spool: Spool) -> None:
    """The database may have failed."""
    with suppress(DiskFull), spool.expecting(50_000_000):
        raise DiskFull

    assert spool.is_beyond_horizon(0)


async def test_what_is_left_takes_the_place_of_the_first(spool: Spool) -> None:
    """The rest of several bodies stays ahead of those behind them."""
    await add(spool, body("a"), body("b"), body("c"))
    found, _ = await spool.oldest(100)

    await spool.replace(found[:2], body("rest", points=7))

    assert await queue(spool) == ["rest", "c"]
    assert spool.holds.points == 8


async def test_age_is_that_of_the_head(spool: Spool, clock: VirtualClock) -> None:
    """Once the oldest is sent, the queue is as old as the next one."""
    await add(spool, body("a"))
    await clock.advance(60)
    await add(spool, body("b"))

    await spool.replace((await spool.oldest(1))[0], None)

    assert spool.holds.oldest_at == START + 60


async def test_room_is_left_up_to_the_limit(spool: Spool) -> None:
    """The limit itself is allowed."""
    await add(spool, body("x" * 60))

    assert spool.has_room(40)
    assert not spool.has_room(41)


async def test_only_droppable_bodies_are_dropped_oldest_first(spool: Spool) -> None:
    """As many go as free the bytes asked for; those that are not droppable wait for ever."""
    await add(spool, body("kept", points=9))
    await add(spool, body("1111", points=1), body("2222", points=2), body("3333", points=4),
              droppable=True)  # fmt: skip

    assert await spool.drop_oldest(4) == 1
    assert await spool.drop_oldest(1) == 2
    assert await queue(spool) == ["kept", "3333"]

    spool.check_in()
    assert await spool.drop_oldest(1000) == 4
    assert await spool.drop_oldest(1000) == 0
    assert await queue(spool) == ["kept"]


async def test_a_new_body_takes_the_place_of_the_oldest(spool: Spool, clock: VirtualClock) -> None:
    """As many droppable ones go as it weighs, and none that are on their way to the store."""
    await add(spool, body("kept", points=9))
    await clock.advance(60)
    await add(spool, body("1111"), body("22"), body("33", points=2), body("4444"), droppable=True)
    await spool.oldest(10)

    assert await spool.append_over_oldest(body("new", points=5, last=70)) == 3

    spool.check_in()
    assert await queue(spool) == ["kept", "1111", "4444", "new"]
    assert spool.holds == Contents(4, 16, 15, 70_000_000, START)
    assert await reopened(spool) == spool.holds


async def test_a_new_body_may_be_dropped_in_its_turn(spool: Spool, clock: VirtualClock) -> None:
    """It takes the place of one that weighs as much; the queue is as old as its new head."""
    await add(spool, body("11"), droppable=True)
    await clock.advance(60)

    for text in ("22", "33"):
        assert await spool.append_over_oldest(body(text)) == 1
        assert await queue(spool) == [text]
        spool.check_in()

    assert spool.holds.oldest_at == START + 60
    assert await set_aside(spool) == []

    await clock.advance(60)
    await add(spool, body("44"))
    await spool.append_over_oldest(body("55"))
    assert await queue(spool) == ["44", "55"]
    assert spool.holds.oldest_at == START + 120


async def test_a_body_that_cannot_be_sent_is_kept_aside(spool: Spool) -> None:
    """An operator who sets the store's type back can look at it there."""
    await add(spool, body("a", points=2), body("b", points=3))
    found, _ = await spool.oldest(2)

    assert await spool.set_aside(found, "of another kind") == 2
    assert await queue(spool) == ["b"]
    assert await set_aside(spool) == [("main/1", b"a", "of another kind")]


async def test_what_is_left_of_bodies_is_all_that_is_kept(spool: Spool) -> None:
    """Those that were sent are not set aside."""
    await add(spool, body("a"), body("b"))

    await spool.replace((await spool.oldest(100))[0], body("rest"))

    assert await set_aside(spool) == []


async def test_nothing_is_changed_when_too_little_can_be_dropped(spool: Spool) -> None:
    """What cannot be put in its place does not cost the oldest."""
    await add(spool, body("kept"))
    await add(spool, body("1"), droppable=True)

    with pytest.raises(DiskFull, match="nothing left to drop for 2 bytes"):
        await spool.append_over_oldest(body("22"))

    assert await queue(spool) == ["kept", "1"]
    assert await reopened(spool) == spool.holds


async def test_bodies_on_their_way_to_the_store_are_not_dropped(spool: Spool) -> None:
    """They would be counted twice, as stored and as dropped."""
    await add(spool, body("1"), body("2"), body("3"), droppable=True)
    checked_out, _ = await spool.oldest(2)

    assert await spool.drop_oldest(2) == 1

    await spool.replace(checked_out, None)
    assert spool.holds == await reopened(spool) == Contents()


async def test_bodies_that_were_picked_are_not_dropped_either(spool: Spool) -> None:
    """Nor those that were checked out before."""
    await add(spool, body("1"), body("2"), body("3"), droppable=True)
    await spool.oldest(1)
    (second,) = await spool.pick([2, 9])

    assert second.body == body("2")
    assert await spool.drop_oldest(100) == 1
    assert await queue(spool) == ["1", "2"]


async def test_a_sample_has_the_newest_body_and_any_other(
    database: Database, spool: Spool, clock: VirtualClock
) -> None:
    """Only of this store, and none that others go past."""
    other = Spool(database, "other", limit_bytes=LIMIT, clock=clock)
    nothing = await spool.sample()
    await add(spool, body("1"), body("2"), body("3"), body("4"))
    await add(other, body("5"))

    picked = [await spool.sample(past={1, 4}) for _ in range(20)]

    assert nothing == await spool.sample(past={1, 2, 3, 4}) == []
    assert [newest for newest, _ in picked] == [body("3")] * 20
    assert {any_other.data for _, any_other in picked} == {b"2", b"3"}


async def test_bodies_expire_by_their_age_in_the_spool(spool: Spool, clock: VirtualClock) -> None:
    """Their points may be as old as they like."""
    await add(spool, body("a", points=2, last=10**9))
    await clock.advance(60)
    await add(spool, body("b"))

    assert await spool.expire(START) == 0
    assert await spool.expire(START + 60) == 2
    assert await queue(spool) == ["b"]
    assert spool.holds.oldest_at == START + 60


@pytest.mark.parametrize(
    "damage", ["data = x'00'", "data = 'text'", "crc = crc + 1"], ids=["data", "type", "crc"]
)
async def test_damaged_body_is_set_aside_and_counted(
    database: Database, spool: Spool, damage: str
) -> None:
    """The others go on, and what is left of it is kept to be looked at."""
    await add(spool, body("a", points=2), body("b", points=3), body("c"))

    def harm(db: sqlite3.Connection) -> None:
        db.execute(f"UPDATE spool SET {damage} WHERE id = 2")

    await database.write(harm)
    found, lost = await spool.oldest(100)

    assert [each.body.data for each in found] == [b"a", b"c"]
    assert lost == 3
    assert spool.holds == await reopened(spool)
    aside = await database.read(
        lambda db: db.execute("SELECT table_name, key, error FROM damaged").fetchall()
    )
    assert aside == [("spool", "main/2", "checksum differs")]


async def test_what_belongs_to_a_body_is_written_with_it(database: Database, spool: Spool) -> None:
    """One transaction writes both or neither."""

    def fail(_: sqlite3.Connection) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await spool.append(body("a"), droppable=False, also=fail)
    assert spool.holds == await reopened(spool) == Contents()

    await spool.append(
        body("a"), droppable=False, also=lambda db: db.execute("INSERT INTO meta VALUES ('k', 1)")
    )
    assert await database.read(lambda db: db.execute("SELECT key FROM meta").fetchall()) == [("k",)]


@pytest.mark.slow  # a small disk is filled
async def test_full_disk_refuses_a_body_and_lets_others_leave(small_disk: Path) -> None:
    """Nothing half-written counts, and draining needs no room."""
    ballast = Ballast(small_disk / "ballast", size=8 << 20)
    ballast.make()
    async with await Database.open(small_disk / "state.db", ballast=ballast) as database:
        spool = Spool(database, "main", limit_bytes=1 << 30, clock=VirtualClock())
        big = body("x" * 500_000, points=5)
        await add(spool, big, big)
        filler = fill(small_disk)

        with pytest.raises(DiskFull):
            await add(spool, *[big] * 50)
        before = spool.holds
        assert before == await reopened(spool)

        await spool.replace((await spool.oldest(1))[0], None)
        assert spool.holds.bodies == before.bodies - 1
        assert spool.holds.points == (await reopened(spool)).points

        filler.unlink()
        await add(spool, big)
        assert spool.holds.bodies == before.bodies


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(1, 30), st.integers(-50, 50), st.booleans()),
        st.tuples(st.just("swap"), st.integers(1, 30), st.integers(-50, 50), st.booleans()),
        st.tuples(st.just("drain"), st.integers(1, 60), st.integers(0, 5), st.booleans()),
        st.tuples(st.just("drop"), st.integers(1, 60), st.just(0), st.booleans()),
        st.tuples(st.just("expire"), st.integers(0, 30), st.just(0), st.booleans()),
        st.tuples(st.just("wait"), st.integers(1, 10), st.just(0), st.booleans()),
    ),
    max_size=25,
)


@given(STEPS)
@settings(max_examples=60, deadline=None)
@pytest.mark.slow  # many examples, each with a database
def test_what_is_counted_is_what_is_there(
    tmp_path_factory: pytest.TempPathFactory, steps: Sequence[tuple[str, int, int, bool]]
) -> None:
    """After any steps another daemon would find what this one believes to hold."""
    asyncio.run(play(tmp_path_factory.mktemp("spool") / "state.db", steps))


async def play(path: Path, steps: Sequence[tuple[str, int, int, bool]]) -> None:
    """Play the steps, and compare after each."""
    clock = VirtualClock()
    async with await Database.open(path) as database:
        spool = Spool(database, "main", limit_bytes=LIMIT, clock=clock)
        accounted = given_points = 0

        async def drain(number: int, left: int, *, partly: bool) -> int:
            checked_out: list[Spooled] = (await spool.oldest(number))[0]
            before = sum(each.body.points for each in checked_out)
            if not checked_out:
                return 0
            last = max(each.body.last_us for each in checked_out) // 1_000_000
            rest = body("r" * (left + 1), points=left + 1, last=last) if partly else None
            await spool.replace(checked_out, rest)
            spool.check_in()
            return before - (rest.points if rest else 0)

        async def swap(number: int, last: int) -> int:
            try:
                lost = await spool.append_over_oldest(body("s" * number, points=1, last=last))
            except DiskFull:
                return 0
            return lost - 1

        acts: dict[str, Any] = {
            "swap": lambda n, m, _flag: swap(n, m),
            "drain": lambda n, m, flag: drain(n, m, partly=flag),
            "drop": lambda n, _m, _flag: spool.drop_oldest(n),
            "expire": lambda n, _m, _flag: spool.expire(clock.now() - n),
        }
        for step, number, other, flag in steps:
            if step == "append":
                await add(spool, body("x" * number, points=number, last=other), droppable=flag)
                given_points += number
            elif step == "wait":
                await clock.advance(number)
            else:
                accounted += await acts[step](number, other, flag)
            there = await reopened(spool)
            held = spool.holds
            assert (held.bodies, held.points, held.size_bytes, held.oldest_at) == (
                there.bodies, there.points, there.size_bytes, there.oldest_at,
            )  # fmt: skip
            # It may be too late, which costs an overtaking, never too early.
            assert (held.horizon_us is None) == (there.horizon_us is None)
            assert (held.horizon_us or 0) >= (there.horizon_us or 0)
            assert given_points == accounted + held.points
