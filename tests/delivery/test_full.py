"""What becomes of points when a spool, or the disk, has no room for them."""

import asyncio
from pathlib import Path

import pytest

from tests.support.influx2 import (
    Influx2,
    answer,
)
from tests.support.pipeline import held, influx, points, running, until

FULL = "spool full: collectors with a cursor wait, the others lose their oldest readings"


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


async def test_old_bodies_expire(server: Influx2, tmp_path: Path) -> None:
    """What has waited longer than ``spool_age`` is dropped and counted."""
    server.always = answer(503)
    async with running(tmp_path, {"main": influx(server.url)}, spool_age=0.1) as pipe:
        await pipe.safe(points(1))
        await until(lambda: pipe.only.account.dropped == 1)

        assert pipe.only.spooled == 0
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
