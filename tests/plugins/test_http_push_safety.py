"""When a sender of the push plugin is answered: once its readings are safe, or to come again."""

import asyncio
import gzip
import json

import pytest

from tests.support.deadline import WITHIN
from tests.support.pushing import BATCH, LINE, STORE, Push, connected, pushing


async def test_the_answer_waits_until_readings_are_safe(push: Push) -> None:
    """It goes out as soon as they are, and not before."""
    push.ctx.safe.clear()
    waiting = asyncio.create_task(push.post("/readings", key="k", json=[[1, "a", 1]]))
    await push.until(1)
    done, _ = await asyncio.wait({waiting}, timeout=0.05)
    assert not done

    push.ctx.safe.set()
    assert (await waiting).status == 200


async def test_the_next_checkpoint_does_not_wait_for_the_one_before(push: Push) -> None:
    """What comes meanwhile is given on at once."""
    push.ctx.safe.clear()
    waiting = []
    for number in range(3):
        sent = push.post("/readings", key="k", json=[[number, "a", 1]])
        waiting.append(asyncio.create_task(sent))
        await push.until(number + 1)

    push.ctx.safe.set()
    assert [reply.status for reply in await asyncio.gather(*waiting)] == [200] * 3


async def test_requests_that_come_together_are_given_on_together() -> None:
    """A hundred small requests are a few checkpoints, and each is answered."""
    async with pushing() as push:
        sent = (push.post("/readings", json=[[n, "a", n]]) for n in range(100))
        replies = await asyncio.gather(*sent)

    assert {reply.status for reply in replies} == {200}
    assert sorted(reading[0] for reading in push.readings) == list(range(100))
    assert len(push.results) < 60


@pytest.mark.parametrize("replies", ["honest", "bmon"])
async def test_what_is_not_safe_in_time_is_never_called_stored(replies: str) -> None:
    """The sender is told to come again, in BMON's words, too."""
    async with pushing(replies=replies, answer_within="50ms") as push:
        push.ctx.safe.clear()
        for path, body in (
            (STORE, json.dumps(BATCH)),
            ("/write", LINE),
            ("/readings", '[[1, "a", 3]]'),
        ):
            reply = await push.post(path, data=body)
            assert (reply.status, reply.headers["Retry-After"]) == (503, "5")


async def test_too_many_that_wait_are_told_to_come_again() -> None:
    """Their number and their size count; those that wait already are still answered."""
    async with pushing(max_waiting=2, max_body=250, max_waiting_bytes=250) as push:
        push.ctx.safe.clear()
        first = asyncio.create_task(push.post("/readings", json=[[1, "a", 1]]))
        await push.until(1)
        large = await push.post("/readings", json=[[1, "a" * 90, 1]])
        second = asyncio.create_task(push.post("/readings", json=[[2, "a", 1]]))
        await push.until(2)
        third = await push.post("/readings", json=[[3, "a", 1]])
        push.ctx.safe.set()
        waited = await asyncio.gather(first, second)
        after = await push.post("/readings", json=[[3, "a", 1]])

    assert (large.status, third.status) == (503, 503)
    assert [reply.status for reply in (*waited, after)] == [200, 200, 200]


async def test_what_is_safe_makes_room() -> None:
    """More than may wait can come one after the other."""
    async with pushing(max_body=250, max_waiting_bytes=250) as push:
        replies = [await push.post("/readings", json=[[n, "a", 1]]) for n in range(6)]

    assert [reply.status for reply in replies] == [200] * 6


async def test_readings_wait_by_what_they_take_not_by_how_small_they_came() -> None:
    """A compressed body of many readings is a large one."""
    many = json.dumps([[n, "a", 1] for n in range(100)]).encode()
    async with pushing(max_body=10_000, max_waiting_bytes=15_000) as push:
        push.ctx.safe.clear()
        headers = {"Content-Encoding": "gzip"}
        first = asyncio.create_task(
            push.post("/readings", data=gzip.compress(many), headers=headers)
        )
        await push.until(1)
        second = await push.post("/readings", data=gzip.compress(many), headers=headers)
        push.ctx.safe.set()
        replies = [await first, await push.post("/readings", data=many)]
        too_many = await push.post("/readings", json=[[n, "a", 1] for n in range(150)])

    assert (second.status, [reply.status for reply in replies]) == (503, [200, 200])
    assert (too_many.status, "send fewer" in too_many.text) == (413, True)


async def test_a_request_for_which_there_is_no_room_is_told_before_its_body() -> None:
    """A body that could not be kept is not even read."""
    async with pushing(max_waiting=1) as push:
        push.ctx.safe.clear()
        first = asyncio.create_task(push.post("/readings", json=[[1, "a", 1]]))
        await push.until(1)
        reader, writer = await connected(push)
        writer.write(b"POST /write HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n")
        async with asyncio.timeout(WITHIN):
            assert b"503" in await reader.readline()
        writer.close()
        push.ctx.safe.set()

        assert (await first).status == 200


async def test_the_stop_tells_those_who_wait_to_come_again() -> None:
    """They are not left without an answer, nor told that their readings are safe."""
    async with pushing(store_keys="k") as push:
        push.ctx.safe.clear()
        waiting = asyncio.create_task(push.post("/readings", key="k", json=[[1, "a", 1]]))
        await push.until(1)
        push.ctx.stop()
        assert push.task is not None
        push.task.cancel()
        reply = await waiting

    assert (reply.status, reply.headers["Retry-After"]) == (503, "5")


async def test_more_than_the_rate_is_refused() -> None:
    """The answer is 429, in BMON's words, too, since its loggers come again for that."""
    async with pushing(rate=2, replies="bmon") as push:
        replies = [await push.post(STORE, json=BATCH) for _ in range(3)]

    assert [reply.status for reply in replies] == [200, 200, 429]
    assert replies[2].headers["Retry-After"] == "1"
