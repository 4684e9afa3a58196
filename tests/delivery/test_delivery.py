"""What becomes of a batch, whatever its store answers."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from ingestd.config.model import EmbeddedStore
from ingestd.model import Series
from ingestd.sinks.embedded import EmbeddedSink
from tests.support.influx2 import (
    HANG,
    RESET,
    RESET_AFTER_STORING,
    Behaviour,
    Influx2,
    answer,
    slow,
)
from tests.support.pipeline import influx, points, running, until

BUCKET = "energy"


def held(server: Influx2) -> dict[tuple[str, int], float]:
    """Return what the server holds: (series, seconds) -> value."""
    return {(name, us // 1_000_000): v for (name, us), v in server.values(BUCKET).items()}


@pytest.fixture
def server(influx2: Influx2) -> Influx2:
    """A server with the bucket that the tests write to."""
    influx2.make_bucket(BUCKET)
    return influx2


async def test_points_arrive_and_their_receipt_settles(server: Influx2, tmp_path: Path) -> None:
    """In fair weather a batch is stored, and nothing is left anywhere else."""
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await pipe.safe(points(1, 2, 3))

        assert sorted(held(server)) == [("level", 1), ("level", 2), ("level", 3)]
        assert pipe.only.account.stored == 3
        assert pipe.only.spooled == 0
        assert pipe.balanced()


@pytest.mark.parametrize(
    "trouble",
    [answer(503), answer(429, retry_after="0.01s"), answer(401), answer(404), RESET],
    ids=["503", "429", "401", "404", "reset"],
)
async def test_an_outage_costs_nothing(server: Influx2, tmp_path: Path, trouble: Behaviour) -> None:
    """Points that meet an outage are safe on disk, and stored when it is over."""
    server.always = trouble
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await pipe.safe(points(1, 2))
        assert (pipe.only.spooled, pipe.only.account.stored) == (2, 0)
        assert held(server) == {}
        assert pipe.balanced()

        server.always = None
        await until(lambda: pipe.only.account.stored == 2)

        assert sorted(held(server)) == [("level", 1), ("level", 2)]
        assert pipe.balanced()


async def test_an_outage_is_told_once(server: Influx2, tmp_path: Path) -> None:
    """However many batches fail, the log has one line for the start and one for the end."""
    server.always = answer(503)
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        for second in range(5):
            await pipe.safe(points(second + 1))
        await until(lambda: server.writes > 3)
        server.always = None
        await until(lambda: pipe.only.account.stored == 5)

        assert len(pipe.logged("store unavailable")) == 1
        assert len(pipe.logged("store is back")) == 1


async def test_a_store_that_is_down_is_left_alone(server: Influx2, tmp_path: Path) -> None:
    """While a store is down it gets probes, not every batch."""
    server.always = answer(503, retry_after="60")
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        for second in range(20):
            await pipe.safe(points(second + 1))

        assert server.writes <= 2  # those that were under way when it went down
        assert pipe.only.outage.retry_in > 50


async def test_a_hanging_store_holds_up_nobody_for_longer_than_its_timeout(
    server: Influx2, tmp_path: Path
) -> None:
    """A request without an answer ends at the timeout, with its points in the spool."""
    server.script.append(HANG)
    async with running(tmp_path, {"main": influx(server.url, timeout=0.1)}) as pipe:
        await pipe.safe(points(1))
        assert pipe.only.spooled == 1 or pipe.only.account.stored == 1

        await until(lambda: pipe.only.account.stored == 1)
        assert pipe.balanced()


async def test_an_answer_that_was_lost_is_harmless(server: Influx2, tmp_path: Path) -> None:
    """What the store took before the connection broke is sent again, and is there once."""
    server.script.append(RESET_AFTER_STORING)
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await pipe.safe(points(1, 2))
        await until(lambda: pipe.only.account.stored == 2)

        assert sorted(held(server)) == [("level", 1), ("level", 2)]
        assert server.writes == 2


async def test_a_bad_point_stands_alone_in_the_end(server: Influx2, tmp_path: Path) -> None:
    """A store that names no line has the batch halved until the culprit is found."""
    server.refuse = lambda line: "hates seven" if line.endswith(" 7") else ""
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await pipe.safe(points(*range(1, 41)))

        assert {second for _, second in held(server)} == set(range(1, 41)) - {7}
        assert (pipe.only.account.stored, pipe.only.dead.count) == (39, 1)
        assert pipe.balanced()


async def test_a_store_that_refuses_everything_is_not_asked_for_ever(
    server: Influx2, tmp_path: Path
) -> None:
    """Halving has a bound, and what is past it is kept with the dead letters."""
    server.always = answer(400)
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await pipe.safe(points(*range(1, 2001)))

        assert pipe.only.dead.count == 2000
        assert server.writes <= 300
        assert pipe.balanced()


async def test_a_named_line_is_believed(server: Influx2, tmp_path: Path) -> None:
    """When the store names the bad line, one more request stores all the others."""
    server.script.append(
        answer(400, '{"code":"invalid","message":"unable to parse points","line":2}')
    )
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await pipe.safe(points(1, 2, 3, 4))

        assert {second for _, second in held(server)} == {1, 3, 4}
        assert server.writes == 2
        assert pipe.only.dead.count == 1


async def test_a_body_too_large_goes_in_pieces(server: Influx2, tmp_path: Path) -> None:
    """A store's own limit is met by halving, without a dead letter."""
    server.largest = 2000
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await pipe.safe(points(*range(1, 201)))

        assert len(held(server)) == 200
        assert pipe.only.dead.count == 0


async def test_bodies_keep_to_the_size_that_is_configured(server: Influx2, tmp_path: Path) -> None:
    """No body exceeds ``batch.bytes`` before compression."""
    async with running(tmp_path, {"main": influx(server.url)}, size_bytes=1000) as pipe:
        await pipe.safe(points(*range(1, 301)))

        assert len(held(server)) == 300
        assert max(sum(map(len, lines)) + len(lines) for lines in server.bodies) <= 1001


async def test_fresh_points_overtake_the_backlog(server: Influx2, tmp_path: Path) -> None:
    """While a long backlog drains, what is collected now is stored now."""
    server.always = answer(503)
    async with running(tmp_path, {"main": influx(server.url)}, batch=10) as pipe:
        for start in range(1, 1000, 10):
            await pipe.safe(points(*range(start, start + 10)))
        server.always = slow(0.01)
        await until(lambda: pipe.only.outage.up)

        await pipe.safe(points(5000))

        assert ("level", 5000) in held(server)
        assert pipe.only.spooled > 500
        server.always = None
        await until(lambda: pipe.only.account.stored == 1001)
        assert pipe.balanced()


async def test_a_correction_never_loses_to_what_it_corrects(
    server: Influx2, tmp_path: Path
) -> None:
    """A point that may correct one in the spool is stored after it."""
    server.always = answer(503)
    async with running(tmp_path, {"main": influx(server.url)}, batch=10) as pipe:
        await pipe.safe(points(*range(1, 200), value=1.0))
        server.always = slow(0.005)
        await until(lambda: pipe.only.outage.up)

        await pipe.safe(points(3, 150, value=2.0))
        await until(lambda: pipe.only.spooled == 0)

        assert held(server)[("level", 3)] == 2.0
        assert held(server)[("level", 150)] == 2.0
        assert pipe.balanced()


async def test_a_correction_under_way_beside_its_elder_wins(
    server: Influx2, tmp_path: Path
) -> None:
    """If the first of two requests fails and the second does not, the second is repeated."""
    server.script += [replace(answer(503), delay=0.1), slow(0)]
    async with running(tmp_path, {"main": influx(server.url)}, batch=1) as pipe:
        first = await pipe.put(points(9, value=1.0))
        await until(lambda: server.writes == 1)
        second = await pipe.put(points(9, value=2.0))
        await first.wait()
        await second.wait()
        await until(lambda: pipe.only.spooled == 0)

        assert held(server)[("level", 9)] == 2.0
        assert pipe.balanced()


async def test_a_correction_waits_for_what_it_corrects(server: Influx2, tmp_path: Path) -> None:
    """Two requests that would store the same point are not in flight at once."""
    server.script += [slow(0.1), slow(0)]
    async with running(tmp_path, {"main": influx(server.url)}, batch=1) as pipe:
        first = await pipe.put(points(9, value=1.0))
        second = await pipe.put(points(9, value=2.0))
        await first.wait()
        await second.wait()

        assert held(server)[("level", 9)] == 2.0


async def test_two_requests_are_in_flight_and_no_more(server: Influx2, tmp_path: Path) -> None:
    """A slow store has two requests to answer at a time."""
    server.always = slow(0.05)
    async with running(tmp_path, {"main": influx(server.url)}, batch=1) as pipe:
        receipts = [await pipe.put(points(second)) for second in range(1, 7)]
        await until(lambda: server.writes >= 2)

        assert server.writes == 2
        assert pipe.only.account.in_flight == 2
        for receipt in receipts:
            await receipt.wait()


async def test_every_store_gets_every_point(server: Influx2, tmp_path: Path) -> None:
    """A receipt settles when all stores have taken responsibility, each in its own way."""
    server.make_bucket("second")
    async with Influx2() as down:
        down.make_bucket(BUCKET)
        down.always = answer(503)
        sinks = {"up": influx(server.url), "down": influx(down.url)}
        async with running(tmp_path, sinks) as pipe:
            await pipe.safe(points(1, 2))

            assert pipe.deliveries["up"].account.stored == 2
            assert pipe.deliveries["down"].spooled == 2
            assert pipe.balanced()

            down.always = None
            await until(lambda: pipe.deliveries["down"].account.stored == 2)
            assert held(down) == held(server)


async def test_the_spool_outlives_the_daemon(server: Influx2, tmp_path: Path) -> None:
    """What one daemon spooled, the next one stores."""
    server.always = answer(503)
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await pipe.safe(points(1, 2, 3))

    server.always = None
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await until(lambda: pipe.only.account.stored == 3)

        assert pipe.only.account.inherited == 3
        assert len(held(server)) == 3
        assert pipe.balanced()


async def test_giving_up_spools_what_is_under_way(server: Influx2, tmp_path: Path) -> None:
    """A stop does not wait for a store that does not answer."""
    server.always = HANG
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        receipt = await pipe.put(points(1, 2))
        await until(lambda: server.writes == 1)
        assert not receipt.settled

        pipe.only.give_up()
        await receipt.wait()

        assert pipe.only.spooled == 2
        assert pipe.balanced()


async def test_write_ahead_settles_before_the_store_answers(
    server: Influx2, tmp_path: Path
) -> None:
    """With ``write_ahead`` a receipt waits for the disk only."""
    server.script.append(slow(0.3))
    async with running(tmp_path, {"main": influx(server.url)}, write_ahead=True) as pipe:
        await pipe.safe(points(1, 2))

        assert held(server) == {}
        assert pipe.balanced()
        await until(lambda: pipe.only.account.stored == 2)
        assert pipe.only.spooled == 0


async def test_a_full_spool_drops_only_what_may_be_dropped(server: Influx2, tmp_path: Path) -> None:
    """At its limit the spool loses the oldest droppable points, and says so once."""
    server.always = answer(503, retry_after="60")
    sinks = {"main": influx(server.url)}
    async with running(tmp_path, sinks, batch=50, spool_bytes=2000) as pipe:
        await pipe.safe(points(*range(1, 51)))
        for start in range(100, 2000, 50):
            await pipe.safe(points(*range(start, start + 50)), droppable=True)

        assert pipe.only.spool.holds.size_bytes <= 2000
        assert pipe.only.account.dropped > 0
        assert pipe.balanced()

        server.always = None
        pipe.only.outage.try_now()
        await until(lambda: pipe.only.spooled == 0)
        assert {("level", second) for second in range(1, 51)} <= held(server).keys()
        assert ("level", 1999) in held(server)


async def test_a_full_spool_holds_back_collectors_that_keep_their_place(
    server: Influx2, tmp_path: Path
) -> None:
    """Their next points are let in when the spool has room again."""
    server.always = answer(503, retry_after="60")
    sinks = {"main": influx(server.url)}
    async with running(tmp_path, sinks, batch=50, spool_bytes=500) as pipe:
        for start in (1, 101, 201, 301):
            await pipe.safe(points(*range(start, start + 50)))
            if pipe.buffer.paused:
                break
        assert pipe.buffer.paused == {"main"}
        waiting = asyncio.create_task(pipe.put(points(900)))
        await asyncio.sleep(0)
        assert not waiting.done()
        assert len(pipe.logged(FULL)) == 1

        server.always = None
        pipe.only.outage.try_now()
        receipt = await waiting
        await receipt.wait()
        await until(lambda: ("level", 900) in held(server))


FULL = "spool full: collectors with a cursor wait, the others lose their oldest readings"


async def test_old_bodies_expire(server: Influx2, tmp_path: Path) -> None:
    """What has waited longer than ``spool_age`` is dropped and counted."""
    server.always = answer(503)
    async with running(tmp_path, {"main": influx(server.url)}, spool_age=0.1) as pipe:
        await pipe.safe(points(1))
        await until(lambda: pipe.only.account.dropped == 1)

        assert pipe.only.spooled == 0
        assert pipe.balanced()


async def test_what_the_store_would_garble_is_refused_by_us(
    server: Influx2, tmp_path: Path
) -> None:
    """A point that line protocol cannot say is a dead letter; its neighbours are stored."""
    awkward = Series("level", tags=(("room", "ends in \\"),))
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await pipe.safe([*points(1), *points(2, series=awkward), *points(3)])

        assert {second for _, second in held(server)} == {1, 3}
        assert pipe.only.dead.count == 1
        assert pipe.balanced()


async def test_a_dead_letter_can_be_tried_again(server: Influx2, tmp_path: Path) -> None:
    """Once the operator has mended the cause, a retry stores the point."""
    server.refuse = lambda _line: "no such field"
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await pipe.safe(points(1))
        assert pipe.only.dead.count == 1
        server.refuse = lambda _line: ""

        letters = await pipe.only.dead.listed()
        await pipe.only.retry(letters)
        await until(lambda: pipe.only.account.stored == 1)

        assert held(server) == {("level", 1): 1.0}
        assert pipe.only.dead.count == 0
        assert pipe.balanced()


async def test_a_spool_of_another_kind_of_store_is_set_aside(
    server: Influx2, tmp_path: Path
) -> None:
    """When a store's type was changed, what waited for the old one does not block the new."""
    embedded = EmbeddedSink(EmbeddedStore(name="main", path=tmp_path / "readings.db"))
    async with running(tmp_path, {"main": embedded}) as pipe:
        pipe.only.give_up()
        await pipe.safe(points(1, 2))
        assert pipe.only.spooled == 2

    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await until(lambda: pipe.only.account.dropped == 2)
        await pipe.safe(points(3))

        assert held(server) == {("level", 3): 1.0}
        assert pipe.logged("spooled points were set aside")
        assert pipe.balanced()


@pytest.mark.slow
async def test_a_failing_database_ends_nothing(server: Influx2, tmp_path: Path) -> None:
    """While nothing can be spooled or drained, points wait; afterwards all of them arrive."""
    server.always = answer(503)
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await pipe.safe(points(1))
        await pipe.database.write(lambda db: db.execute("ALTER TABLE spool RENAME TO elsewhere"))
        waiting = await pipe.put(points(2))
        await until(lambda: bool(pipe.logged("the spool cannot be drained for now")))
        assert not waiting.settled

        await pipe.database.write(lambda db: db.execute("ALTER TABLE elsewhere RENAME TO spool"))
        await waiting.wait()
        server.always = None
        await until(lambda: pipe.only.account.stored == 2)

        assert sorted(held(server)) == [("level", 1), ("level", 2)]
        assert pipe.balanced()


async def test_a_store_that_blinks_is_tried_again_without_a_spool(
    server: Influx2, tmp_path: Path
) -> None:
    """With no room for a single body, droppable points still probe a store that was away."""
    server.script.append(answer(503))
    async with running(tmp_path, {"main": influx(server.url)}, spool_bytes=1) as pipe:
        for second in range(1, 200):
            await pipe.safe(points(second), droppable=True)
            if pipe.only.account.stored:
                break

        assert pipe.only.account.stored
        assert pipe.balanced()


async def test_what_is_dropped_is_told(server: Influx2, tmp_path: Path) -> None:
    """Losing the oldest readings is an error in the log, once for each time it begins."""
    server.always = answer(503, retry_after="60")
    async with running(tmp_path, {"main": influx(server.url)}, spool_bytes=5000) as pipe:
        for start in range(1, 5000, 50):
            await pipe.safe(points(*range(start, start + 50)), droppable=True)

        assert pipe.only.account.dropped
        assert len(pipe.logged(FULL)) == 1


async def test_a_store_says_when_it_has_enough_to_do(server: Influx2, tmp_path: Path) -> None:
    """While it is down, and until its backlog has gone; backfills wait for that."""
    server.always = answer(503)
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        before = pipe.only.behind
        await pipe.safe(points(1, 2, 3))
        down = pipe.only.behind
        pipe.only.outage.succeeded()
        backlog = pipe.only.behind

        server.always = None
        await until(lambda: not pipe.only.behind)

        assert before == ""
        assert down in {"store main is down", "store main is probing"}
        assert backlog == "store main has a backlog in its spool"
        assert pipe.only.account.stored == 3


async def test_what_passes_through_the_spool_is_no_backlog(server: Influx2, tmp_path: Path) -> None:
    """With write_ahead everything does; only what stays there holds a backfill up."""
    server.always = HANG
    async with running(tmp_path, {"main": influx(server.url)}, write_ahead=True) as pipe:
        await pipe.safe(points(1, 2, 3))

        assert pipe.only.spooled == 3
        assert pipe.only.behind == ""
        pipe.only.spool.holds = replace(pipe.only.spool.holds, oldest_at=1.0)
        assert pipe.only.behind == "store main has a backlog in its spool"


async def test_a_retried_dead_letter_does_not_undo_a_correction(
    server: Influx2, tmp_path: Path
) -> None:
    """What comes after a retry is stored after it."""
    server.refuse = lambda _line: "no such field"
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await pipe.safe(points(1, value=1.0))
        server.refuse = lambda _line: ""
        server.always = answer(503)
        await pipe.safe(points(5))  # the store is down by now
        await pipe.only.retry(await pipe.only.dead.listed())
        server.always = None
        await until(lambda: pipe.only.outage.up)

        await pipe.safe(points(1, value=2.0))
        await until(lambda: pipe.only.spooled == 0)

        assert held(server)[("level", 1)] == 2.0
