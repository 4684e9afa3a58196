"""What becomes of a batch when its store is up, down, slow or gone."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ingestd.config.model import EmbeddedStore
from ingestd.health import StoreFacts
from ingestd.model import Point
from ingestd.sinks.embedded import EmbeddedSink
from ingestd.sinks.protocol import Encoded
from tests.support.deadline import WITHIN
from tests.support.influx2 import (
    HANG,
    RESET,
    RESET_AFTER_STORING,
    Behaviour,
    Influx2,
    answer,
    held_until,
)
from tests.support.pipeline import BUCKET, held, influx, points, running, until


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


@pytest.mark.usefixtures("idle_time")  # an answer that does come is to come in time
async def test_a_hanging_store_holds_a_batch_up_for_its_timeout(
    server: Influx2, tmp_path: Path
) -> None:
    """A request without an answer ends at the timeout, with its points in the spool."""
    server.always = HANG
    async with running(tmp_path, {"main": influx(server.url, timeout=0.1)}) as pipe:
        await pipe.safe(points(1))
        assert (pipe.only.spooled, pipe.only.account.stored) == (1, 0)

        server.always = None
        await until(lambda: pipe.only.account.stored == 1)
        assert held(server) == {("level", 1): 1.0}
        assert pipe.balanced()


async def test_an_answer_that_was_lost_is_harmless(server: Influx2, tmp_path: Path) -> None:
    """What the store took before the connection broke is sent again, and is there once."""
    server.script.append(RESET_AFTER_STORING)
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await pipe.safe(points(1, 2))
        await until(lambda: pipe.only.account.stored == 2)

        assert sorted(held(server)) == [("level", 1), ("level", 2)]
        assert server.writes == 2


async def test_bodies_keep_to_the_size_that_is_configured(server: Influx2, tmp_path: Path) -> None:
    """No body exceeds ``batch.bytes`` before compression."""
    async with running(tmp_path, {"main": influx(server.url)}, size_bytes=1000) as pipe:
        await pipe.safe(points(*range(1, 301)))

        assert len(held(server)) == 300
        assert max(sum(map(len, lines)) + len(lines) for lines in server.bodies) <= 1001


async def test_two_requests_are_in_flight_and_no_more(server: Influx2, tmp_path: Path) -> None:
    """A store that is slow to answer is not sent a third request meanwhile."""
    gate = asyncio.Event()
    server.always = held_until(gate)
    sink = influx(server.url, timeout=WITHIN)
    async with running(tmp_path, {"main": sink}, batch=1) as pipe:
        receipts = [await pipe.put(points(second)) for second in range(1, 7)]
        await until(lambda: server.writes == 2)
        for _ in range(20):  # as many answers as a third request would need, and more
            await sink.read("level", start_us=0, end_us=1, tags={})

        assert server.writes == 2
        assert (pipe.only.account.in_flight, pipe.only.lane.points) == (2, 4)
        gate.set()
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


async def test_cancelling_spools_what_is_under_way(server: Influx2, tmp_path: Path) -> None:
    """A stop does not wait for a store that does not answer."""
    server.always = HANG
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        receipt = await pipe.put(points(1, 2))
        await until(lambda: server.writes == 1)
        assert not receipt.settled

        pipe.only.cancel()
        await receipt.wait()

        assert pipe.only.spooled == 2
        assert pipe.balanced()


async def test_write_ahead_settles_before_the_store_answers(
    server: Influx2, tmp_path: Path
) -> None:
    """With ``write_ahead`` a receipt waits for the disk only."""
    gate = asyncio.Event()
    server.script.append(held_until(gate))
    async with running(tmp_path, {"main": influx(server.url)}, write_ahead=True) as pipe:
        await pipe.safe(points(1, 2))

        assert held(server) == {}
        assert pipe.balanced()
        gate.set()
        await until(lambda: pipe.only.account.stored == 2)
        assert pipe.only.spooled == 0


async def test_write_ahead_spools_a_batch_whole(server: Influx2, tmp_path: Path) -> None:
    """No part of it overtakes, so it is one body, whatever its times."""
    server.always = answer(503, retry_after="60")
    async with running(tmp_path, {"main": influx(server.url)}, write_ahead=True) as pipe:
        await pipe.safe(points(5))
        await pipe.safe(points(3, 10))

        assert pipe.only.spool.holds.bodies == 2


async def test_a_spool_of_another_kind_of_store_is_set_aside(
    server: Influx2, tmp_path: Path
) -> None:
    """When a store's type was changed, what waited for the old one does not block the new."""
    embedded = EmbeddedSink(EmbeddedStore(name="main", path=tmp_path / "readings.db"))
    async with running(tmp_path, {"main": embedded}) as pipe:
        pipe.only.cancel()
        await pipe.safe(points(1, 2))
        assert pipe.only.spooled == 2

    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await until(lambda: pipe.only.account.dropped == 2)
        await pipe.safe(points(3))

        assert held(server) == {("level", 3): 1.0}
        assert pipe.logged("spooled points were set aside")
        assert pipe.balanced()


async def test_a_store_says_when_it_has_enough_to_do(server: Influx2, tmp_path: Path) -> None:
    """Backfills wait while it is down, and until its backlog has gone."""
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
    """With write_ahead every point does; only what stays there holds a backfill up."""
    server.always = HANG
    async with running(tmp_path, {"main": influx(server.url)}, write_ahead=True) as pipe:
        await pipe.safe(points(1, 2, 3))

        assert pipe.only.spooled == 3
        assert pipe.only.behind == ""
        pipe.only.spool.holds = replace(pipe.only.spool.holds, oldest_at=1.0)
        assert pipe.only.behind == "store main has a backlog in its spool"


async def test_a_delivery_is_stuck_when_it_has_work_and_makes_no_progress(
    server: Influx2, tmp_path: Path
) -> None:
    """It is stuck after ``stalled`` seconds of that; an idle one never is."""
    gate = asyncio.Event()
    server.script += [held_until(gate)]
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        pipe.only.account.moved_at -= 2 * pipe.only.limits.stalled
        idle = pipe.only.stuck
        receipt = await pipe.put(points(1))
        await until(lambda: server.writes == 1)
        fresh = pipe.only.stuck
        pipe.only.account.moved_at -= pipe.only.limits.stalled + 1
        stalled = pipe.only.stuck
        gate.set()
        await receipt.wait()

        assert (idle, fresh, stalled, pipe.only.stuck) == (False, False, True, False)


class FaultySink(EmbeddedSink):
    """A sink with a bug."""

    def encode(self, points: Sequence[Point]) -> Encoded:
        """Raise an error that is none of ours, if a value is 13."""
        if any(value == 13 for _, _, value in points):
            raise LookupError("on purpose")
        return super().encode(points)


async def test_a_bug_in_the_delivery_loses_no_position(tmp_path: Path) -> None:
    """The batch stays in memory, so that no position moves past it; the next ones go on."""
    faulty = FaultySink(EmbeddedStore(name="main", path=tmp_path / "readings.db"))
    async with running(tmp_path, {"main": faulty}) as pipe:
        receipt = await pipe.put(points(1, value=13))
        await until(lambda: bool(pipe.logged("a batch could not be delivered")))
        await pipe.safe(points(2))

        assert not receipt.settled
        assert (pipe.only.in_memory, pipe.only.account.stored) == (1, 1)
        assert pipe.balanced()


async def test_cancelling_twice_is_cancelling_once(server: Influx2, tmp_path: Path) -> None:
    """A reload may remove a store while a stop, or an earlier reload, is giving it up."""
    server.always = HANG
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        receipt = await pipe.put(points(1, 2))
        await until(lambda: server.writes == 1)

        pipe.only.cancel()
        await asyncio.sleep(0)
        pipe.only.cancel()
        await receipt.wait()

        assert pipe.only.spooled == 2
        assert pipe.balanced()


async def test_what_is_known_of_a_store_that_is_down(server: Influx2, tmp_path: Path) -> None:
    """Why, for how long, and whether collectors wait for its spool."""
    server.refuse = lambda line: "hates seven" if line.endswith(" 7") else ""
    async with running(tmp_path, {"main": influx(server.url)}, spool_bytes=10) as pipe:
        await pipe.safe(points(1, 7))
        well = pipe.only.facts()
        server.always = answer(503, retry_after="60")
        await pipe.safe(points(2))
        pipe.only.outage._down_at -= 100.0
        ill = pipe.only.facts()

    assert well == StoreFacts(name="main", dead=1)
    assert ill.down_for is not None
    assert ill.down_for >= 100.0
    assert replace(ill, down_for=0.0) == StoreFacts(
        name="main", down_for=0.0, error=pipe.only.outage.message, full=True, dead=1
    )
    assert "503" in ill.error
