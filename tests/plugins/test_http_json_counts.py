"""Pages whose end is told in other ways than by an empty one, and answers that there is nothing."""

from typing import Any

import pytest
from aiohttp import web

from ingestd.plugins._answers import AnswerError
from ingestd.plugins.http_json import check
from tests.support.jsonsource import NOON, PLAIN, answers, rows, served, values_of

TWENTY = rows(*range(20))
COUNTED = {"type": "page", "param": "page"}
SKIPPED = {"type": "offset", "param": "at"}
TOKENS = {"type": "token", "param": "after"}
GOING_ON = {**PLAIN, "since_param": "from"}


def strict(**told: Any) -> Any:
    """Return a source of two pages that refuses to be asked for more, and tells of its end."""

    async def handler(request: web.Request) -> web.StreamResponse:
        first = int(request.query.get("at", 10 * (int(request.query.get("page", 1)) - 1)))
        if first >= len(TWENTY):
            return web.json_response({"code": "invalid_page_number"}, status=400)
        page = {name: tell(first) for name, tell in told.items()}
        return web.json_response({"data": TWENTY[first : first + 10], **page})

    return handler


@pytest.mark.parametrize(
    ("end", "told"),
    [
        ({"more": "has_more"}, {"has_more": lambda first: first < 10}),
        ({"more": "has_more"}, {"has_more": lambda first: "True" if first < 10 else "False"}),
        ({"more": "page < pages"}, {"page": lambda f: f // 10, "pages": lambda _: 1}),
        ({"total": "total"}, {"total": lambda _: 20}),
        ({"total": "total"}, {"total": lambda _: "20"}),
        ({"total": "total", "size": 100}, {"total": lambda _: 20}),  # it gives less at once
    ],
)
@pytest.mark.parametrize("paging", [COUNTED, SKIPPED])
async def test_source_tells_of_its_last_page(
    paging: dict[str, Any], end: dict[str, Any], told: dict[str, Any]
) -> None:
    """So that it is not asked for one more, which it refuses."""
    found = await served(strict(**told), paging={**paging, **end}, **GOING_ON)

    assert values_of(found) == list(range(20))
    assert found[-1]["newest"] == NOON


async def test_number_of_all_records_is_a_number() -> None:
    """Whatever else stands there is told."""
    handler = strict(total=lambda _: "many")

    with pytest.raises(AnswerError, match=r"paging.total: expected a number there, got 'many'"):
        await served(handler, paging={**COUNTED, "total": "total"}, **PLAIN)


@pytest.mark.parametrize("pages", [2, 3])
async def test_last_page_that_comes_again_is_the_end(pages: int) -> None:
    """Some sources give it for every higher number."""

    async def handler(request: web.Request) -> web.StreamResponse:
        page = min(int(request.query["page"]), pages)
        return web.json_response({"data": TWENTY[10 * page - 10 : 10 * page] or TWENTY[:3]})

    found = await served(handler, paging=COUNTED, **GOING_ON)

    assert values_of(found)[:20] == list(range(20))
    assert found[-1]["newest"] == NOON


async def test_token_stands_in_a_header() -> None:
    """As Azure and GitLab have it."""

    async def handler(request: web.Request) -> web.StreamResponse:
        at = int(request.query.get("after", 0))
        following = {"X-Next-Page": str(at + 10)} if at < 10 else {"X-Next-Page": ""}
        return web.json_response({"data": TWENTY[at : at + 10]}, headers=following)

    found = await served(handler, paging={**TOKENS, "header": "x-next-page"}, **PLAIN)

    assert values_of(found) == list(range(20))


def linked(link: str, **headers: str) -> Any:
    """Return a source of two pages that wants its key in the query of each."""

    async def handler(request: web.Request) -> web.StreamResponse:
        if request.query.get("key") != "K":
            return web.Response(status=401)
        second = request.query.get("page") == "2"
        told = {name: text.format(url=request.url.origin()) for name, text in headers.items()}
        page = {"data": TWENTY[10:] if second else TWENTY[:10], "next": False if second else link}
        return web.json_response(page, headers={} if second else told)

    return handler


@pytest.mark.parametrize("link", ["?page=2", "?page=2&key=K"])
@pytest.mark.parametrize("keep", ["key", ["key", "other"]])
async def test_key_stays_in_the_query_of_linked_pages(link: str, keep: Any) -> None:
    """Where the links of a source leave it out. False says that there is no further page."""
    paging = {"type": "next", "path": "next", "keep": keep}

    found = await served(linked(link), paging=paging, query={"key": "K"}, **PLAIN)

    assert values_of(found) == list(range(20))


@pytest.mark.parametrize("link", ["http://10.0.0.5:8080/a?page=2&x=a%2Fb", "https://inner/?page=2"])
async def test_link_to_the_inside_of_a_proxy_is_asked_for_outside(link: str) -> None:
    """Where the operator says so; what it would be asked with goes nowhere else."""
    paging = {"type": "next", "path": "next", "keep": "key", "same_server": True}

    found = await served(linked(link), paging=paging, query={"key": "K"}, **PLAIN)

    assert values_of(found) == list(range(20))
    with pytest.raises(AnswerError, match="or `same_server: true` to ask there for it"):
        await served(
            linked(link), paging={**paging, "same_server": False}, query={"key": "K"}, **PLAIN
        )


@pytest.mark.parametrize("rel", ['"next"', "next", '"Next"', '"next last"', '"last NEXT"'])
async def test_link_of_several_relations_is_followed(rel: str) -> None:
    """RFC 8288 has them between blanks, in any case."""
    handler = linked("", Link=f"<{{url}}/?page=2>; rel={rel}")

    paging = {"type": "link_header", "keep": "key"}
    found = await served(handler, paging=paging, query={"key": "K"}, **PLAIN)

    assert values_of(found) == list(range(20))


@pytest.mark.parametrize("format_", ["auto", "csv"])
@pytest.mark.parametrize("paging", [None, COUNTED])
@pytest.mark.parametrize("no_data", [404, [410, 404]])
async def test_status_may_say_that_there_is_nothing(
    no_data: Any, paging: dict[str, Any] | None, format_: str
) -> None:
    """As of the file for a day that has just begun; the position stays."""
    params = {**PLAIN, "since_param": "from", "no_data": no_data, "paging": paging}
    if format_ == "csv":
        params = {**params, "format": "csv", "records": None}

    found = await answers(web.Response(status=404, text="<html>"), newest=NOON - 60, **params)

    assert values_of(found) == []
    assert not any("script_error" in each for each in found)
    assert [each["newest"] for each in found if "newest" in each] == [NOON - 60]


async def test_page_beyond_the_last_may_have_any_status() -> None:
    """WordPress answers 400."""
    found = await served(strict(), paging={**COUNTED, "size": 10}, no_data=400, **GOING_ON)

    assert values_of(found) == list(range(20))
    assert found[-1]["newest"] == NOON


async def test_days_without_a_file_are_asked_for_again() -> None:
    """The others move the position, and the last of them may have no file yet."""
    asked: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(request.query["day"])
        there = request.query["day"] == "2026-06-30"
        return web.json_response({"data": rows(86_400)}) if there else web.Response(status=404)

    days = {"query": {"day": "{since:%Y-%m-%d}"}, "span": "1d", "lookback": "2d"}
    found = await served(handler, no_data=404, **days, **PLAIN)

    assert asked == ["2026-06-29", "2026-06-30", "2026-07-01"]
    assert [each["newest"] for each in found if "newest" in each][-1] == NOON - 86_400


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"paging": {**COUNTED, "more": "a", "total": "b"}}, "paging: expected `more` or `total`"),
        ({"paging": {**COUNTED, "more": "a["}}, "paging.more: "),
        ({"paging": {**SKIPPED, "total": "a["}}, "paging.total: "),
        ({"paging": TOKENS}, "paging: expected `path` or `header`"),
        ({"paging": {**TOKENS, "path": "a", "header": "b"}}, "paging: expected `path` or `header`"),
        ({"paging": {**TOKENS, "header": 5}}, "paging.header: expected the name of a header"),
        ({"paging": {"type": "link_header", "keep": 5}}, "paging.keep: expected a name in the"),
        (
            {"paging": {"type": "link_header", "same_server": "yes"}},
            "paging.same_server: expected true or false",
        ),
        ({"no_data": "404"}, "no_data: expected a status such as 404"),
        ({"no_data": [404, 429]}, "no_data: expected a status such as 404"),
        ({"no_data": 200}, "no_data: expected a status such as 404"),
    ],
)
def test_wrong_ends_are_told_by_check(params: dict[str, Any], problem: str) -> None:
    """Before anything is asked."""
    (told,) = check(url="http://h/", **PLAIN, **params)

    assert told.startswith(problem)
