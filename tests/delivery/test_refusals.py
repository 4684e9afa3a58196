"""What becomes of points that a store, or its kind, does not take."""

from pathlib import Path

from ingestd.config.model import EmbeddedStore
from ingestd.model import Series
from ingestd.sinks.embedded import EmbeddedSink
from tests.support.influx2 import Influx2, answer
from tests.support.pipeline import held, influx, points, running, until

STAY = "dead letters stay, since this kind of store cannot be sent them"
AWAY = answer(503, retry_after="60")


async def test_a_bad_point_stands_alone_in_the_end(server: Influx2, tmp_path: Path) -> None:
    """A store that names no line has the batch halved until the culprit is found."""
    server.refuse = lambda line: "hates seven" if line.endswith(" 7") else ""
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await pipe.safe(points(*range(1, 41)))

        assert {second for _, second in held(server)} == set(range(1, 41)) - {7}
        assert (pipe.only.account.stored, pipe.only.dead.count) == (39, 1)
        (letter,) = await pipe.only.dead.listed()
        assert "hates seven" in letter.reason
        (told,) = pipe.logged("points refused for good")
        assert (told["level"], told["points"], told["reason"]) == ("error", 1, letter.reason)
        assert told["examples"] == [letter.payload.decode()]
        assert pipe.balanced()


async def test_only_the_bad_ones_are_buried_however_many(server: Influx2, tmp_path: Path) -> None:
    """Of 3,000 points with 60 bad ones that no answer names, 2,940 are stored."""
    server.refuse = lambda line: "hates fifties" if line.endswith("50") or "99 " in line else ""
    bad = {second for second in range(1, 3001) if second % 100 == 50}
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await pipe.safe(points(*range(1, 3001)))
        await until(lambda: pipe.only.account.stored + pipe.only.dead.count == 3000)

        assert {second for _, second in held(server)} == set(range(1, 3001)) - bad
        assert pipe.only.dead.count == len(bad)
        assert pipe.balanced()


async def test_many_bad_ones_are_told_in_a_line_for_a_batch(
    server: Influx2, tmp_path: Path
) -> None:
    """The log has how many there were, why the first was refused, and a few examples."""
    server.refuse = lambda line: "hates tens" if line.endswith("0") else ""
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await pipe.safe(points(*range(1, 101)))

        (told,) = pipe.logged("points refused for good")
        letters = await pipe.only.dead.listed()
        assert (told["points"], told["reason"]) == (len(letters), letters[0].reason)
        assert told["examples"] == [each.payload.decode() for each in letters[:3]]


async def test_a_body_that_is_all_bad_lets_others_have_their_turn(
    server: Influx2, tmp_path: Path
) -> None:
    """Past so many tries the rest goes on from the spool, where later points overtake it."""
    server.refuse = lambda line: "" if line.startswith("good") else "hates it"
    good = Series("good", measurement="good")
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await pipe.safe(points(*range(1, 2001)))
        assert 0 < pipe.only.dead.count < 2000
        await pipe.safe(points(3000, series=good))

        assert held(server) == {("good", 3000): 1.0}
        assert pipe.only.dead.count < 2000
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


async def test_a_limit_is_remembered(server: Influx2, tmp_path: Path) -> None:
    """With a limit of 1,500 bytes every one of 4,000 points is stored.

    The second body is cut before it is sent.
    """
    server.largest = 1500
    sink = influx(server.url, gzip=False)
    async with running(tmp_path, {"main": sink}) as pipe:
        await pipe.safe(points(*range(1, 2001)))
        before = server.writes
        await pipe.safe(points(*range(3001, 5001)))

        assert len(held(server)) == 4000
        assert pipe.only.dead.count == 0
        sizes = [sum(len(line) + 1 for line in body) for body in server.bodies[before:]]
        assert sum(size > 1501 for size in sizes) <= 2


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


async def test_dead_letters_outlive_a_change_of_the_stores_type(
    server: Influx2, tmp_path: Path
) -> None:
    """A retry leaves those of the former type alone; they are sent when that is back."""
    embedded = EmbeddedSink(EmbeddedStore(name="main", path=tmp_path / "readings.db"))
    server.refuse = lambda _line: "no such field"
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await pipe.safe(points(1))
    server.refuse = lambda _line: ""

    async with running(tmp_path, {"main": embedded}) as pipe:
        await until(pipe.only.recovered.is_set)
        assert await pipe.only.retry(await pipe.only.dead.listed()) == 0
        await pipe.safe(points(2))
        assert (pipe.only.dead.count, pipe.only.account.stored) == (1, 1)
        (told,) = pipe.logged(STAY)
        assert (told["level"], told["points"]) == ("warning", 1)
        assert pipe.balanced()

    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await until(pipe.only.recovered.is_set)
        assert await pipe.only.retry(await pipe.only.dead.listed()) == 1
        await until(lambda: pipe.only.account.stored == 1)
        assert held(server) == {("level", 1): 1.0}
        assert pipe.balanced()


async def test_a_retry_takes_what_can_be_sent(server: Influx2, tmp_path: Path) -> None:
    """A letter that line protocol cannot say does not keep its neighbours back."""
    awkward = Series("level", tags=(("room", "ends in \\"),))
    server.refuse = lambda _line: "no such field"
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await pipe.safe([*points(1), *points(2, series=awkward), *points(3)])
        server.refuse = lambda _line: ""

        assert await pipe.only.retry(await pipe.only.dead.listed()) == 2
        await until(lambda: pipe.only.account.stored == 2)

        assert {second for _, second in held(server)} == {1, 3}
        (left,) = await pipe.only.dead.listed()
        assert b"ends in" in left.payload
        (told,) = pipe.logged(STAY)
        assert told["points"] == 1
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
        assert not pipe.logged(STAY)

        assert held(server) == {("level", 1): 1.0}
        assert pipe.only.dead.count == 0
        assert pipe.balanced()


async def test_a_letter_that_is_tried_again_is_never_dropped(
    server: Influx2, tmp_path: Path
) -> None:
    """The operator wants it stored; a full spool takes what may be dropped from others."""
    server.refuse = lambda _line: "no such field"
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await pipe.safe(points(1), droppable=True)
        server.always = AWAY
        await pipe.only.retry(await pipe.only.dead.listed())

        (body,), _ = await pipe.only.spool.oldest(1)
        assert not body.droppable


async def test_a_letter_that_is_tried_again_may_have_any_time(
    server: Influx2, tmp_path: Path
) -> None:
    """It may correct a point from before 1970, and be corrected by every one up to now."""
    server.refuse = lambda _line: "no such field"
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await pipe.safe(points(-5))
        server.always = AWAY
        now = pipe.only.clock.now()
        await pipe.only.retry(await pipe.only.dead.listed())

        (spooled,), _ = await pipe.only.spool.oldest(1)
        assert spooled.body.first_us < -5_000_000
        assert spooled.body.last_us >= now * 1_000_000
