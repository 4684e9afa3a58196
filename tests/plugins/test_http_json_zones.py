"""Sources in local time, where the zone is that of the collector."""

from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from ingestd.plugins.http_json import run
from ingestd.testing import collect, context
from tests.support.jsonsource import NOW, serving


async def in_zone(zone: str, reply: Any, **params: Any) -> tuple[list[str], list[Any]]:
    """Return what a source was asked, and the readings, where only the collector has a zone."""
    asked: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(request.query_string)
        return web.json_response(reply)

    shape = {"time": "ts", "series": "meter", "value": "v", **params}
    async with serving(handler) as url, context(now=NOW, timezone=zone) as ctx:
        results = await collect(run, ctx=ctx, url=url, **shape)
    return asked, [time for each in results for time, *_ in each["readings"]]


@pytest.mark.parametrize(
    ("time_format", "text"),
    [
        ("%d.%m.%Y %H:%M %Z", "01.07.2026 12:30 CEST"),
        ("dsmr", "260701123000S"),
        ("%d.%m.%Y %H:%M", "01.07.2026 12:30"),
    ],
)
async def test_zone_of_the_collector_is_known(time_format: str, text: str) -> None:
    """Its letters, too; and a position can go on by times that carry none."""
    reply = [{"ts": text, "v": 1}]
    going_on = {"since_param": "from", "since_format": "unix", "lookback": "1h"}

    asked, times = await in_zone("Europe/Berlin", reply, time_format=time_format, **going_on)

    assert times == [datetime(2026, 7, 1, 10, 30, tzinfo=UTC).timestamp()]
    assert asked == [f"from={NOW.timestamp() - 3600:.0f}"]


async def test_what_says_no_zone_is_not_asked_for_in_a_guessed_one() -> None:
    """West of Greenwich UTC is still to come: the source would have nothing, again and again."""
    params = {"query": {"from": "{since:%Y-%m-%d %H:%M}"}, "lookback": "1h"}
    told = "since_timezone: expected UTC or America/Anchorage for {since}, which says no zone"
    with pytest.raises(ValueError, match=told):
        await in_zone("America/Anchorage", [], **params)

    utc, _ = await in_zone("America/Anchorage", [], since_timezone="UTC", **params)
    local, _ = await in_zone("America/Anchorage", [], timezone="America/Anchorage", **params)
    of_utc, _ = await in_zone("UTC", [], **params)

    assert utc == of_utc == ["from=2026-07-01 11:00"]
    assert local == ["from=2026-07-01 03:00"]
