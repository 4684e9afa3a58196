"""What vendors answer, in the ways that real ones do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ingestd.plugins._answers import Answer, AnswerError, Pace, fetch, number_in

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def asked(handler: Handler, *, limit: int = 10_000) -> AsyncIterator[Answer]:
    """Ask a server that gives every request to a handler."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    async with TestServer(app) as server, aiohttp.ClientSession() as http:
        url = server.make_url("/x").with_query(key="hush")
        yield await fetch(http, "GET", url, where="GET x", limit=limit)


async def test_redirect_is_an_answer_and_not_followed() -> None:
    """It may lead to a login page, or to somebody who is not meant to see the key."""
    asked_for: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked_for.append(request.path)
        return web.Response(status=302, headers={"Location": "/login"})

    async with asked(handler) as answer:
        pass

    assert asked_for == ["/x"]
    assert (answer.status, answer.good) == (302, False)


async def test_error_says_what_came_instead() -> None:
    """The request, the status, and how the body begins; no key."""

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(text="<html>\n <h1>down", content_type="text/html", status=200)

    async with asked(handler) as answer:
        pass

    with pytest.raises(AnswerError, match="GET x: expected a list of data, got 200 OK: text/html"):
        answer.list_at("data")
    assert answer.object() == {}
    assert "<html> <h1>down" in str(answer.unexpected())
    assert "hush" not in str(answer.unexpected())


async def test_half_an_answer_is_none() -> None:
    """A connection that breaks in the body is an error that names the request."""

    async def handler(request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse(headers={"Content-Length": "100"})
        await reply.prepare(request)
        await reply.write(b'{"a": ')
        assert request.transport is not None
        request.transport.abort()
        return reply

    with pytest.raises(AnswerError, match="GET x: expected an answer, got Client"):
        async with asked(handler):
            pass


async def test_answer_larger_than_allowed_is_refused_while_it_comes() -> None:
    """An endless answer cannot fill the memory."""

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b" " * 50_000)

    with pytest.raises(AnswerError, match="expected at most 10000 bytes, got more"):
        async with asked(handler):
            pass


async def test_pace_lets_one_pass_at_a_time() -> None:
    """And the next one only after the pause."""
    pace, seen = Pace(0.01, "key"), []

    async def one(name: str) -> None:
        async with pace.turn():
            began = asyncio.get_running_loop().time()
            await asyncio.sleep(0)
            seen.append((name, began, asyncio.get_running_loop().time()))

    await asyncio.gather(one("a"), one("b"))

    (_, _, end), (_, began, _) = seen
    assert began - end >= 0.009


@pytest.mark.parametrize("value", [None, True, "5", float("nan"), float("inf"), []])
def test_what_is_no_number_is_none(value: object) -> None:
    """A position must never become one of these."""
    assert number_in({"a": value}, "a") is None
    assert number_in({}, "a") is None
    assert number_in({"a": 5}, "a") == 5
