"""What waits in the spool leaves it: the oldest first, in bodies as large as they may be."""

from pathlib import Path

import pytest

from ingestd.config.model import EmbeddedStore
from ingestd.delivery.drain import grouped
from ingestd.delivery.spool import Spooled
from ingestd.model import Body
from ingestd.sinks.embedded import EmbeddedSink
from ingestd.sinks.protocol import Sink
from tests.support.influx2 import Behaviour, Influx2, answer
from tests.support.pipeline import (
    UNBALANCED,
    Pipeline,
    end_backoff,
    held,
    influx,
    points,
    running,
    until,
)

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
        end_backoff(pipe.only.outage)
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
        end_backoff(pipe.only.outage)
        await until(lambda: not server.script and not pipe.only.outage.up)
        await until(lambda: pipe.only.spool.holds.points == 30)

        assert (pipe.only.account.stored, pipe.only.spooled) == (10, 30)
        assert {second for _, second in held(server)} == set(range(1, 11))
        assert pipe.only.spool.holds.bodies == 1
        assert pipe.balanced()

        end_backoff(pipe.only.outage)
        await until(lambda: pipe.only.spooled == 0)
        assert len(held(server)) == 40
        assert pipe.balanced()


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([3, 3, 3, 3], [[3, 3], [3, 3]]),
        ([2, 2, 2, 2], [[2, 2, 2], [2]]),
        ([5, 2, 9, 1, 6], [[5], [2], [9], [1], [6]]),
        ([], []),
    ],
)
def test_bodies_are_grouped_up_to_a_number_of_points(
    points: list[int], expected: list[list[int]]
) -> None:
    """One that alone has more goes by itself, and none is out of turn."""
    spooled = [Spooled(n, Body(b"", each, 0, 0), droppable=False) for n, each in enumerate(points)]

    groups = list(grouped(spooled, 6))

    assert [[each.body.points for each in group] for group in groups] == expected
    assert [each for group in groups for each in group] == spooled


async def spooled_by(sink: Sink, state_dir: Path, *times: int) -> None:
    """Leave one body more in the spool, of the kind of store that a sink is for."""
    async with running(state_dir, {"main": sink}) as pipe:
        pipe.only.cancel()
        await pipe.safe(points(*times))


async def test_bodies_of_two_kinds_of_stores_leave_one_by_one(
    server: Influx2, tmp_path: Path
) -> None:
    """Those of the former kind are set aside, and the rest of one that was cut short stays."""
    embedded = EmbeddedSink(EmbeddedStore(name="main", path=tmp_path / "readings.db"))
    await spooled_by(influx(server.url), tmp_path, 1)
    await spooled_by(embedded, tmp_path, 2)
    await spooled_by(influx(server.url), tmp_path, 3)
    await spooled_by(embedded, tmp_path, 4)
    await spooled_by(influx(server.url), tmp_path, 5, 6)
    await spooled_by(influx(server.url), tmp_path, 7)
    server.script += [Behaviour(), Behaviour(), answer(413), Behaviour(), AWAY]
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await until(lambda: not server.script and not pipe.only.outage.up)
        await until(lambda: pipe.only.spool.holds.bodies == 2)

        assert {second for _, second in held(server)} == {1, 3, 5}
        assert (pipe.only.account.stored, pipe.only.account.dropped) == (3, 2)
        assert pipe.only.spooled == 2
        told = pipe.logged("spooled points were set aside")
        assert [(each["points"], each["reason"]) for each in told] == [
            (1, "spooled for another kind of store")
        ] * 2
        errors = await pipe.database.read(
            lambda db: db.execute("SELECT error FROM damaged").fetchall()
        )
        assert all(error.startswith("not of this kind of store: ") for (error,) in errors)
        assert pipe.balanced()

        await pipe.safe(points(8))  # by then the drain would have sent the next body
        assert server.writes == 5
        end_backoff(pipe.only.outage)
        await until(lambda: pipe.only.spooled == 0)
        assert {second for _, second in held(server)} == {1, 3, 5, 6, 7, 8}


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
