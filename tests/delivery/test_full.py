"""What becomes of points when a spool, or the disk, has no room for them."""

import asyncio
import re
from pathlib import Path

import pytest

from ingestd.disk.directory import BALLAST_BYTES
from tests.support.disk import fill
from tests.support.influx2 import Influx2, answer
from tests.support.pipeline import (
    Pipeline,
    end_backoff,
    held,
    influx,
    noise,
    points,
    running,
    until,
)

FULL = "spool full: collectors with a cursor wait, the others lose their oldest readings"
FAILS = "spool fails: collectors wait until the state database can be written"
AWAY = answer(503, retry_after="60")
MIB = 1024 * 1024


async def come_back(server: Influx2, pipe: Pipeline) -> set[int]:
    """Have the store take everything; return the seconds that it has in the end."""
    server.always = None
    end_backoff(pipe.only.outage)
    await until(lambda: pipe.only.spooled == 0)
    return {second for _, second in held(server)}


async def test_a_full_spool_drops_the_oldest_of_what_may_be_dropped(
    server: Influx2, tmp_path: Path
) -> None:
    """The newest are kept, and all points whose source keeps them."""
    server.always = AWAY
    sinks = {"main": influx(server.url)}
    async with running(tmp_path, sinks, batch=50, spool_bytes=2000) as pipe:
        await pipe.safe(points(*range(1, 51)))
        for start in range(100, 2000, 50):
            await pipe.safe(points(*range(start, start + 50)), droppable=True)
        dropped = pipe.only.account.dropped

        assert 0 < dropped < 1900
        assert pipe.only.spool.holds.size_bytes <= 2000
        assert pipe.balanced()
        stored = await come_back(server, pipe)
        assert stored == {*range(1, 51), *range(100 + dropped, 2000)}


async def test_what_is_dropped_is_told(server: Influx2, tmp_path: Path) -> None:
    """Losing the oldest readings is an error in the log, once for each time it begins."""
    server.always = AWAY
    async with running(tmp_path, {"main": influx(server.url)}, spool_bytes=5000) as pipe:
        for start in range(1, 5000, 50):
            await pipe.safe(points(*range(start, start + 50)), droppable=True)

        dropped = pipe.only.account.dropped
        (told,) = pipe.logged(FULL)
        assert (told["level"], told["reason"]) == ("error", "the spool has reached 5000 bytes")
        assert dropped
        assert 0 < told["points"] < 5000
        await come_back(server, pipe)
        await until(lambda: bool(pipe.logged("spool has room again")))
        (over,) = pipe.logged("spool has room again")
        assert (over["level"], over["dropped"]) == ("info", dropped)


@pytest.mark.slow
async def test_a_full_disk_drops_the_oldest_of_what_may_be_dropped(
    server: Influx2, small_disk: Path
) -> None:
    """The newest take the place of the oldest; with room again nothing more is dropped.

    It waits for a few megabytes to be written to a small disk.
    """
    server.always = AWAY
    sinks = {"main": influx(server.url)}
    async with running(
        small_disk / "state", sinks, spool_bytes=50 * MIB, ballast_bytes=BALLAST_BYTES
    ) as pipe:
        await pipe.safe(noise(1, 5000))
        for start in range(5001, 80_001, 5000):
            await pipe.safe(noise(start, 5000), droppable=True)
        filler = fill(small_disk)
        for start in range(80_001, 105_001, 5000):
            await pipe.safe(noise(start, 5000), droppable=True)
        dropped = pipe.only.account.dropped

        assert 25_000 <= dropped <= 55_000  # a new body may take the place of two
        assert pipe.balanced()
        assert pipe.buffer.paused == {"main"}
        assert len(pipe.logged(FULL)) == 1

        filler.unlink()
        await pipe.safe(noise(105_001, 5000), droppable=True)
        assert pipe.buffer.paused == set()
        stored = await come_back(server, pipe)
        assert pipe.only.account.dropped == dropped
        assert stored == {*range(1, 5001), *range(5001 + dropped, 110_001)}


async def test_a_full_spool_holds_back_collectors_that_keep_their_place(
    server: Influx2, tmp_path: Path
) -> None:
    """Their next points are let in when the spool has room again."""
    server.always = AWAY
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

        await come_back(server, pipe)
        receipt = await waiting
        await receipt.wait()
        assert ("level", 900) in held(server)


async def test_old_bodies_expire(server: Influx2, tmp_path: Path) -> None:
    """What has waited longer than ``spool_age`` is dropped, counted and told."""
    server.always = answer(503)
    async with running(tmp_path, {"main": influx(server.url)}, spool_age=60.0) as pipe:
        await pipe.safe(points(1, 2))
        await until(lambda: server.writes >= 4)
        young = pipe.only.spooled
        pipe.only.limits.spool_age = 0.01
        await until(lambda: pipe.only.account.dropped == 2)

        assert (young, pipe.only.spooled) == (2, 0)
        (told,) = pipe.logged("spooled points grew too old and were dropped")
        assert (told["level"], told["points"]) == ("error", 2)
        assert pipe.balanced()


async def test_a_failing_database_ends_nothing(server: Influx2, tmp_path: Path) -> None:
    """While nothing can be spooled or drained, points wait; afterwards all of them arrive."""
    server.always = answer(503)
    async with running(tmp_path, {"main": influx(server.url)}, disk_retry=0.05) as pipe:
        await pipe.safe(points(1))
        await pipe.database.write(lambda db: db.execute("ALTER TABLE spool RENAME TO elsewhere"))
        waiting = await pipe.put(points(2))
        await until(lambda: bool(pipe.logged("the spool cannot be drained for now")))
        told = pipe.logged("the spool cannot be drained for now")[0]
        assert (told["level"], told.get("exc_info")) == ("error", None)
        assert re.search(r"state\.db: .*spool", told["error"])
        assert not waiting.settled

        await pipe.database.write(lambda db: db.execute("ALTER TABLE elsewhere RENAME TO spool"))
        await waiting.wait()
        server.always = None
        await until(lambda: pipe.only.account.stored == 2)

        assert sorted(held(server)) == [("level", 1), ("level", 2)]
        assert pipe.balanced()


async def test_a_failing_database_is_not_told_as_a_full_one(
    server: Influx2, tmp_path: Path
) -> None:
    """Nothing is dropped for it, and all that show how the store is say what is wrong."""
    server.always = AWAY
    sinks = {"main": influx(server.url)}
    async with running(tmp_path, sinks, spool_bytes=MIB, disk_retry=0.05) as pipe:
        await pipe.safe(points(1))
        await pipe.database.write(lambda db: db.execute("ALTER TABLE spool RENAME TO elsewhere"))
        waiting = await pipe.put(points(2), droppable=True)
        await until(lambda: bool(pipe.logged(FAILS)))

        (told,) = pipe.logged(FAILS)
        facts = pipe.only.facts()
        assert (told["level"], told["reason"]) == ("error", facts.spool_error)
        assert "spool" in facts.spool_error
        assert not facts.full
        assert pipe.buffer.full == "the spool of main cannot be written"

        await pipe.database.write(lambda db: db.execute("ALTER TABLE elsewhere RENAME TO spool"))
        await waiting.wait()
        assert not pipe.buffer.paused
        assert not pipe.only.facts().spool_error
        assert await come_back(server, pipe) == {1, 2}
        assert pipe.only.account.dropped == 0
        assert not pipe.logged(FULL)


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

        assert held(server) == {("level", second): 1.0}
        assert pipe.only.account.dropped == second - 1
        assert pipe.balanced()
