"""What becomes of points that a store, or its kind, does not take."""

from pathlib import Path

from ingestd.model import Series
from tests.support.influx2 import (
    Influx2,
    answer,
)
from tests.support.pipeline import held, influx, points, running, until


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
