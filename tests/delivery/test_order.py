"""The order of points: a later value is never overwritten by an earlier one."""

import asyncio
from pathlib import Path

from tests.support.influx2 import Influx2, answer, held_until
from tests.support.pipeline import Pipeline, held, influx, points, running, until


async def test_fresh_points_overtake_the_backlog(server: Influx2, tmp_path: Path) -> None:
    """While a backlog waits for its answer, what is collected now is stored now."""
    gate = asyncio.Event()
    server.always = answer(503)
    async with running(tmp_path, {"main": influx(server.url)}, batch=10) as pipe:
        for start in range(1, 100, 10):
            await pipe.safe(points(*range(start, start + 10)))
        server.script += [held_until(gate)]
        server.always = None
        pipe.only.outage.succeeded()
        await until(lambda: not server.script)

        await pipe.safe(points(5000))

        assert held(server) == {("level", 5000): 1.0}
        assert pipe.only.spooled == 100
        gate.set()
        await until(lambda: pipe.only.account.stored == 101)
        assert pipe.balanced()


async def test_a_correction_of_the_backlog_is_stored_after_it(
    server: Influx2, tmp_path: Path
) -> None:
    """Of a batch, only the points beyond the horizon go ahead of what is being drained."""
    gate = asyncio.Event()
    server.always = answer(503)
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await pipe.safe(points(*range(1, 200), value=1.0))
        server.script += [held_until(gate)]
        server.always = None
        pipe.only.outage.succeeded()
        await until(lambda: not server.script)

        await pipe.safe(points(3, 199, 200, value=2.0))
        assert held(server) == {("level", 200): 2.0}
        gate.set()
        await until(lambda: pipe.only.spooled == 0)

        assert held(server)["level", 3] == 2.0
        assert held(server)["level", 199] == 2.0
        assert pipe.balanced()


async def test_a_correction_waits_for_what_it_corrects(server: Influx2, tmp_path: Path) -> None:
    """Two requests that would store the same point are not in flight at once."""
    gate = asyncio.Event()
    server.script += [held_until(gate)]
    async with running(tmp_path, {"main": influx(server.url)}, batch=1) as pipe:
        first = await pipe.put(points(9, value=1.0))
        second = await pipe.put(points(9, value=2.0))
        third = await pipe.put(points(10))
        await until(lambda: pipe.only.account.in_flight == 2 and server.writes == 1)
        assert held(server) == {}
        gate.set()
        for receipt in (first, second, third):
            await receipt.wait()

        assert held(server) == {("level", 9): 2.0, ("level", 10): 1.0}
        assert [len(body) for body in server.bodies] == [1, 1, 1]


async def test_a_correction_waits_for_the_one_before_the_one_ahead(
    server: Influx2, tmp_path: Path
) -> None:
    """A batch that was quick does not end, nor let others begin, before one that left earlier."""
    gate = asyncio.Event()
    server.script += [held_until(gate)]
    sink = influx(server.url)
    async with running(tmp_path, {"main": sink}, batch=1) as pipe:
        first = await pipe.put(points(9, value=1.0))
        await until(lambda: server.writes == 1)
        second = await pipe.put(points(10))
        third = await pipe.put(points(9, value=2.0))
        await until(lambda: ("level", 10) in held(server))
        for _ in range(20):  # as many answers as a third batch would need, and more
            await sink.read("level", start_us=0, end_us=1, tags={})
        gate.set()
        for receipt in (first, second, third):
            await receipt.wait()

        assert held(server) == {("level", 9): 2.0, ("level", 10): 1.0}


async def test_a_correction_of_what_fails_is_spooled_behind_it(
    server: Influx2, tmp_path: Path
) -> None:
    """The store takes the correction now, and would get the older value afterwards."""
    gate = asyncio.Event()
    server.script += [answer(503, gate=gate)]
    async with running(tmp_path, {"main": influx(server.url)}, batch=1) as pipe:
        first = await pipe.put(points(9, value=1.0))
        await until(lambda: server.writes == 1)
        second = await pipe.put(points(9, value=2.0))
        gate.set()
        await first.wait()
        await second.wait()
        await until(lambda: pipe.only.spooled == 0)

        assert held(server) == {("level", 9): 2.0}
        assert pipe.balanced()


async def test_a_correction_that_a_retry_passes_is_stored_again(
    server: Influx2, tmp_path: Path
) -> None:
    """A dead letter comes into the spool while a correction of it is on its way to the store."""
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await refused(server, pipe, value=1.0)
        gate = asyncio.Event()
        server.script += [held_until(gate), answer(503)]

        correction = await pipe.put(points(1, value=2.0))
        await until(lambda: len(server.script) == 1)
        await pipe.only.retry(await pipe.only.dead.listed())
        await until(lambda: not pipe.only.outage.up)  # the letter was the second request
        gate.set()
        await correction.wait()
        await until(lambda: pipe.only.spooled == 0)

        assert held(server) == {("level", 1): 2.0}
        assert pipe.only.account.stored == 2
        assert pipe.balanced()


async def test_a_point_that_no_retry_concerns_is_stored_once(
    server: Influx2, tmp_path: Path
) -> None:
    """Points from the time after the retry are no corrections of it."""
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await refused(server, pipe, value=1.0)
        gate, later = asyncio.Event(), 4_000_000_000
        server.script += [held_until(gate), answer(503)]

        fresh = await pipe.put(points(later))
        await until(lambda: len(server.script) == 1)
        await pipe.only.retry(await pipe.only.dead.listed())
        await until(lambda: not pipe.only.outage.up)
        gate.set()
        await fresh.wait()
        await until(lambda: pipe.only.spooled == 0)

        assert held(server) == {("level", 1): 1.0, ("level", later): 1.0}
        assert sum(str(later) in line for body in server.bodies for line in body) == 1


async def test_a_correction_of_a_letter_that_is_tried_again_goes_behind_it(
    server: Influx2, tmp_path: Path
) -> None:
    """A retry makes every point up to now queue, since any of them may correct a letter."""
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await refused(server, pipe, value=1.0)
        gate = asyncio.Event()
        server.script += [held_until(gate)]
        await pipe.only.retry(await pipe.only.dead.listed())
        await until(lambda: not server.script)

        await pipe.safe(points(1, value=2.0))
        gate.set()
        await until(lambda: pipe.only.spooled == 0)

        assert held(server) == {("level", 1): 2.0}
        assert pipe.balanced()


async def refused(server: Influx2, pipe: Pipeline, *, value: float) -> None:
    """Have the store refuse a point at the first second, and take such points from then on."""
    server.refuse = lambda _line: "no such field"
    await pipe.safe(points(1, value=value))
    server.refuse = lambda _line: ""
    assert pipe.only.dead.count == 1
