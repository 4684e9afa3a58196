"""Where the pages of a source end, and which further pages the http_json plugin asks for."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import trustme
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from ingestd.context.context import Shared
from ingestd.plugins._answers import AnswerError
from ingestd.plugins.http_json import run
from ingestd.plugins.http_json.links import linked
from ingestd.plugins.http_json.pages import Page, Request
from ingestd.testing import TestContext, collect
from tests.support.jsonsource import NOON, NOW, PLAIN, answers, rows, served, values_of

TWENTY = rows(*range(20))
PAGES = {"type": "page", "param": "page", "size": 10}
TOKENS = {"type": "token", "path": "token", "param": "token"}


@pytest.mark.parametrize(
    "end",
    [
        {"status": 404, "text": '{"detail": "Invalid page."}'},  # Django REST framework
        {"status": 416, "text": "Requested Range Not Satisfiable"},
        {"status": 204},
        {"status": 200, "text": '{"data": []}'},
    ],
)
@pytest.mark.parametrize(
    ("paging", "first"),
    [
        (PAGES, lambda query: 10 * (int(query["page"]) - 1)),
        ({**PAGES, "type": "offset", "param": "at"}, lambda query: int(query["at"])),
    ],
)
async def test_pages_that_are_counted_end_where_the_source_has_none(
    end: dict[str, Any], paging: dict[str, Any], first: Any
) -> None:
    """The last page is full, so that only asking for one more tells that it was the last."""

    async def handler(request: web.Request) -> web.StreamResponse:
        data = TWENTY[first(request.query) :][:10]
        return web.json_response({"data": data}) if data else web.Response(**end)

    found = await served(handler, paging=paging, since_param="since", **PLAIN)

    assert values_of(found) == list(range(20))
    assert found[-1]["newest"] == NOON


async def test_first_page_that_is_not_found_is_an_error() -> None:
    """The address is wrong, or the meter is gone."""
    with pytest.raises(AnswerError, match="expected 200, got 404 Not Found"):
        await answers(web.Response(status=404), paging=PAGES, **PLAIN)


async def test_linked_page_that_is_not_found_is_an_error() -> None:
    """The source itself says that there is one more, so something is lost."""

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.query:
            return web.Response(status=404)
        return web.json_response({"data": rows(1), "token": "more"})

    with pytest.raises(AnswerError, match="expected 200, got 404 Not Found"):
        await served(handler, paging=TOKENS, **PLAIN)


def token_pages(*pages: tuple[list[dict[str, Any]], Any]) -> Any:
    """Return a handler that gives pages with tokens one after the other, and what it was asked."""
    asked: list[str | None] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(request.query.get("token"))
        data, token = pages[min(len(asked), len(pages)) - 1]
        return web.json_response({"data": data, "token": token})

    return handler, asked


async def test_empty_page_ends_tokens() -> None:
    """Some sources give a token with their last page, too."""
    handler, asked = token_pages((rows(2), "a"), (rows(1), "b"), ([], "c"))

    found = await served(handler, paging=TOKENS, since_param="since", **PLAIN)

    assert values_of(found) == [2, 1]
    assert asked == [None, "a", "b"]
    assert found[-1]["newest"] == NOON - 1
    assert not any("script_error" in result for result in found)


async def test_last_page_that_names_itself_ends_tokens() -> None:
    """The token of the last page leads there again: the same request has the same answer."""
    handler, asked = token_pages((rows(2), "a"), (rows(1), "a"))

    found = await served(handler, paging=TOKENS, since_param="since", **PLAIN)

    assert values_of(found) == [2, 1]
    assert asked == [None, "a", "a"]
    assert found[-1]["newest"] == NOON - 1


async def test_token_that_stays_leads_on_while_there_are_other_records() -> None:
    """The token of some sources names the search, and each answer goes on where it stopped."""
    handler, asked = token_pages((rows(4), "a"), (rows(3), "a"), (rows(2), "a"), ([], "a"))

    found = await served(handler, paging=TOKENS, **PLAIN)

    assert values_of(found) == [4, 3, 2]
    assert asked == [None, "a", "a", "a"]


async def test_source_that_ignores_tokens_is_found_out() -> None:
    """The first page came again under another request."""
    handler, _ = token_pages((rows(2), "a"))

    with pytest.raises(AnswerError, match="page 2: expected other records than on the page before"):
        await served(handler, paging=TOKENS, **PLAIN)


async def test_tokens_that_lead_in_a_circle_are_found_out() -> None:
    """It would be walked until `max_pages`, in every run anew."""
    handler, asked = token_pages((rows(3), "a"), (rows(2), "b"), (rows(1), "a"))

    with pytest.raises(AnswerError, match="page 3: expected a further page, got one that was read"):
        await served(handler, paging=TOKENS, **PLAIN)

    assert asked == [None, "a", "b"]


@asynccontextmanager
async def over_https(handler: Any) -> AsyncIterator[tuple[str, TestContext]]:
    """Run a server with a certificate that only the given context trusts; give its address."""
    authority = trustme.CA()
    here = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(here)
    there = ssl.create_default_context()
    authority.configure_trust(there)
    app = web.Application()
    app.router.add_get("/api", handler)
    server = TestServer(app, scheme="https")
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=there)) as http:
        await server.start_server(ssl=here)
        try:
            ctx = TestContext(http, time=NOW, collector="test", shared=Shared())
            yield str(server.make_url("/api")), ctx
        finally:
            await server.close()


async def test_next_page_that_is_told_without_https_is_asked_with_it() -> None:
    """A server behind a proxy does not know that it is asked over https."""

    async def handler(request: web.Request) -> web.StreamResponse:
        more = f"http://{request.host}/api?page=2"
        page = {"data": rows(1)} if request.query else {"data": rows(2), "next": more}
        return web.json_response(page)

    async with over_https(handler) as (url, ctx):
        paging = {"type": "next", "path": "next"}
        found = await collect(run, ctx=ctx, url=url, paging=paging, **PLAIN)

    assert values_of(found) == [2, 1]


@pytest.mark.parametrize(
    ("asked", "told", "followed"),
    [
        ("https://h/a", "http://h/b", "https://h/b"),
        ("https://h/a", "http://h:80/b", "https://h/b"),
        ("https://h:8443/a", "http://h:8443/b", "https://h:8443/b"),
        ("https://h:8443/a", "http://h/b", None),
        ("https://h/a", "http://h:8080/b", None),
        ("https://h/a", "http://other/b", None),
        ("http://h/a", "https://h/b", None),
        ("https://h/a", "ftp://h/b", None),
    ],
)
def test_next_page_is_asked_as_the_page_before(asked: str, told: str, followed: str | None) -> None:
    """Never less safely, and never elsewhere."""
    page = Page(Request(URL(asked), {}), 1, None, [])
    if followed is None:
        with pytest.raises(ValueError, match="expected the next page at"):
            linked(page, URL(told))
    else:
        assert linked(page, URL(told)).url == URL(followed)


async def test_lists_stand_several_times_in_the_query_and_null_not_at_all() -> None:
    """So do sources want to be asked for several channels."""
    seen = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append(request.query_string)
        return web.json_response({"data": []})

    query = {"Channel": ["A", "B"], "x": None, "all": True, "n": [1, None, 2.5], "none": []}
    await served(handler, query=query, **PLAIN)

    assert seen == ["Channel=A&Channel=B&all=true&n=1&n=2.5"]


async def test_list_stays_in_the_query_of_further_pages() -> None:
    """Only what counts the pages changes."""
    seen = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append(request.query_string)
        return web.json_response({"data": rows(len(seen)) if len(seen) < 3 else []})

    await served(handler, query={"c": ["A", "B"]}, paging={"type": "page", "param": "p"}, **PLAIN)

    assert seen == ["c=A&c=B&p=1", "c=A&c=B&p=2", "c=A&c=B&p=3"]


async def test_mapping_can_stand_in_no_query() -> None:
    """What it should mean there is not known."""
    with pytest.raises(ValueError, match=r"query\.a: expected a text, a number, .* got dict"):
        await answers({"data": []}, query={"a": {"b": 1}}, **PLAIN)
