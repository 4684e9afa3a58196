"""Windows: sources that want both ends in every request, in their own place and notation."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

import pytest
from aiohttp import web

from ingestd.plugins._answers import AnswerError
from ingestd.plugins.http_json import check, run
from ingestd.testing import TestContext, collect, context, results
from tests.support.jsonsource import NOON, NOW, PLAIN, serving

QUARTER = 900.0
HOUR = 3600.0
DAY = 86_400.0
LOCAL = "%Y-%m-%d %H:%M:%S"
Ends = tuple[str | None, str | None]


class Archive:
    """A source that gives a reading for each quarter of an hour, and wants windows.

    Args:
        find: Returns the two ends that a request names.
        read: Returns the Unix seconds of one.
        write: Returns how it gives Unix seconds.
        longest: How long a window may be, in seconds.
        latest: When the newest reading is.
    """

    def __init__(
        self,
        find: Callable[[web.Request, bytes], Ends],
        *,
        read: Callable[[str], float],
        write: Callable[[float], Any] = lambda time: time,
        longest: float = 7 * DAY,
        latest: float = NOON,
    ) -> None:
        self._find, self._read, self._write = find, read, write
        self._longest, self.latest = longest, latest
        self.asked: list[Ends] = []
        self.silent = False

    async def handler(self, request: web.Request) -> web.StreamResponse:
        """Answer with what is at or after the beginning and before the end."""
        since, until = self._find(request, await request.read())
        self.asked.append((since, until))
        if not since or not until:
            return web.Response(status=400, text="from and to are required")
        begin, end = self._read(since), self._read(until)
        if end - begin > self._longest:
            return web.Response(status=400, text=f"{(end - begin) / DAY} days are too many")
        first = -(-begin // QUARTER) * QUARTER
        count = (
            0 if self.silent else int(max(0.0, min(end, self.latest + 1) - first) // QUARTER) + 1
        )
        times = [first + QUARTER * n for n in range(count)]
        there = [t for t in times if t < end and t <= self.latest]
        data = [{"id": "a", "t": self._write(t), "v": t} for t in there]
        return web.json_response({"data": data})


def iso(text: str) -> float:
    """Return the Unix seconds of a text."""
    return datetime.fromisoformat(text).timestamp()


def in_query(request: web.Request, _: bytes) -> Ends:
    """Find the ends in the query."""
    return request.query.get("from"), request.query.get("to")


def in_path(request: web.Request, _: bytes) -> Ends:
    """Find the ends in the path."""
    since, until = request.path.split("/")[-2:]
    return since, until


def in_form(_: web.Request, body: bytes) -> Ends:
    """Find the ends in a form."""
    form = parse_qs(body.decode())
    return form["from"][0], form["to"][0]


def times_of(found: list[dict[str, Any]]) -> list[float]:
    """Return the times of all results."""
    return [time for result in found for time, *_ in result["readings"]]


IN_QUERY: dict[str, Any] = {"query": {"from": "{since}", "to": "{until}"}}
WEEKS: dict[str, Any] = {**PLAIN, "span": "7d", "lookback": "20d"}


async def read(archive: Archive, ctx: TestContext | None = None, **params: Any) -> Any:
    """Return what one run gives, at noon or at the time of a context."""
    path = params.pop("path", "")
    async with serving(archive.handler) as url:
        if ctx is not None:
            return await collect(run, ctx=ctx, url=url + path, **params)
        async with context(now=NOW) as mine:
            return await collect(run, ctx=mine, url=url + path, **params)


@pytest.mark.parametrize(
    ("find", "text", "params"),
    [
        (in_query, iso, IN_QUERY),
        (in_query, iso, {"since_param": "from", "until_param": "to"}),
        (in_query, float, {**IN_QUERY, "since_format": "unix"}),
        (in_path, iso, {"path": "/series/{since}/{until}"}),
        (in_path, iso, {"path": "/{since:%Y-%m-%dT%H:%M:%SZ}/{until:%Y-%m-%dT%H:%M:%SZ}"}),
        (
            in_query,
            iso,
            {"path": "?from={since:%Y-%m-%dT%H:%M:%S%z}&to={until:%Y-%m-%dT%H:%M:%S%z}"},
        ),
        (in_form, iso, {"method": "POST", "body": "from={since}&to={until}"}),
        (
            in_form,
            iso,
            {
                "method": "POST",
                "headers": {"Content-Type": "application/x-www-form-urlencoded"},
                "body": {"from": "{since}", "to": "{until}", "channel": ["a", "b"], "x": None},
            },
        ),
    ],
)
async def test_window_stands_where_the_source_wants_it(
    find: Any, text: Callable[[str], float], params: dict[str, Any]
) -> None:
    """In the query, the path or the body; each request names both ends, a week apart at most."""
    archive = Archive(find, read=text)

    found = await read(archive, **params, **WEEKS)

    assert times_of(found) == [NOON - 20 * DAY + QUARTER * n for n in range(20 * 96)]
    ends = [(text(a or ""), text(b or "")) for a, b in archive.asked]
    # Two windows have a second in common, in case the source leaves out what lies at their ends.
    assert ends == [
        (NOON - 20 * DAY, NOON - 13 * DAY),
        (NOON - 13 * DAY - 1, NOON - 6 * DAY - 1),
        (NOON - 6 * DAY - 2, NOON),
    ]
    assert [result["newest"] for result in found][-1] == NOON - QUARTER


async def test_window_stands_in_a_json_body_as_numbers() -> None:
    """A text that is nothing but a time in Unix seconds or so is sent as a number."""
    seen = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append(await request.json())
        return web.json_response({"data": []})

    body = {
        "range": [{"from": "{since:unix_ms}", "to": "{until:unix}"}],
        "label": "from {since:%d.%m.%Y} on",
        "text": "{{since}} {x y} {}",
        "n": 5,
    }
    async with serving(handler) as url, context(now=NOW) as ctx:
        await collect(run, ctx=ctx, url=url, method="POST", body=body, lookback="1d", **PLAIN)

    assert seen == [
        {
            "range": [{"from": int(NOON - DAY) * 1000, "to": int(NOON)}],
            "label": "from 30.06.2026 on",
            "text": "{since} {x y} {}",
            "n": 5,
        }
    ]


async def test_list_in_a_form_stands_several_times() -> None:
    """As in the query; what is null is left out."""
    seen = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append(await request.text())
        return web.json_response({"data": []})

    headers = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    body = {"Channel": ["A", "B"], "x": None, "t": "a&b"}
    async with serving(handler) as url:
        await collect(run, url=url, method="POST", headers=headers, body=body, **PLAIN)

    assert seen == ["Channel=A&Channel=B&t=a%26b"]


async def test_position_moves_window_by_window() -> None:
    """A run that fails in the third window has read two; the next goes on from there."""
    archive = Archive(in_query, read=iso)

    async def breaks(request: web.Request) -> web.StreamResponse:
        if len(archive.asked) == 2:
            return web.Response(status=500)
        return await archive.handler(request)

    newest = None
    async with serving(breaks) as url, context(now=NOW) as ctx:
        with pytest.raises(AnswerError):  # noqa: PT012 -- what comes before counts
            async for result in results(run, ctx=ctx, url=url, **IN_QUERY, **WEEKS):
                newest = result.get("newest", newest)
    assert newest == NOON - 6 * DAY - QUARTER

    found = await read(archive, newest=newest, **IN_QUERY, **WEEKS)

    assert times_of(found) == [newest + QUARTER * n for n in range(6 * 96 + 1)]


async def test_source_that_leaves_out_both_ends_loses_nothing_between_windows() -> None:
    """What lies just there is in the next window."""

    async def handler(request: web.Request) -> web.StreamResponse:
        begin, end = iso(request.query["from"]), iso(request.query["to"])
        times = [NOON - HOUR * n for n in range(72)]
        data = [{"id": "a", "t": t, "v": t} for t in times if begin < t < end]
        return web.json_response({"data": data})

    params = {**PLAIN, **IN_QUERY, "span": "5h", "lookback": "3d"}
    async with serving(handler) as url, context(now=NOW) as ctx:
        found = await collect(run, ctx=ctx, url=url, **params)

    assert sorted(times_of(found)) == [NOON - HOUR * n for n in range(71, 0, -1)]


async def test_windows_have_pages_of_their_own() -> None:
    """The next window begins with its first page; the last page of each moves the position."""
    asked = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append((request.query["from"][8:10], request.query["page"]))
        at = iso(request.query["from"]) + 3600 * int(request.query["page"])
        data = [{"id": "a", "t": at, "v": 1}] if request.query["page"] < "3" else []
        return web.json_response({"data": data})

    paging = {"type": "page", "param": "page"}
    params = {**PLAIN, **IN_QUERY, "span": "1d", "lookback": "47h", "paging": paging}
    async with serving(handler) as url, context(now=NOW) as ctx:
        found = await collect(run, ctx=ctx, url=url, **params)

    assert asked == [(day, page) for day in ("29", "30") for page in "123"]
    assert ["newest" in result for result in found] == [False, False, True] * 2


async def test_too_many_pages_in_a_window_end_the_run_there() -> None:
    """Windows behind it would carry the position over what was not read."""
    asked = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(request.query_string)
        return web.json_response({"data": [{"id": "a", "t": NOON - len(asked), "v": 1}]})

    paging = {"type": "page", "param": "page"}
    params = {**PLAIN, **IN_QUERY, "span": "1d", "lookback": "2d", "paging": paging}
    async with serving(handler) as url, context(now=NOW) as ctx:
        found = await collect(run, ctx=ctx, url=url, max_pages=2, **params)

    assert len(asked) == 2
    assert "newest" not in found[-1]
    assert "stopped after 2 pages" in found[-1]["script_error"]


async def test_windows_without_readings_are_asked_again_while_there_is_patience() -> None:
    """What comes late is not skipped, and a meter that has died is not asked for for ever."""
    archive = Archive(in_query, read=iso, longest=10 * DAY)
    archive.silent = True
    params = {**PLAIN, **IN_QUERY, "span": "10d", "lookback": "1d", "patience": "15d"}

    async with context(now=NOW) as ctx:
        found = await read(archive, ctx, newest=NOON - 40 * DAY, **params)
    moved = [result.get("newest") for result in found]

    assert moved == [NOON - 30 * DAY - 1, *[NOON - 20 * DAY - 2] * 4]
    (note,) = ctx.notes
    assert note.startswith("no readings from 2026-05-22T12:00:00Z to 2026-06-11T11:59:58Z")
    archive.silent = False
    assert times_of(await read(archive, newest=moved[-1], **params))[0] == NOON - 20 * DAY


async def test_backfill_is_cut_into_windows() -> None:
    """Its start and end are cut as the time of a run is."""
    archive = Archive(in_query, read=iso)
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 20, 12, tzinfo=UTC)

    found = await read(archive, start=start, end=end, newest=NOON, **IN_QUERY, **WEEKS)

    assert len(archive.asked) == 3
    times = times_of(found)
    assert (len(times), times[0], times[-1]) == (
        int(19.5 * 96),
        start.timestamp(),
        end.timestamp() - QUARTER,
    )
    assert not any("newest" in result for result in found)


async def test_days_are_asked_for_from_midnight_to_midnight() -> None:
    """A source with a document for each day knows no hours; nor need it take an end."""
    asked = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return web.json_response({"data": []})

    zone = ZoneInfo("America/St_Johns")
    now = datetime(2026, 3, 10, 1, 30, tzinfo=zone)  # the clocks went forward on the 8th
    async with serving(handler) as url, context(now=now) as ctx:
        await collect(
            run,
            ctx=ctx,
            url=url + "/{since:%Y/%m/%d}.json",
            timezone="America/St_Johns",
            span="1d",
            newest=datetime(2026, 3, 7, 15, tzinfo=zone).timestamp(),
            lookback="1d",
            **PLAIN,
        )

    assert asked == [f"/api/2026/03/{day}.json" for day in ("07", "08", "09", "10")]


async def test_end_is_not_before_now_where_minutes_or_days_are_written() -> None:
    """What a notation cannot say is rounded so that nothing is missed."""
    asked = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(request.query_string)
        return web.json_response({"data": []})

    query = {"a": "{since:%Y-%m-%d}", "b": "{until:%H:%M}", "c": "{until:%H}"}
    now = NOW + timedelta(minutes=10, seconds=30.5)
    async with serving(handler) as url, context(now=now) as ctx:
        await collect(run, ctx=ctx, url=url, query=query, newest=NOON - 3600, **PLAIN)
        await collect(run, ctx=ctx, url=url, query={**IN_QUERY["query"]}, newest=NOON, **PLAIN)
        await collect(
            run,
            ctx=ctx,
            url=url,
            query={"s": "{since}", "u": "{until:%Y-%m-%d}"},
            newest=0,
            **PLAIN,
        )

    assert asked[0] == "a=2026-07-01&b=12:11&c=12"
    assert asked[1] == "from=2026-07-01T12:00:00Z&to=2026-07-01T12:10:31Z"
    assert asked[2].endswith("u=2026-07-02")


@pytest.mark.slow  # a day of runs
@pytest.mark.parametrize("span", [None, "6h"])
@pytest.mark.parametrize("zone", ["America/Anchorage", "America/St_Johns"])
@pytest.mark.parametrize("day", ["2026-07-01", "2026-03-08", "2026-11-01"])
async def test_source_that_takes_local_time_is_asked_in_it(
    day: str, zone: str, span: str | None
) -> None:
    """Runs over a day read all of its readings, also when the clocks change."""
    where = ZoneInfo(zone)
    begin = datetime.fromisoformat(day).replace(tzinfo=where).timestamp()

    def local(text: str) -> float:
        return datetime.strptime(text, LOCAL).replace(tzinfo=where).timestamp()

    def local_text(time: float) -> str:
        return f"{datetime.fromtimestamp(time, where):{LOCAL}}"

    longest = 6 * 3600 if span else 48 * 3600
    archive = Archive(in_query, read=local, write=local_text, longest=longest)
    params: dict[str, Any] = {
        **PLAIN,
        "since_param": "from",
        "until_param": "to",
        "since_format": LOCAL,
        "timezone": zone,
        "lookback": "6h",
        "span": span,
    }
    found: dict[float, float] = {}
    newest = None
    async with serving(archive.handler) as url:
        for hours in range(6, 27, 2):
            now = archive.latest = begin + hours * 3600
            async with context(now=datetime.fromtimestamp(now + 60, UTC)) as ctx:
                run_found = await collect(run, ctx=ctx, url=url, newest=newest, **params)
            found |= {time: v for result in run_found for time, _, v in result["readings"]}
            newest = run_found[-1].get("newest", newest)

    wanted = {begin + QUARTER * n for n in range(1, 26 * 4 + 1)}
    assert wanted - found.keys() == set()
    assert all(time == value for time, value in found.items())


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"url": "http://h/{sinse}"}, "url: expected {since}, {until} or {last}, or {{sinse}} to"),
        ({"query": {"a": "{from}"}}, "query.a: expected {since}, {until}"),
        ({"body": {"a": ["{end}"]}}, "body: expected {since}, {until}"),
        ({"query": {"a": "{since:isodate}"}}, "query.a: expected unix"),
        ({"query": {"a": "{since:%s}"}}, "query.a: expected unix"),
        ({"since_param": "a", "since_format": "isodate"}, "since_format: expected unix"),
        ({"span": "7d", "lookback": "1d"}, "span: expected {since}"),
        ({"span": "7d", "since_param": "a"}, "lookback: expected"),
        ({"url": "http://h/{since}"}, "lookback: expected"),
        ({"span": "soon", "since_param": "a", "lookback": "1d"}, "span: expected a duration"),
        (
            {"span": "1h", "since_param": "a", "since_format": "%Y-%m-%d", "lookback": "1d"},
            "span: expected at least 1d",
        ),
        ({"since_param": "a", "since_timezone": "Nowhere"}, "since_timezone: expected a time zone"),
        ({"patience": "long"}, "patience: expected a duration"),
        ({"url": "{since}", "lookback": "1d"}, "url: expected http"),
    ],
)
def test_wrong_window_is_told_by_check(params: dict[str, Any], problem: str) -> None:
    """Each place and each option is looked at before the first run."""
    found = check(**{"url": "http://h/", **PLAIN, **params})

    assert [each for each in found if each.startswith(problem)]


def test_each_wrong_part_of_a_request_is_told_once() -> None:
    """Nobody mends one thing to be told of the next."""
    found = check(
        **PLAIN, url="http://h/{a}", query={"q": {"x": 1}}, body=["{b}"], since_param="s", span="x"
    )

    assert sorted(each.partition(":")[0] for each in found) == ["body", "query.q", "span", "url"]


@pytest.mark.parametrize(
    "params",
    [
        {"query": {"a": "{since}", "b": "{until:unix_ms}"}},
        {"body": '{"query": "{ meters { id } }", "s": "{{id}}", "a": {"b": {}}}'},
        {"url": "http://h/{since:%Y-%m-%d}", "lookback": "1d", "span": "1d"},
        {"url": "http://h/a?f={since}", "lookback": "1d"},
    ],
)
def test_right_window_is_not_complained_of(params: dict[str, Any]) -> None:
    """Braces that hold no single name are letters like any."""
    assert check(**{"url": "http://h/", **PLAIN, **params}) == []


async def test_source_that_is_told_only_the_end_is_asked_once() -> None:
    """It has no position, and `lookback` means nothing."""
    asked = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(request.query_string)
        return web.json_response({"data": []})

    async with serving(handler) as url, context(now=NOW) as ctx:
        await collect(run, ctx=ctx, url=url, until_param="to", lookback="1d", **PLAIN)

    assert asked == ["to=2026-07-01T12:00:00Z"]


async def test_utc_is_asked_in_where_the_notation_says_so() -> None:
    """A Z at the end, or a zone for asking, outweighs the zone of the times that come."""
    asked = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(request.query["from"])
        return web.json_response({"data": []})

    common = {**PLAIN, "since_param": "from", "timezone": "America/Anchorage", "newest": NOON}
    async with serving(handler) as url, context(now=NOW) as ctx:
        for params in (
            {"since_format": "%Y-%m-%dT%H:%M:%SZ"},
            {"since_format": LOCAL, "since_timezone": "UTC"},
            {"since_format": LOCAL},
            {"since_format": "%Y-%m-%dT%H:%M%z"},
            {},
        ):
            await collect(run, ctx=ctx, url=url, **common, **params)

    assert asked == [
        "2026-07-01T12:00:00Z",
        "2026-07-01 12:00:00",
        "2026-07-01 04:00:00",
        "2026-07-01T04:00-0800",
        "2026-07-01T12:00:00Z",
    ]
