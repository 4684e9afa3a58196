"""What vendors answer, in the ways that real ones do."""

import asyncio
import re
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ingestd.plugins._answers import Answer, AnswerError, Pace, fetch, number_in
from tests.support.ports import free_port

KEY = {"key": "hush"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def asked(
    handler: Handler, *, limit: int = 10_000, done: asyncio.Event | None = None, **session: Any
) -> AsyncIterator[Answer]:
    """Ask a server that gives every request to a handler; set ``done`` before it ends."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    async with TestServer(app) as server, aiohttp.ClientSession(**session) as http:
        url = server.make_url("/x").with_query(KEY)
        try:
            yield await fetch(http, "GET", url, where="GET x", limit=limit)
        finally:
            if done is not None:
                done.set()


async def test_redirect_is_an_answer_and_not_followed() -> None:
    """It may lead to a login page, or to a server that is not meant to see the key."""
    asked_for: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked_for.append(request.path)
        return web.Response(status=302, headers={"Location": "/login"})

    async with asked(handler) as answer:
        pass

    assert asked_for == ["/x"]
    assert (answer.status, answer.good) == (302, False)


async def test_error_says_where_a_redirect_leads() -> None:
    """A login page tells itself by its address, of which the query stays unsaid."""
    for location, shown in (
        ("/login?next=secret", r"got 302 Found to http://127.0.0.1:\d+/login: an empty body"),
        ("http://[", "got 302 Found to an address that is none: an empty body"),
    ):

        async def handler(
            _: web.Request, headers: Mapping[str, str] = {"Location": location}
        ) -> web.StreamResponse:
            return web.Response(status=302, headers=headers)

        async with asked(handler) as answer:
            pass

        assert re.search(shown, str(answer.unexpected()))


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
    assert KEY["key"] not in str(answer.unexpected())


async def test_half_an_answer_is_none() -> None:
    """A connection that breaks in the body is an error that names the request."""

    async def handler(request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse(headers={"Content-Length": "100"})
        await reply.prepare(request)
        await reply.write(b'{"a": ')
        assert request.transport is not None
        request.transport.abort()
        return reply

    with pytest.raises(AnswerError, match="GET x: the answer broke off: Client"):
        async with asked(handler):
            pass


async def test_answer_that_is_no_http_is_told_without_the_address() -> None:
    """Some errors of aiohttp hold the address with its query, where vendors want their keys."""

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, aiohttp.ClientSession() as http:
        with pytest.raises(AnswerError) as caught:
            await fetch(http, "GET", f"http://127.0.0.1:{port}/", params=KEY, where="GET x")

    assert "GET x: expected an answer, got none: ClientResponseError: 400" in str(caught.value)
    assert "SSH-2.0" in str(caught.value)
    assert KEY["key"] not in "".join(traceback.format_exception(caught.value))


async def test_server_that_is_not_there() -> None:
    """The error says that nothing listens, and where."""
    async with aiohttp.ClientSession() as http:
        with pytest.raises(AnswerError, match=r"GET x: expected an answer, got none: .* 127\.0"):
            await fetch(http, "GET", f"http://127.0.0.1:{free_port()}/", where="GET x")


async def test_answer_that_does_not_come_in_time() -> None:
    """Neither its head nor its body may take longer than the session allows."""
    done = asyncio.Event()

    async def no_head(_: web.Request) -> web.StreamResponse:
        await done.wait()
        return web.Response()

    async def no_body(request: web.Request) -> web.StreamResponse:
        reply = web.StreamResponse()
        await reply.prepare(request)
        await done.wait()
        return reply

    timeout = aiohttp.ClientTimeout(sock_read=0.05)
    for handler in (no_head, no_body):
        done.clear()
        with pytest.raises(AnswerError, match="GET x: expected an answer in time, got none"):
            async with asked(handler, timeout=timeout, done=done):
                pass


async def test_body_that_the_session_has_read_already_counts() -> None:
    """The daemon's session looks into the body of a refusal for how long to wait."""

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.json_response({"period_end": 5}, status=429)

    async def looks(
        request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        reply = await send(request)
        await reply.text()
        return reply

    async with asked(handler, middlewares=(looks,)) as answer:
        assert answer.object() == {"period_end": 5}


@pytest.mark.parametrize(
    ("data", "content_type", "found"),
    [
        ('{"a": "ö"}'.encode(), "application/json", {"a": "ö"}),
        ('{"a": "ö"}'.encode("utf-8-sig"), "application/json; charset=utf-8", {"a": "ö"}),
        ('{"a": "ö"}'.encode("latin-1"), "application/json; charset=latin-1", {"a": "ö"}),
        ('{"a": "ö"}'.encode(), "text/plain; charset=made-up", {"a": "ö"}),
        ('{"a": "ö"}'.encode("latin-1"), "application/json", None),
        (b'{"a": ', "application/json", None),
        (b"[" * 100_000, "application/json", None),
        (b"", "application/json", None),
    ],
)
async def test_body_is_decoded_as_its_server_says(
    data: bytes, content_type: str, found: object
) -> None:
    """Without a word it is UTF-8; what is no JSON is told by how it begins."""

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(body=data, headers={"Content-Type": content_type})

    async with asked(handler, limit=1_000_000) as answer:
        if found is None:
            with pytest.raises(AnswerError, match="GET x: expected JSON, got 200 OK: "):
                answer.json()
        else:
            assert answer.json() == answer.object() == found


async def test_name_with_a_broken_letter_costs_no_reading() -> None:
    """A vendor's object is read in spite of it, if that is what is asked for."""

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(body='{"name": "ö", "value": 1}'.encode("latin-1"))

    async with asked(handler) as answer:
        assert answer.object()["value"] == 1


async def test_answer_larger_than_allowed_is_refused_while_it_comes() -> None:
    """An endless answer cannot fill the memory."""

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b" " * 50_000)

    with pytest.raises(AnswerError, match="expected at most 10000 bytes, got more"):
        async with asked(handler):
            pass


async def test_pace_lets_one_pass_at_a_time() -> None:
    """The next one passes only after the pause, which begins when the one before is over."""
    clock = asyncio.get_running_loop().time
    pace, seen = Pace(0.01, "key"), []

    async def one() -> None:
        async with pace.turn():
            began = clock()
            await asyncio.sleep(0)
            seen.append((began, clock()))

    await asyncio.gather(one(), one())

    (_, end), (began, _) = seen
    assert began >= end + 0.01


@pytest.mark.parametrize("value", [None, True, "5", float("nan"), float("inf"), []])
def test_what_is_no_number_is_none(value: object) -> None:
    """A position must never become one of these."""
    assert number_in({"a": value}, "a") is None
    assert number_in({}, "a") is None
    assert number_in({"a": 5}, "a") == 5


async def test_byte_order_mark_says_how_an_answer_is_encoded() -> None:
    """Servers on Windows write it before JSON, and some state another encoding."""

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(
            body='\ufeff\ufeff{"°": 5}'.encode(),
            content_type="application/json",
            charset="iso-8859-1",
        )

    async with asked(handler) as answer:
        assert answer.json() == {"°": 5}
        assert answer.object() == {"°": 5}
