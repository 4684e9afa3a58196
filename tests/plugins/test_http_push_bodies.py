"""Bodies that are too large, too slow, packed, or broken cost their senders alone."""

import asyncio
import gzip
import json
import threading
import zlib
from collections.abc import AsyncIterator

import aiohttp
import pytest

from ingestd.plugins.http_push import bodies
from ingestd.plugins.http_push.formats.message import Found, Message
from ingestd.plugins.http_push.routes import Route
from tests.support.deadline import WITHIN
from tests.support.pushing import LINE, Push, connected, pushing


@pytest.mark.parametrize(
    ("path", "body", "encoding"),
    [
        ("/readings", gzip.compress(b"[]", mtime=0), "gzip"),
        ("/readings", b"[" + b" " * 20_000 + b"]", ""),
        ("/readingdb/reading/store-notehub/", b'{"reading_type": "standalone"}', ""),
    ],
)
async def test_what_may_be_large_is_read_in_a_thread(
    path: str, body: bytes, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compressed ones however small they come, so that no other sender waits for them."""
    threads = []
    parse = Route.readings

    def noting(route: Route, message: Message) -> Found:
        threads.append(threading.current_thread().name)
        return parse(route, message)

    monkeypatch.setattr(Route, "readings", noting)
    async with pushing() as push:
        await push.post(path, data=body, headers={"Content-Encoding": encoding} if encoding else {})

    assert [name.partition("_")[0] for name in threads] == ["ingestd-push"]


def test_a_bomb_is_inflated_no_further_than_wanted() -> None:
    """It is never all in memory, to be measured then."""
    assert len(bodies.Inflate(31).more(gzip.compress(b"0" * 1_000_000), 1000)) == 1000


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_bomb_is_refused(encoding: str) -> None:
    """It is not inflated further than what is allowed."""
    zeros = b"\x00" * 20_000_000
    body = gzip.compress(zeros) if encoding == "gzip" else zlib.compress(zeros)
    async with pushing(max_body=100_000) as push:
        reply = await push.post("/write", data=body, headers={"Content-Encoding": encoding})

    assert (reply.status, json.loads(reply.text)["code"]) == (413, "request too large")


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"no gzip", "gzip", 400),
        (gzip.compress(b"cpu value=1", mtime=0)[:-6], "gzip", 400),
        (gzip.compress(b"cpu value=1", mtime=0) + b"more", "gzip", 400),
        (b"cpu value=1", "br", 415),
    ],
)
async def test_bodies_that_cannot_be_inflated(body: bytes, encoding: str, status: int) -> None:
    """They are refused, and none of it is stored."""
    async with pushing() as push:
        reply = await push.post("/write", data=body, headers={"Content-Encoding": encoding})

    assert (reply.status, push.readings) == (status, [])


@pytest.mark.slow  # the end of the plugin gives open requests a second
async def test_a_body_that_is_too_large_is_refused() -> None:
    """It may say beforehand how large it is, or not."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 10_000

    async with pushing(max_body=50_000) as push:
        announced = await push.post("/write", data=b"x" * 50_001)
        try:
            chunked = (await push.post("/write", data=endless())).status
        except aiohttp.ClientError:  # it is hung up on while it still sends
            chunked = 413

    assert (announced.status, chunked) == (413, 413)


@pytest.mark.slow  # the end of the plugin gives open requests a second
@pytest.mark.usefixtures("idle_time")  # a body that is not slow has to come in time
async def test_a_slow_body_is_given_up(push: Push) -> None:
    """It has the time that is allowed, and others are answered meanwhile."""
    async with pushing(read_within="100ms") as slow:
        reader, writer = await connected(slow)
        writer.write(b"POST /write HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\ncpu")

        assert (await slow.post("/write", data=LINE)).status == 204
        async with asyncio.timeout(WITHIN):
            assert b"408" in await reader.readline()
        writer.close()


@pytest.mark.parametrize(
    "rest", [b"Content-Length: 9\r\n\r\ncpu", b"Transfer-Encoding: chunked\r\n\r\nwhat?\r\ncpu\r\n"]
)
async def test_a_body_that_comes_to_no_end_is_no_bug(push: Push, rest: bytes) -> None:
    """The sender goes away in the middle of it, or writes it wrong."""
    reader, writer = await connected(push)
    writer.write(b"POST /write?p=k HTTP/1.1\r\nHost: 127.0.0.1\r\n" + rest)
    writer.write_eof()
    async with asyncio.timeout(WITHIN):
        await reader.read()
    writer.close()
    await push.post("/write", data=LINE, key="k")

    assert not any(line["log_level"] == "error" for line in push.ctx.logs)
    assert len(push.readings) == 1


@pytest.mark.slow  # the end of the plugin gives open requests a second
async def test_a_crowd_of_slow_bodies_keeps_no_other_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest of them is given up for the next one."""
    monkeypatch.setattr(bodies, "MOST_ON_THEIR_WAY", 3)
    async with pushing() as push:
        crowd = [await connected(push) for _ in range(5)]
        for _, writer in crowd:
            writer.write(b"POST /write HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\ncpu")
            await asyncio.sleep(0.01)  # so that their order is known
        answers = []
        async with asyncio.timeout(WITHIN):
            for reader, _ in crowd[:2]:
                answers.append(await reader.readline())
        good = await push.post("/write", data=LINE)
        for _, writer in crowd:
            writer.close()

    assert all(b"408" in answer for answer in answers)
    assert good.status == 204


async def test_small_bodies_overtake_a_large_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread reads the large one, and the event loop answers the others meanwhile."""
    loop, begun, may_end = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    find = Route.readings

    def held(route: Route, message: Message) -> Found:
        if threading.current_thread() is not threading.main_thread():
            loop.call_soon_threadsafe(begun.set)
            may_end.wait(WITHIN)
        return find(route, message)

    monkeypatch.setattr(Route, "readings", held)
    async with pushing() as push:
        body = json.dumps([[n, "a", n] for n in range(2000)])
        large = asyncio.create_task(push.post("/readings", data=body))
        async with asyncio.timeout(WITHIN):
            await begun.wait()
        small = await push.post("/write", data=LINE)
        overtaken = not large.done()
        may_end.set()

        assert (small.status, overtaken) == (204, True)
        assert json.loads((await large).text)["stored"] == 2000
