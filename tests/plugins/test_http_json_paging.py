"""Pages of a source, and how far the http_json plugin says that it has read."""

from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from ingestd.plugins._answers import AnswerError
from ingestd.plugins.http_json import check, run
from ingestd.testing import collect, context, results
from tests.support.jsonsource import NOON, NOW, PLAIN, answers, rows, served, serving, values_of

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


def test_backfill_without_a_way_to_ask_is_refused_before_it_begins() -> None:
    """`check` is asked with the window; a run without one needs no way to ask."""
    window: dict[str, Any] = {"start": datetime(2020, 1, 1, tzinfo=UTC), "end": NOW}
    params: dict[str, Any] = {"url": "http://h/", **PLAIN}

    assert check(**params, query={"to": "{until}"}, **window) == [
        "since_param: expected for a backfill, or {since}, got nothing"
    ]
    assert check(**params, since_param="from", **window) == []
    assert check(**params) == []


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
