"""The ambientweather plugin against a server that behaves as Ambient Weather's does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import isnan
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ingestd.plugins._answers import AnswerError
from ingestd.plugins.ambientweather import run
from ingestd.testing import collect, context

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
NOON = NOW.timestamp()
MAC = "00:0E:C6:30:19:82"
NAME = "000EC6301982"


@dataclass
class Ambient:
    """Stations, and what they have recorded.

    Attributes:
        records: MAC address -> records, oldest first.
        broken: What the next requests are answered with, by path; None is no answer of its own.
        asked: Every request: the path and the query.
    """

    records: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    broken: dict[str, web.Response] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer as the API does: newest first, at most 288 records, up to ``endDate``."""
        query = dict(request.query)
        self.asked.append((request.path, query))
        if broken := self.broken.get(request.path):
            return broken
        if query.get("apiKey") != "secret-api" or query.get("applicationKey") != "secret-app":
            return web.json_response({"error": "apiKey-invalid"}, status=401)
        mac = request.match_info.get("mac")
        if mac is None:
            return web.json_response(
                [
                    {"macAddress": mac, "info": {"name": "x"}, "lastData": has[-1] if has else None}
                    for mac, has in self.records.items()
                ]
            )
        limit, end = int(query.get("limit", 288)), int(query["endDate"])
        assert limit <= 288
        found = [each for each in self.records[mac] if each.get("dateutc", 0) <= end]
        return web.json_response(found[::-1][:limit])


@asynccontextmanager
async def served(ambient: Ambient) -> AsyncIterator[str]:
    """Run the server; give its address."""
    app = web.Application()
    app.router.add_get("/v1/devices", ambient.answer)
    app.router.add_get("/v1/devices/{mac}", ambient.answer)
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


async def collected(ambient: Ambient, *, now: datetime = NOW, **params: Any) -> list[Any]:
    """Return the results of one run."""
    keys = {"application_key": "secret-app", "api_key": "secret-api"}
    async with served(ambient) as url, context(now=now) as ctx:
        return await collect(run, ctx=ctx, url=url, pause="0s", **{**keys, **params})


def record(time: float, **values: Any) -> dict[str, Any]:
    """Return a record as a station makes it."""
    return {"dateutc": round(time * 1000), "date": "2026-07-01T12:00:00.000Z", **values}


def every(minutes: float, *, hours: float, until: float = NOON) -> list[dict[str, Any]]:
    """Return records of the hours before a time."""
    count = int(hours * 60 / minutes)
    return [record(until - 60 * minutes * back, tempf=back) for back in range(count)][::-1]


def times_of(results: list[Any]) -> list[float]:
    """Return the times of all readings but those of the newest record, in the order they came."""
    return [time for result in results[1:] for time, _, _ in result.get("readings", ())]


async def test_numbers_of_a_record_become_readings() -> None:
    """Named by the station and the vendor's word; texts and the time itself are none."""
    has = record(NOON, tempf=66.9, humidity=30, tz="America/Anchorage", lastRain="2026-06-01")

    first, second = await collected(Ambient({MAC: [has]}), lookback="1h")

    assert first == {"readings": [(NOON, f"{NAME}_tempf", 66.9), (NOON, f"{NAME}_humidity", 30)]}
    assert second == {**first, "newest": {MAC: NOON}}


async def test_only_the_fields_and_stations_that_are_wanted() -> None:
    """A station may be written with or without colons."""
    ambient = Ambient({MAC: [record(NOON, tempf=1, tempinf=2)], "AA:BB": [record(NOON, tempf=3)]})

    first, _ = await collected(ambient, stations=[NAME], fields=["temp?"], lookback="1h")

    assert [series for _, series, _ in first["readings"]] == [f"{NAME}_tempf"]


async def test_a_second_run_reads_on_from_the_first() -> None:
    """It repeats the newest record, and no other."""
    ambient = Ambient({MAC: every(5, hours=40)})
    results = await collected(ambient, now=NOW - timedelta(hours=3))
    newest = results[-1]["newest"]

    results = await collected(ambient, newest=newest)

    assert newest == {MAC: NOON - 3 * 3600}
    assert times_of(results) == [NOON - 300 * back for back in range(37)]
    assert results[-1]["newest"] == {MAC: NOON}


@pytest.mark.parametrize("minutes", [0.5, 1, 5, 30])
async def test_nothing_is_skipped_however_often_a_station_records(minutes: float) -> None:
    """An answer that is too full to be whole is followed by the rest of its window."""
    has = every(minutes, hours=50)
    ambient = Ambient({MAC: has})

    results = await collected(ambient, lookback="2d")

    wanted = {each["dateutc"] / 1000 for each in has if each["dateutc"] / 1000 >= NOON - 2 * 86400}
    assert set(times_of(results)) == wanted


async def test_every_window_is_a_checkpoint() -> None:
    """A run that breaks after a week of catching up goes on from there."""
    results = await collected(Ambient({MAC: every(30, hours=24 * 7)}), lookback="7d")

    positions = [each["newest"][MAC] for each in results[1:]]
    assert len(positions) == 8
    assert positions == sorted(positions)


async def test_a_station_that_fell_silent_is_not_searched_for_ever() -> None:
    """Nothing is asked for after the last record that the server knows of."""
    ambient = Ambient({MAC: every(5, hours=1, until=NOON - 300 * 86400)})

    results = await collected(ambient, newest={MAC: NOON - 300 * 86400})

    assert len(ambient.asked) == 1
    assert len(results) == 1


async def test_a_station_that_comes_back_after_a_year_is_soon_reached() -> None:
    """Windows grow over the silence, and shrink again where there is much."""
    before, after = every(5, hours=1, until=NOON - 360 * 86400), every(5, hours=24 * 9)
    ambient = Ambient({MAC: [*before, *after]})

    results = await collected(ambient, newest={MAC: NOON - 360 * 86400})

    assert set(times_of(results)) == {each["dateutc"] / 1000 for each in [before[-1], *after]}
    assert len(ambient.asked) < 40


async def test_one_station_that_fails_does_not_hold_up_the_others() -> None:
    """The run is degraded; the position of that one stays where it was."""
    ambient = Ambient({MAC: every(5, hours=1), "AA:BB": every(5, hours=1)})
    ambient.broken[f"/v1/devices/{MAC}"] = web.Response(status=503, text="sorry")

    results = await collected(ambient, newest={MAC: NOON - 600, "AA:BB": NOON - 600})

    assert f"/v1/devices/{MAC}: expected 200, got 503" in results[-1]["script_error"]
    assert results[-2]["newest"] == {MAC: NOON - 600, "AA:BB": NOON}


@pytest.mark.parametrize(
    ("path", "reply", "message"),
    [
        (
            "/v1/devices",
            web.Response(status=429, text="above-user-rate-limit"),
            "more than one request a second",
        ),
        ("/v1/devices", web.Response(text="<html>maintenance"), "expected a list, got 200 OK"),
        ("/v1/devices", web.Response(text='[{"macAddress"'), "expected a list, got 200 OK"),
        (f"/v1/devices/{MAC}", web.json_response({"error": "no"}), "expected a list, got 200"),
    ],
)
async def test_run_without_any_answer_fails_with_what_came(
    path: str, reply: web.Response, message: str
) -> None:
    """No key is shown."""
    ambient = Ambient({MAC: every(5, hours=1)}, broken={path: reply})

    with pytest.raises(AnswerError, match=message) as caught:
        await collected(ambient)

    assert "secret" not in str(caught.value)


async def test_wrong_key_is_told() -> None:
    """The server says 401."""
    with pytest.raises(AnswerError, match="one of the two keys is wrong"):
        await collected(Ambient(), api_key="other")


async def test_record_without_a_time_is_passed_on_and_moves_nothing() -> None:
    """The daemon counts what is unusable; a time in the future moves nothing, either."""
    odd = [{"tempf": 5}, record(NOON + 86400, tempf=6)]

    results = await collected(Ambient({MAC: [*every(5, hours=1), *odd]}), now=NOW)

    times = times_of(results)
    assert any(map(isnan, times))
    assert results[-1]["newest"] == {MAC: NOON}


async def test_unknown_station_is_an_error_that_names_those_there_are() -> None:
    """A misspelt one must not be a silence."""
    with pytest.raises(ValueError, match=f"stations: expected a list of some of {MAC}, got"):
        await collected(Ambient({MAC: []}), stations=["AA"])


async def test_backfill_reads_a_window_and_leaves_the_position() -> None:
    """What lies between its start and its end is given, the start included."""
    ambient = Ambient({MAC: every(30, hours=24 * 9)})
    start, end = NOW - timedelta(days=5), NOW - timedelta(days=3)

    results = await collected(ambient, start=start, end=end, newest={MAC: NOON})

    times = sorted({t for each in results for t, _, _ in each["readings"]})
    assert times == [start.timestamp() + 1800 * step for step in range(96)]
    assert all(set(each) == {"readings"} for each in results)
