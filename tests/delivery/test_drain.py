"""What waits in the spool leaves it: the oldest first, in bodies as large as they may be."""

from pathlib import Path

from tests.support.influx2 import Influx2, answer
from tests.support.pipeline import UNBALANCED, Pipeline, held, influx, points, running, until

AWAY = answer(503, retry_after="60")


async def backlog(server: Influx2, pipe: Pipeline, *, bodies: int) -> None:
    """Leave bodies of ten points in the spool, and have the store take writes again."""
    server.always = AWAY
    for start in range(1, 10 * bodies, 10):
        await pipe.safe(points(*range(start, start + 10)))
    server.always = None
    assert (pipe.only.spooled, pipe.only.spool.holds.bodies) == (10 * bodies, bodies)


async def test_small_bodies_leave_together(server: Influx2, tmp_path: Path) -> None:
    """A day of small batches would otherwise take a request each."""
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await backlog(server, pipe, bodies=5)
        before = server.writes
        pipe.only.outage.try_now()
        await until(lambda: pipe.only.spooled == 0)

        assert len(held(server)) == 50
        assert server.writes == before + 1
        assert [len(body) for body in server.bodies[before:]] == [50]


async def test_what_a_store_took_of_a_joined_body_is_out_of_the_spool(
    server: Influx2, tmp_path: Path
) -> None:
    """The store takes the first quarter only, and goes away at the second."""
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await backlog(server, pipe, bodies=4)
        server.script += [answer(413), answer(413), answer(204, stores=True), AWAY]
        pipe.only.outage.try_now()
        await until(lambda: not server.script and not pipe.only.outage.up)
        await until(lambda: pipe.only.spool.holds.points == 30)

        assert (pipe.only.account.stored, pipe.only.spooled) == (10, 30)
        assert {second for _, second in held(server)} == set(range(1, 11))
        assert pipe.only.spool.holds.bodies == 1
        assert pipe.balanced()

        pipe.only.outage.try_now()
        await until(lambda: pipe.only.spooled == 0)
        assert len(held(server)) == 40
        assert pipe.balanced()


async def test_an_account_that_is_off_is_told_with_its_numbers(
    server: Influx2, tmp_path: Path
) -> None:
    """A bug of ours in the accounting is an error in the log, once, at the next batch."""
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await pipe.safe(points(1, 2))
        pipe.only.account.stored += 1
        await pipe.safe(points(3))
        await pipe.safe(points(4))

        (told,) = pipe.logged(UNBALANCED)
        assert told["level"] == "error"
        assert (told["off_by"], told["accepted"], told["stored"]) == (-1, 3, 4)

        pipe.only.account.stored -= 1
        pipe.events.clear()
        await pipe.safe(points(5))
        assert pipe.events == []
