"""Which requests a store is sent, one by one."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

from ingestd.errors import BodyRejected, BodyTooLarge, StoreUnavailable
from tests.support.answering import AnsweringSink
from tests.support.pipeline import points, running, until


def hates(*bad: int) -> Callable[[list[int]], Exception | None]:
    """Refuse every body that has one of some points, without a name."""
    return lambda seconds: None if not {*bad} & {*seconds} else BodyRejected("hates it")


async def test_a_body_that_is_known_to_be_too_large_is_not_sent_whole(
    sink: AnsweringSink, tmp_path: Path
) -> None:
    """As few parts go as will pass."""
    sink.answer = lambda seconds: BodyTooLarge("too large") if len(seconds) > 2 else None
    async with running(tmp_path, {"main": sink}) as pipe:
        await pipe.safe(points(11, 12, 13))
        await pipe.safe(points(21, 22, 23))
        await pipe.safe(points(31, 32))

    assert sink.bodies == [[11, 12, 13], [11], [12, 13], [21], [22, 23], [31, 32]]


async def test_a_body_of_two_is_cut_as_well(sink: AnsweringSink, tmp_path: Path) -> None:
    """And a single point that is too large is refused, since nothing of it can be left out."""
    sink.answer = lambda seconds: (
        BodyTooLarge("too large") if len(seconds) > 1 or seconds > [90] else None
    )
    async with running(tmp_path, {"main": sink}) as pipe:
        await pipe.safe(points(11, 12))
        await pipe.safe(points(21, 22))
        await pipe.safe(points(99))
        await pipe.safe(points(98))

        assert sink.bodies == [[11, 12], [11], [12], [21], [22], [99], [98]]
        assert pipe.only.dead.count == 2
        assert pipe.balanced()


async def test_a_store_is_opened_once(sink: AnsweringSink, tmp_path: Path) -> None:
    """And tried again until it is."""
    sink.opening = [StoreUnavailable("not yet")]
    async with running(tmp_path, {"main": sink}) as pipe:
        await pipe.safe(points(1))
        await until(lambda: sink.has == {1})
        await pipe.safe(points(2))

        assert sink.opened == 2
        assert sink.bodies == [[1], [2]]


async def test_an_error_that_no_one_knows_is_an_outage(sink: AnsweringSink, tmp_path: Path) -> None:
    """What the libraries below a sink raise may be over next time; the log has its name."""
    sink.answer = lambda _seconds: LookupError("of some library" + "!" * 1000)
    async with running(tmp_path, {"main": sink}) as pipe:
        await pipe.safe(points(1))
        (told,) = pipe.logged("store unavailable")
        sink.answer = lambda _seconds: None
        await until(lambda: sink.has == {1})

    assert told["error"].startswith("unexpected LookupError: of some library!!")
    assert len(told["error"]) < 300


async def test_good_points_of_a_body_vouch_for_a_store(sink: AnsweringSink, tmp_path: Path) -> None:
    """It is asked with some of them, although all that waits is bad."""
    sink.answer = hates(*range(1, 10), 50)
    async with running(tmp_path, {"main": sink}, believed=False) as pipe:
        await pipe.safe(points(*range(1, 10)))
        assert (pipe.only.dead.count, pipe.only.spooled) == (0, 9)
        sink.bodies.clear()
        pipe.only.outage.succeeded()
        await pipe.safe(points(*range(50, 70)))
        await until(lambda: pipe.only.dead.count == 10)

        assert sink.has == {*range(51, 70)}
        assert pipe.balanced()


async def test_a_store_that_takes_nothing_is_asked_with_a_few_points(
    sink: AnsweringSink, tmp_path: Path
) -> None:
    """Each alone, of the body and of what waits; then it counts as down."""
    sink.answer = lambda _seconds: BodyRejected("no")
    async with running(tmp_path, {"main": sink}, believed=False) as pipe:
        await pipe.safe(points(*range(1, 101)))
        assert [len(each) for each in sink.bodies[:9]] == [100, *[1] * 8]
        assert len({second for (second,) in sink.bodies[1:9]}) == 8
        assert pipe.only.outage.message.startswith("no")
        assert pipe.balanced()


async def test_a_store_that_goes_away_meanwhile_is_asked_no_more(
    sink: AnsweringSink, tmp_path: Path
) -> None:
    """What cannot be reached says nothing about a reading."""
    sink.answer = lambda seconds: (
        BodyRejected("no") if len(seconds) > 1 else StoreUnavailable("away", retry_after=60)
    )
    async with running(tmp_path, {"main": sink}, believed=False) as pipe:
        await pipe.safe(points(*range(1, 101)))

        assert [len(each) for each in sink.bodies] == [100, 1]
        assert (pipe.only.dead.count, pipe.only.spooled) == (0, 100)


async def test_what_cannot_be_read_of_the_spool_is_no_help(
    sink: AnsweringSink, tmp_path: Path
) -> None:
    """The store is asked with the points of the body itself then, as when the disk fails."""
    sink.answer = hates(7)
    async with running(tmp_path, {"main": sink}, believed=False) as pipe:
        await until(pipe.only.recovered.is_set)
        await pipe.database.write(lambda db: db.execute("ALTER TABLE spool RENAME TO elsewhere"))
        await pipe.safe(points(*range(1, 21)))
        await pipe.database.write(lambda db: db.execute("ALTER TABLE elsewhere RENAME TO spool"))

        assert (pipe.only.dead.count, pipe.only.account.stored) == (1, 19)
        assert pipe.balanced()


async def test_a_reading_that_a_store_fails_over_costs_few_requests(
    sink: AnsweringSink, tmp_path: Path
) -> None:
    """Halving finds it among a thousand; the others are stored in a dozen requests."""
    sink.answer = lambda seconds: (
        StoreUnavailable("HTTP 500", answered=True, perhaps_body=True) if 7 in seconds else None
    )
    async with running(tmp_path, {"main": sink}, suspect_pause=60.0) as pipe:
        await pipe.safe(points(*range(1, 1001)))
        await until(lambda: pipe.only.account.stored == 999)
        await until(lambda: pipe.only.sender.suspects.points == 1)

        failed = [each for each in sink.bodies if 7 in each]
        assert len(failed) <= 2 + 10 + 2  # before it is suspected, halves, and as an offer
        assert len(sink.bodies) - len(failed) <= 14
        assert pipe.balanced()


async def test_a_bug_in_the_drain_is_told_and_the_live_side_goes_on(
    sink: AnsweringSink, tmp_path: Path
) -> None:
    """With its traceback; what is in the spool stays there until it is mended."""
    sink.answer = lambda _seconds: StoreUnavailable("away", retry_after=60)
    async with running(tmp_path, {"main": sink}, disk_retry=0.02) as pipe:
        for second in (1, 2):
            await pipe.safe(points(second))
        sink.answer, sink.join_error = (lambda _seconds: None), LookupError("on purpose")
        pipe.only.outage.succeeded()
        await until(lambda: bool(pipe.logged("the spool cannot be drained for now")))
        await pipe.safe(points(3))

        told = pipe.logged("the spool cannot be drained for now")[0]
        assert told["level"] == "error"
        assert told["exc_info"]
        assert (sink.has, pipe.only.spooled) == ({3}, 2)
        sink.join_error = None
        await until(lambda: sink.has == {1, 2, 3})
        assert pipe.balanced()


async def test_bodies_are_worked_on_in_the_threads_that_are_for_it(
    sink: AnsweringSink, tmp_path: Path
) -> None:
    """To encode and to halve a large one takes longer than the event loop should."""
    sink.answer = hates(7)
    async with running(tmp_path, {"main": sink}) as pipe:
        await pipe.safe(points(*range(1, 21)))
        await pipe.only.retry(await pipe.only.dead.listed())
        await until(lambda: pipe.only.dead.count == 1 and not pipe.only.spooled)
        await pipe.only.adopt("main", overwrite=True)

    assert {name.rpartition("_")[0] for name in sink.threads} == {"bodies"}


async def test_the_tasks_of_a_delivery_are_named(sink: AnsweringSink, tmp_path: Path) -> None:
    """With the store and what they do, for whoever looks at what a daemon does."""
    gate = threading.Event()
    names = set[str]()

    def block(_: sqlite3.Connection) -> bool:
        return gate.wait(10)

    def note(_seconds: list[int]) -> Exception | None:
        names.update(task.get_name() for task in asyncio.all_tasks())
        return answers.pop() if answers else None

    sink.answer, answers = note, [StoreUnavailable("away", retry_after=60)]
    async with running(tmp_path, {"main": sink}) as pipe:
        await pipe.safe(points(1))
        blocking = asyncio.create_task(pipe.database.write(block))
        pipe.only.outage.succeeded()
        await until(lambda: sink.has == {1})
        await asyncio.sleep(0)
        note([])
        gate.set()
        await blocking

    whats = {"drain", "space", "deliver", "take-out"}
    assert {name for name in names if name.startswith("ingestd[main]")} == {
        f"ingestd[main].{what}" for what in whats
    }


async def test_a_stop_waits_for_no_answer(sink: AnsweringSink, tmp_path: Path) -> None:
    """What is being tried one by one then is spooled, and nothing more is sent."""

    def cancel(seconds: list[int]) -> Exception:
        if len(seconds) == 1:
            pipe.only.cancel()
        return BodyRejected("no")

    sink.answer = cancel
    async with running(tmp_path, {"main": sink}, believed=False) as pipe:
        await pipe.safe(points(*range(1, 21)))

        assert [len(each) for each in sink.bodies] == [20, 1]
        assert (pipe.only.spooled, pipe.only.dead.count) == (20, 0)
        assert pipe.only.outage.up  # it is not down because we stop
