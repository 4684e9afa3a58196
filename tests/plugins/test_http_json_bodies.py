"""Pages that are asked for in what is sent, as APIs want it that are asked by POST."""

from typing import Any

import pytest
from aiohttp import web

from ingestd.plugins._answers import AnswerError
from ingestd.plugins.http_json import check
from tests.support.jsonsource import PLAIN, rows, served, values_of

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PAGES = [rows(3, 2), rows(1)]


async def asked_for(paging: dict[str, Any], **params: Any) -> tuple[list[Any], list[float]]:
    """Return the bodies that a source of two pages was sent, and the values that were read."""
    seen: list[Any] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        is_form = request.content_type == FORM["Content-Type"]
        seen.append(dict(await request.post()) if is_form else await request.json())
        page = PAGES[len(seen) - 1] if len(seen) <= len(PAGES) else []
        more = len(seen) < len(PAGES)
        cursor = {"more": more, "end": f"c{len(seen)}", "sort": [page[-1]["t"], "a"] if page else 0}
        return web.json_response({"data": page, "cursor": cursor})

    results = await served(handler, method="POST", paging=paging, **{**PLAIN, **params})
    return seen, values_of(results)


async def test_token_stands_in_the_body() -> None:
    """At the path that `param` says; what is around it stays, and what is missing is made."""
    paging = {"type": "token", "in": "body", "param": "variables.after"}
    path = "cursor.more && cursor.end"

    seen, values = await asked_for({**paging, "path": path}, body={"query": "q", "n": [1]})

    assert seen == [
        {"query": "q", "n": [1]},
        {"query": "q", "n": [1], "variables": {"after": "c1"}},
    ]
    assert values == [3, 2, 1]


async def test_token_of_several_values_is_sent_as_it_came() -> None:
    """Elasticsearch wants the list that it gave."""
    paging = {"type": "token", "in": "body", "param": "search_after"}
    path = "cursor.more && cursor.sort"

    seen, _ = await asked_for({**paging, "path": path}, body={"size": 2, "search_after": None})

    assert seen[1] == {"size": 2, "search_after": [rows(2)[0]["t"], "a"]}


async def test_page_and_offset_stand_in_the_body_as_numbers() -> None:
    """Those behind the first, too; and the window is written as ever."""
    page = {"type": "page", "in": "body", "param": "page.number", "size": 2}
    offset = {"type": "offset", "in": "body", "param": "from", "size": 2, "size_param": "size"}
    window = {"body": {"since": "{since:unix}"}, "lookback": "1h", "time_format": "unix"}

    pages, values = await asked_for(page, **window)
    offsets, same = await asked_for(offset, body={})

    assert [each["page"] for each in pages] == [{"number": 1}, {"number": 2}]
    assert [type(each["since"]) for each in pages] == [int, int]
    assert offsets == [{"size": 2, "from": 0}, {"size": 2, "from": 2}]
    assert values == same == [3, 2, 1]


async def test_page_stands_in_a_form() -> None:
    """Under its name, whatever letters it has."""
    paging = {"type": "page", "in": "body", "param": "p.n", "size": 2}

    seen, values = await asked_for(paging, headers=FORM, body={"meter": 17})

    assert seen == [{"meter": "17", "p.n": "1"}, {"meter": "17", "p.n": "2"}]
    assert values == [3, 2, 1]


async def test_source_that_gives_the_same_page_again_fails() -> None:
    """A path that leads nowhere in the source must not repeat the first page for ever."""

    async def handler(_: web.Request) -> web.StreamResponse:
        return web.json_response({"data": rows(3, 2), "cursor": "x"})

    paging = {"type": "token", "in": "body", "param": "nowhere", "path": "cursor"}
    with pytest.raises(AnswerError, match="expected other records than on the page before"):
        await served(handler, method="POST", body={}, paging=paging, **PLAIN)


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({}, "paging.in: expected a body of names and values, got none"),
        ({"body": "q=1"}, "paging.in: expected a body of names and values, got none"),
        (
            {"body": {"variables": "{}"}},
            "paging.param: expected an object around 'after' in body, got str",
        ),
        ({"body": [1]}, "paging.param: expected an object around 'variables' in body, got list"),
    ],
)
def test_body_without_a_place_for_it_is_told_by_check(params: dict[str, Any], problem: str) -> None:
    """Before anything is asked."""
    paging = {"type": "token", "in": "body", "param": "variables.after", "path": "next"}

    assert check(url="http://h/", paging=paging, **PLAIN, **params) == [problem]


def test_pages_are_asked_for_in_the_query_or_the_body() -> None:
    """Nowhere else."""
    paging = {"type": "page", "in": "header", "param": "page"}

    assert check(url="http://h/", paging=paging, **PLAIN) == [
        "paging.in: expected query or body, got 'header'"
    ]
