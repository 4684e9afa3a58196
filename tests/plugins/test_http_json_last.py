"""Sources that count in the last day that they are asked for, and those of what is to come."""

from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from ingestd.plugins.http_json import check, run
from ingestd.testing import collect, context
from tests.support.jsonsource import NOON, NOW, PLAIN, rows, serving

DAY = 86_400.0
DAYS: dict[str, Any] = {**PLAIN, "query": {"from": "{since:%Y-%m-%d}", "to": "{last:%Y-%m-%d}"}}


async def asked(
    data: list[dict[str, Any]], now: datetime = NOW, **params: Any
) -> tuple[list[dict[str, str]], list[dict[str, Any]]]:
    """Return the queries of one run, and its results, where every answer is the same."""
    queries = []

    async def handler(request: web.Request) -> web.StreamResponse:
        queries.append(dict(request.query))
        return web.json_response({"data": data})

    async with serving(handler) as url, context(now=now) as ctx:
        return queries, await collect(run, ctx=ctx, url=url, **params)


async def test_the_last_day_is_the_one_before_the_end() -> None:
    """Spans follow each other without a day in common, and end with today."""
    queries, _ = await asked([], **DAYS, lookback="14d", span="7d")

    assert queries == [
        {"from": "2026-06-17", "to": "2026-06-23"},
        {"from": "2026-06-24", "to": "2026-06-30"},
        {"from": "2026-07-01", "to": "2026-07-01"},
    ]


async def test_the_last_day_of_a_backfill_to_midnight_is_the_day_before() -> None:
    """Its end is not counted in."""
    ends = {"start": datetime(2026, 3, 1, tzinfo=UTC), "end": datetime(2026, 4, 1, tzinfo=UTC)}

    queries, _ = await asked([], **DAYS, **ends, lookback="1d")

    assert queries == [{"from": "2026-03-01", "to": "2026-03-31"}]


async def test_the_last_day_is_one_of_the_zone() -> None:
    """Today at home has 25 hours, and is yesterday in UTC for two of them."""
    queries, _ = await asked(
        [],
        datetime(2026, 10, 25, 22, 30, tzinfo=UTC),  # half past eleven in the evening
        **DAYS,
        timezone="Europe/Berlin",
        lookback="12h",
    )

    assert queries == [{"from": "2026-10-25", "to": "2026-10-25"}]


@pytest.mark.parametrize(
    ("pattern", "last"),
    [
        ("%Y-%m-%dT%H", "2026-07-01T12"),
        ("%Y-%m-%dT%H:%M", "2026-07-01T12:29"),
        ("%Y-%m-%dT%H:%M:%S", "2026-07-01T12:29:59"),
        ("unix", str(int(NOON) + 1799)),
        ("unix_ms", str(int(NOON) * 1000 + 1_799_999)),
    ],
)
async def test_the_last_time_is_as_fine_as_its_notation(pattern: str, last: str) -> None:
    """The hour that is not over, or the second before."""
    now = datetime(2026, 7, 1, 12, 30, tzinfo=UTC)

    queries, _ = await asked(
        [], now, **PLAIN, query={"from": "{since}", "to": f"{{last:{pattern}}}"}, lookback="1h"
    )

    assert queries[0]["to"] == last


async def test_what_is_ahead_is_asked_for_by_every_run() -> None:
    """The position stays at now, so that tomorrow is read again."""
    params = {**PLAIN, "query": {"from": "{since}", "to": "{until}"}}

    queries, results = await asked(rows(3600, -DAY), **params, lookback="1d", ahead="2d")

    assert queries == [{"from": "2026-06-30T12:00:00Z", "to": "2026-07-03T12:00:00Z"}]
    assert results[-1]["newest"] == NOON
    assert [value for _, _, value in results[-1]["readings"]] == [3600, -DAY]


async def test_a_backfill_ends_where_it_ends() -> None:
    """Whatever is ahead."""
    ends = {"start": datetime(2026, 6, 1, tzinfo=UTC), "end": datetime(2026, 6, 2, tzinfo=UTC)}

    queries, _ = await asked([], **DAYS, **ends, lookback="1d", ahead="7d")

    assert queries == [{"from": "2026-06-01", "to": "2026-06-01"}]


def test_ahead_needs_an_end_to_ask_for() -> None:
    """A source that is told no end gives what it likes."""
    problems = check(url="http://h/", **PLAIN, since_param="from", ahead="2d")

    assert problems == ["ahead: expected {until} or {last} in url, query or body"]


async def test_a_file_for_each_month_is_asked_for_once_in_a_run() -> None:
    """However many days of it are asked for; one that is empty for long is passed."""
    asked_for: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked_for.append(request.path)
        data = rows(60, 86_400) if request.path.endswith("2026-07") else []
        return web.json_response({"data": data})

    window = {"span": "1d", "lookback": "100d", "patience": "30d"}
    async with serving(handler) as url, context(now=NOW) as ctx:
        where = f"{url}/{{since:%Y-%m}}"
        results = await collect(run, ctx=ctx, url=where, **PLAIN, **window)
        reached = [each["newest"] for each in results if "newest" in each]
        months, asked_for = asked_for, []
        await collect(run, ctx=ctx, url=where, newest=reached[-1], **PLAIN, **window)

    assert [path.rpartition("/")[2] for path in months] == [
        "2026-03",
        "2026-04",
        "2026-05",
        "2026-06",
        "2026-07",
    ]
    assert asked_for == months[-1:]
    assert reached == sorted(reached)
    assert reached[-1] == NOON - 60


async def test_months_without_anything_are_passed_in_one_run() -> None:
    """Up to where patience ends."""
    window: dict[str, Any] = {"span": "1d", "lookback": "100d", "patience": "30d"}
    queries, results = await asked([], **PLAIN, query={"month": "{since:%Y-%m}"}, **window)

    reached = [each["newest"] for each in results if "newest" in each]
    assert [each["month"][-1] for each in queries] == ["3", "4", "5", "6", "7"]
    assert reached[-1] == datetime(2026, 6, 1, tzinfo=UTC).timestamp()
