"""The http_json plugin against a server with the awkward habits of real ones."""

from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ingestd.plugins._answers import AnswerError
from ingestd.plugins.http_json import run
from ingestd.plugins.http_json.shape import compile_template
from ingestd.testing import collect, context, results
from tests.support.ports import free_port

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
NOON = NOW.timestamp()
PLAIN: dict[str, Any] = {"records": "data", "time": "t", "series": "{id}", "value": "v"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """Run a server that gives every request to a handler; give its address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    async with TestServer(app) as server:
        yield str(server.make_url("/api"))


async def answers(reply: Any, **params: Any) -> list[dict[str, Any]]:
    """Return the plugin's results where every request gets the same answer."""

    async def handler(_: web.Request) -> web.StreamResponse:
        return reply if isinstance(reply, web.Response) else web.json_response(reply)

    return await served(handler, **params)


async def served(handler: Handler, **params: Any) -> list[dict[str, Any]]:
    """Return the plugin's results from a server, at noon."""
    async with serving(handler) as url, context(now=NOW) as ctx:
        return await collect(run, ctx=ctx, url=url, **params)


def rows(*ages: float) -> list[dict[str, Any]]:
    """Return records that are so many seconds old at noon."""
    return [{"id": "a", "t": NOON - age, "v": age} for age in ages]


def values_of(found: list[dict[str, Any]]) -> list[float]:
    """Return the values of all results."""
    return [value for result in found for _, _, value, *_ in result["readings"]]


async def test_records_become_readings() -> None:
    """Time, series, value and tags are found where the options say."""
    document = {
        "meta": {"count": 1},
        "data": [{"at": "2026-07-01T10:00:00Z", "site": {"name": "roof"}, "kind": "pv", "w": 5.5}],
    }

    (result,) = await answers(
        document,
        records="data",
        time="at",
        series="{site.name}_{kind}_watts",
        value="w",
        tags={"site": "{site.name}", "floor": "{floor}", "source": "api"},
    )

    assert result == {
        "readings": [
            (
                datetime(2026, 7, 1, 10, tzinfo=UTC),
                "roof_pv_watts",
                5.5,
                {"site": "roof", "source": "api"},
            )
        ]
    }


async def test_one_record_can_make_several_readings() -> None:
    """An object is one record; without `time` its readings are of now."""
    document = {"main": {"temp": 21.5, "humidity": 40}, "name": "lab"}

    (result,) = await answers(
        document, values={"{name}_celsius": "main.temp", "{name}_percent": "main.humidity"}
    )

    assert result == {"readings": [(None, "lab_celsius", 21.5), (None, "lab_percent", 40)]}


async def test_jmespath_selects_and_computes() -> None:
    """Filters and functions of JMESPath work wherever a path does."""
    document = {"d": [{"k": "a", "v": ["3", "4"]}, {"k": "b", "v": ["5"]}]}

    found = await answers(document, records="d[?k=='a']", series="{k}", value="max(v)")

    assert found == [{"readings": [(None, "a", "4")]}]


async def test_bad_record_does_not_hurt_its_siblings() -> None:
    """What is unusable is passed on as it is, for the daemon to count by reason."""
    good = {"id": "a", "t": 1, "v": 1.5}
    bad = [{**good, "v": None}, {**good, "t": "soon"}, {**good, "id": None}, "nonsense"]

    (result,) = await answers({"data": [good, *bad]}, **PLAIN)

    assert result["readings"][0] == (1, "a", 1.5)
    assert result["readings"][1:4] == [(1, "a", None), ("soon", "a", 1.5), (1, "", 1.5)]
    time, series, value = result["readings"][4]
    assert time != time  # noqa: PLR0124 -- not a number, so that it cannot mean "now"
    assert (series, value) == ("", None)
    assert "script_error" not in result


async def test_value_missing_everywhere_marks_the_run() -> None:
    """A path that fits no record says so, with what is there instead."""
    (result,) = await answers({"data": [{"id": "a", "t": 1, "val": 3}]}, **PLAIN)

    assert "value: missing in all of 1 records" in result["script_error"]
    assert "id, t, val" in result["script_error"]


async def test_records_missing_is_an_error_that_names_what_is_there() -> None:
    """A document of another shape fails the run."""
    with pytest.raises(AnswerError, match=r"records: expected a list .* nothing; .* rows, total"):
        await answers({"rows": [], "total": 0}, **PLAIN)


async def test_no_records_is_a_quiet_success() -> None:
    """A source may have nothing to say."""
    assert await answers({"data": []}, **PLAIN) == [{"readings": []}]


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (
            web.Response(status=404, text="no such meter"),
            "expected 200, got 404 Not Found: text/plain: 'no",
        ),
        (
            web.Response(status=302, headers={"Location": "/login?next=secret"}),
            r"got 302 Found to http://127.0.0.1:\d+/login: ",
        ),
        (
            web.Response(text="<html>\n<h1>Please log in", content_type="text/html"),
            "expected JSON, got 200 OK: text/html: '<html> <h1>Please log in'",
        ),
        (web.Response(text='{"data": [', content_type="application/json"), "expected JSON, got"),
        (web.Response(text="[" * 100_000), "expected JSON, got"),
        (web.Response(body=b"\xff\xfe", content_type="application/json"), "expected JSON, got"),
    ],
)
async def test_answer_that_is_no_json_says_what_it_is(reply: web.Response, message: str) -> None:
    """The error names the request and shows the beginning of the answer, but no secret."""
    with pytest.raises(AnswerError, match=message) as caught:
        await answers(reply, query={"api_key": "hush"}, **PLAIN)

    assert "hush" not in str(caught.value)
    assert "secret" not in str(caught.value)


async def test_server_that_is_not_there_is_named() -> None:
    """The error says what was asked for, and shows no secret of the query."""
    url = f"http://127.0.0.1:{free_port()}/api"
    async with context() as ctx:
        with pytest.raises(AnswerError) as caught:
            await collect(run, ctx=ctx, url=url, query={"api_key": "hush"}, **PLAIN)

    assert str(caught.value).startswith(f"GET {url}: expected an answer, got none: Client")
    assert "hush" not in str(caught.value)


async def test_json_may_come_as_plain_text_with_a_byte_order_mark() -> None:
    """What counts is what is in it."""
    text = web.Response(body=b'\xef\xbb\xbf{"data": [{"id": "a", "t": 1, "v": NaN}]}')

    (result,) = await answers(text, **PLAIN)

    assert result["readings"][0][:2] == (1, "a")


async def test_answer_larger_than_allowed_is_refused_while_it_comes() -> None:
    """An endless answer cannot fill the memory."""
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        reply = web.StreamResponse()
        await reply.prepare(request)
        while sent < 50_000_000:
            await reply.write(b" " * 50_000)
            sent += 50_000
        return reply

    with pytest.raises(AnswerError, match=r"expected at most 100000 bytes \(max_bytes\), got more"):
        await served(endless, max_bytes=100_000, **PLAIN)

    assert sent < 50_000_000


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        ({"username": "me", "password": "pä"}, "Basic " + b64encode("me:pä".encode()).decode()),
        ({"token": "t0"}, "Bearer t0"),
        (None, None),
    ],
)
async def test_request_carries_what_was_asked(auth: Any, header: str | None) -> None:
    """Method, headers, query, body and authorization reach the server."""
    seen: list[Any] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.extend([request.method, dict(request.query), await request.json(), request.headers])
        return web.json_response([])

    await served(
        handler,
        method="post",
        headers={"X-Site": 7},
        query={"all": True, "n": 5},
        body={"from": "x"},
        auth=auth,
        series="a",
        value="v",
    )

    method, query, body, headers = seen
    assert (method, query, body) == ("POST", {"all": "true", "n": "5"}, {"from": "x"})
    assert headers["X-Site"] == "7"
    assert headers["Content-Type"] == "application/json"
    assert headers.get("Authorization") == header


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"series": "a"}, "value, values: expected one of them"),
        ({"value": "v"}, "series: expected beside `value`"),
        ({"series": "a", "value": "v["}, "value of 'a': expected JMESPath, got 'v\\['"),
        (
            {"series": "a", "value": "v", "paging": {"type": "pages"}},
            "paging: expected a `type`",
        ),
        ({"series": "a", "value": "v", "paging": {"type": "next"}}, "paging: expected path beside"),
        ({"series": "a", "value": "v", "auth": {"token": "x", "username": "y"}}, "auth: expected"),
        ({"series": "a", "value": "v", "since_param": "from"}, "since_param: expected `time`"),
        ({"series": "a", "value": "v", "max_pages": 0}, "max_pages: expected a whole number"),
        ({"series": "a", "value": "v", "overlap": "5"}, "overlap: expected a duration"),
    ],
)
async def test_wrong_option_says_what_is_right(params: dict[str, Any], message: str) -> None:
    """Options are checked before anything is asked."""
    with pytest.raises(ValueError, match=message):
        await collect(run, url="http://127.0.0.1:9/", **params)


async def test_url_must_be_http() -> None:
    """An address of another kind is refused, without showing what is secret in it."""
    with pytest.raises(ValueError, match=r"url: expected http://… or https://…, got 'ftp://h/x'"):
        await collect(run, url="ftp://me:secret@h/x?key=secret", series="a", value="v")


# --- paging: five ways to tell it, each over the same seven records

SEVEN = rows(*range(7))


async def paged(request: web.Request) -> web.StreamResponse:
    """Serve the seven records three at a time, in the way the path says."""
    kind = request.path.rsplit("/", 1)[-1]
    query = request.query
    if kind == "page":
        first = 3 * (int(query["page"]) - 1)
    else:
        first = int(query.get("offset", query.get("token", 0)))
    data = SEVEN[first : first + 3]
    more = first + 3 < len(SEVEN)
    body: dict[str, Any] = {"data": data}
    headers = {}
    if kind == "next":
        body["next"] = f"?offset={first + 3}" if more else None
    if kind == "link" and more:
        headers["Link"] = f'<{request.path}?offset={first + 3}>; rel="next", </x>; rel="first"'
    if kind == "token":
        body["token"] = first + 3 if more else ""
    return web.json_response(body, headers=headers)


@pytest.mark.parametrize(
    ("kind", "paging"),
    [
        ("next", {"type": "next", "path": "next"}),
        ("link", {"type": "link_header"}),
        ("page", {"type": "page", "param": "page"}),
        ("page", {"type": "page", "param": "page", "size": 3}),
        ("offset", {"type": "offset", "param": "offset"}),
        ("offset", {"type": "offset", "param": "offset", "size": 3, "size_param": "limit"}),
        ("token", {"type": "token", "path": "token", "param": "token"}),
    ],
)
async def test_every_kind_of_paging_reads_everything_once(
    kind: str, paging: dict[str, Any]
) -> None:
    """All records come, in order, with a result for each page."""
    async with serving(paged) as url:
        found = await collect(run, url=f"{url}/{kind}", paging=paging, **PLAIN)

    assert values_of(found) == list(range(7))
    assert len(found) >= 3


async def test_next_page_elsewhere_is_refused() -> None:
    """A link to another server would be given this one's password."""
    document = {"data": SEVEN, "next": "http://localhost:1/steal"}

    with pytest.raises(AnswerError, match="expected the next page at http://127"):
        await answers(document, paging={"type": "next", "path": "next"}, **PLAIN)


async def test_source_that_ignores_the_page_is_found_out() -> None:
    """The same page over and over would look like a hundred pages."""
    with pytest.raises(AnswerError, match="page 2: expected other records than"):
        await answers({"data": SEVEN}, paging={"type": "page", "param": "p"}, **PLAIN)


async def test_max_pages_marks_the_run() -> None:
    """Stopping early is not a silent success."""
    async with serving(paged) as url:
        found = await collect(
            run, url=f"{url}/page", paging={"type": "page", "param": "page"}, max_pages=2, **PLAIN
        )

    assert values_of(found) == list(range(6))
    assert "stopped after 2 pages" in found[-1]["script_error"]


# --- the cursor


async def newest_first(request: web.Request) -> web.StreamResponse:
    """Serve the seven records, newest first, three at a time."""
    return await paged(request)


async def oldest_first(request: web.Request) -> web.StreamResponse:
    """Serve the seven records, oldest first, three at a time."""
    first = 3 * (int(request.query["page"]) - 1)
    return web.json_response({"data": SEVEN[::-1][first : first + 3]})


CURSOR: dict[str, Any] = {
    **PLAIN,
    "since_param": "since",
    "paging": {"type": "page", "param": "page", "size": 3},
}


async def test_cursor_moves_only_with_the_last_page() -> None:
    """Pages may come newest first, so until the last one there may be older readings to come."""
    async with serving(newest_first) as url, context(now=NOW) as ctx:
        found = await collect(run, ctx=ctx, url=f"{url}/page", **CURSOR)

    assert ["newest" in result for result in found] == [False, False, True]
    assert found[-1]["newest"] == NOON


async def test_cursor_stays_when_a_later_page_fails() -> None:
    """What the failed page holds is asked for again by the next run."""

    async def breaks(request: web.Request) -> web.StreamResponse:
        return await paged(request) if request.query["page"] == "1" else web.Response(status=500)

    async with serving(breaks) as url, context(now=NOW) as ctx:
        found = results(run, ctx=ctx, url=f"{url}/page", **CURSOR)
        first = await anext(found)
        with pytest.raises(AnswerError):
            await anext(found)

    assert values_of([first]) == [0, 1, 2]
    assert "newest" not in first


async def test_cursor_moves_with_every_page_when_they_come_oldest_first() -> None:
    """Each page is a checkpoint once the operator has promised the order."""
    found = await served(oldest_first, order="oldest_first", **CURSOR)

    assert [result["newest"] for result in found] == [NOON - 4, NOON - 1, NOON]


async def test_broken_promise_of_order_fails_the_run() -> None:
    """A cursor that had moved would skip the older records."""
    async with serving(newest_first) as url, context(now=NOW) as ctx:
        with pytest.raises(AnswerError, match="page 2: expected nothing older"):
            await collect(run, ctx=ctx, url=f"{url}/page", order="oldest_first", **CURSOR)


async def test_max_pages_keeps_a_cursor_that_cannot_move() -> None:
    """The next run must begin where this one did."""
    async with serving(newest_first) as url, context(now=NOW) as ctx:
        found = await collect(run, ctx=ctx, url=f"{url}/page", max_pages=2, **CURSOR)

    assert not any("newest" in result for result in found)
    assert "max_pages" in found[-1]["script_error"]


async def test_max_pages_is_fine_where_the_cursor_moves() -> None:
    """The next run goes on where this one stopped."""
    found = await served(oldest_first, order="oldest_first", max_pages=2, **CURSOR)

    assert found[-1]["newest"] == NOON - 1
    assert "script_error" not in found[-1]


@pytest.mark.parametrize(
    ("params", "since"),
    [
        ({}, None),
        ({"lookback": "2h"}, "2026-07-01T10:00:00Z"),
        ({"lookback": "2h", "newest": NOON - 60}, "2026-07-01T11:59:00Z"),
        ({"newest": NOON - 60, "overlap": "1m"}, "2026-07-01T11:58:00Z"),
        ({"newest": NOON - 60.5, "since_format": "unix"}, str(int(NOON - 61))),
        ({"newest": NOON - 60.5, "since_format": "unix_ms"}, str(int(NOON * 1000 - 60_500))),
        ({"newest": NOON - 60, "since_format": "%d.%m.%Y %H:%M"}, "01.07.2026 11:59"),
        ({"newest": NOON, "start": datetime(2020, 1, 1, tzinfo=UTC)}, "2020-01-01T00:00:00Z"),
    ],
)
async def test_source_is_asked_for_what_is_new(params: dict[str, Any], since: str | None) -> None:
    """The cursor, or where to begin, stands in the query as the source wants it."""
    seen = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append(request.query.get("since"))
        return web.json_response({"data": []})

    await served(handler, since_param="since", **PLAIN, **params)

    assert seen == [since]


async def test_backfill_leaves_the_cursor_alone() -> None:
    """Old readings that are fetched again say nothing about what is new."""
    seen = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append((request.query["since"], request.query["until"]))
        return web.json_response({"data": SEVEN})

    (result,) = await served(
        handler,
        since_param="since",
        until_param="until",
        start=datetime(2020, 1, 1, tzinfo=UTC),
        end=datetime(2020, 2, 1, tzinfo=UTC),
        **PLAIN,
    )

    assert seen == [("2020-01-01T00:00:00Z", "2020-02-01T00:00:00Z")]
    assert "newest" not in result


async def test_backfill_needs_a_way_to_ask() -> None:
    """Without `since_param` the same readings of today would come for every window."""
    with pytest.raises(ValueError, match="since_param: expected for a backfill"):
        await answers({"data": []}, start=datetime(2020, 1, 1, tzinfo=UTC), **PLAIN)


async def test_reading_from_the_future_does_not_carry_the_cursor_away() -> None:
    """One wrong clock must not hide everything until the year it shows."""
    document = {"data": rows(60, -86_400 * 365)}

    (result,) = await answers(document, since_param="since", **PLAIN)

    assert result["newest"] == NOON


async def test_cursor_never_goes_back() -> None:
    """A source that answers with old readings only leaves it where it was."""
    (result,) = await answers({"data": rows(60)}, since_param="s", newest=NOON - 5, **PLAIN)

    assert result["newest"] == NOON - 5


async def test_cursor_over_times_without_a_zone_needs_one() -> None:
    """Local times cannot be compared with the clock."""
    document = {"data": [{"id": "a", "t": "2026-07-01T10:00:00", "v": 1}]}

    with pytest.raises(ValueError, match="timezone: expected, because"):
        await answers(document, since_param="since", **PLAIN)

    (result,) = await answers(document, since_param="s", timezone="America/Anchorage", **PLAIN)
    assert result["newest"] == NOON  # 18:00 UTC lies ahead


# --- the small parts


def test_template_with_a_missing_part_is_empty() -> None:
    """Half a name would be another series."""
    fill = compile_template("{site.name}_{kind}", where="series")

    assert fill({"site": {"name": "roof"}, "kind": 3}) == "roof_3"
    assert fill({"site": {}, "kind": 3}) == ""
    assert fill({"site": {"name": ["a", "b"]}, "kind": 3}) == ""
