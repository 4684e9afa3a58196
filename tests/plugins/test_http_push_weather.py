"""Weather stations: what their consoles send, what becomes of it, and their secrets."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

import pytest

from ingestd.plugins import http_push
from ingestd.testing import context
from tests.support.pushing import NOON, Push, pushing

AT: Final = datetime.fromisoformat("2026-02-06T20:00:03Z").timestamp()
PASSKEY: Final = "6BB0C6A5F1D24E7F8A9B0C1D2E3F4A5B"
REPORT: Final = "/data/report/"
UPDATE: Final = "/weatherstation/updateweatherstation.php"
# As a gateway sends it in the protocol of Ecowitt.
ECOWITT: Final = {
    "PASSKEY": PASSKEY,
    "stationtype": "GW1000A_V1.6.8",
    "dateutc": "2026-02-06 20:00:03",
    "tempinf": "64.6",
    "humidityin": "59",
    "baromrelin": "28.993",
    "tempf": "39.6",
    "winddir": "237",
    "windspeedmph": "1.12",
    "maxdailygust": "20.58",
    "rainratein": "0.000",
    "drain_piezo": "0.039",
    "tf_ch1": "50.0",
    "vpd": "0.3",
    "wh65batt": "0",
    "temp1f": "",
    "temp2f": "-9999",
    "freq": "868M",
    "model": "GW1000_Pro",
}
# As the same gateway sends it in the protocol of Wunderground.
UNDERGROUND: Final = {
    "ID": "KXXTEST7",
    "PASSWORD": "hush-hush",
    "tempf": "39.6",
    "indoortempf": "64.6",
    "dewptf": "36.9",
    "baromin": "28.978",
    "windgustmph": "2.24",
    "UV": "0",
    "weather": "-RA",
    "dateutc": "now",
    "softwaretype": "GW1000A_V1.6.8",
    "action": "updateraw",
    "realtime": "1",
    "rtfreq": "5",
}
STATIONS: Final = {
    "garden": {"passkey": PASSKEY},
    "roof": {"id": "KXXTEST7", "password": "hush-hush"},
}


@pytest.fixture
async def stations() -> AsyncIterator[Push]:
    """Give a plugin for two stations, which have their names from the operator."""
    async with (
        context(now=NOON) as ctx,
        pushing(ctx, formats="weather", weather={"stations": STATIONS}) as running,
    ):
        yield running


def values(push: Push) -> dict[str, float]:
    """Return the values by series."""
    return {name: value for _, name, value, _ in push.readings}


async def test_ecowitt_sends_a_form(stations: Push) -> None:
    """The names say the unit, so values stay as they were sent; what is not there is left out."""
    reply = await stations.post(REPORT, data=ECOWITT)

    assert (reply.status, reply.text) == (200, '{"errcode":"0","errmsg":"ok"}')
    assert values(stations) == {
        "garden_tempinf": 64.6,
        "garden_humidityin": 59,
        "garden_baromrelin": 28.993,
        "garden_tempf": 39.6,
        "garden_winddir": 237,
        "garden_windspeedmph": 1.12,
        "garden_maxdailygust": 20.58,
        "garden_rainratein": 0,
        "garden_drain_piezo": 0.039,
        "garden_tf_ch1": 50,
        "garden_vpd": 0.3,
        "garden_wh65batt": 0,
    }
    assert {time for time, *_ in stations.readings} == {AT}


async def test_wunderground_sends_a_query(stations: Push) -> None:
    """``now`` is when it came; the answer is what stations look for."""
    reply = await stations.get(UPDATE, params=UNDERGROUND)

    assert (reply.status, reply.text.strip()) == (200, "success")
    assert values(stations) == {
        "roof_tempf": 39.6,
        "roof_indoortempf": 64.6,
        "roof_dewptf": 36.9,
        "roof_baromin": 28.978,
        "roof_windgustmph": 2.24,
        "roof_UV": 0,
    }
    assert {time for time, *_ in stations.readings} == {NOON.timestamp()}


@pytest.mark.parametrize("between", ["?", "", "/", "&"])
async def test_ambient_sends_a_query_with_or_without_its_question_mark(
    stations: Push, between: str
) -> None:
    """Its consoles put what they send right behind the path that a person has typed."""
    query = urlencode({"PASSKEY": PASSKEY, "dateutc": "2026-02-06 20:00:03", "tempf": "39.6"})

    reply = await stations.get(f"/data/report{between}{query}")

    assert (reply.status, values(stations)) == (200, {"garden_tempf": 39.6})
    assert stations.readings[0][0] == AT


async def test_values_become_metric() -> None:
    """The names say the new units."""
    weather = {"stations": STATIONS, "units": "metric"}
    async with context(now=NOON) as ctx, pushing(ctx, formats="weather", weather=weather) as push:
        await push.post(REPORT, data=ECOWITT)
        await push.get(UPDATE, params=UNDERGROUND)

    assert values(push) == pytest.approx(
        {
            "garden_tempinc": 18.111111,
            "garden_humidityin": 59,
            "garden_baromrelhpa": 981.815074,
            "garden_tempc": 4.222222,
            "garden_winddir": 237,
            "garden_windspeedms": 0.500685,
            "garden_maxdailygust_ms": 9.200083,
            "garden_rainratemm": 0,
            "garden_drain_piezo_mm": 0.9906,
            "garden_tc_ch1": 10,
            "garden_vpd_hpa": 10.159166,
            "garden_wh65batt": 0,
            "roof_tempc": 4.222222,
            "roof_indoortempc": 18.111111,
            "roof_dewptc": 2.722222,
            "roof_baromhpa": 981.307115,
            "roof_windgustms": 1.00137,
            "roof_UV": 0,
        }
    )


@pytest.mark.parametrize(
    ("dateutc", "time"),
    [
        ("2026-02-06+20:00:03", AT),
        ("2026-02-06%2020%3A00%3A03", AT),
        ("2026-2-6 20:0:3", AT),
        ("NOW", NOON.timestamp()),
    ],
)
async def test_a_time_may_be_written_in_many_ways(
    stations: Push, dateutc: str, time: float
) -> None:
    """Stations encode it twice, and write single digits."""
    await stations.post(REPORT, data={**ECOWITT, "dateutc": dateutc})

    assert {when for when, *_ in stations.readings} == {time}


@pytest.mark.parametrize("dateutc", ["soon", "", "2026-13-06 20:00:03"])
async def test_a_time_that_is_none_is_not_now(stations: Push, dateutc: str) -> None:
    """A reading at a time at which it was not measured would be wrong for ever."""
    reply = await stations.post(REPORT, data={**ECOWITT, "dateutc": dateutc})

    assert (reply.status, stations.readings) == (400, [])
    assert "dateutc: expected" in reply.text


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        (REPORT, {**ECOWITT, "PASSKEY": "wrong"}),
        (REPORT, {"tempf": "1"}),
        (UPDATE, {**UNDERGROUND, "PASSWORD": "wrong"}),
        (UPDATE, {**UNDERGROUND, "ID": "another"}),
        (UPDATE, {"PASSWORD": "hush-hush"}),
    ],
)
async def test_another_station_is_refused(
    stations: Push, path: str, fields: dict[str, str]
) -> None:
    """Who knows no secret of a station sends nothing in its name."""
    reply = await stations.post(path, data=fields)

    assert (reply.status, stations.readings) == (401, [])


async def test_stations_without_names_have_a_series_each() -> None:
    """What identifies them is a key, and is in no series."""
    keys = [PASSKEY, "hush-hush"]
    async with context(now=NOON) as ctx, pushing(ctx, store_keys=keys) as push:
        await push.post(REPORT, data=ECOWITT)
        await push.get(UPDATE, params=UNDERGROUND)
        refused = await push.post(REPORT, data={**ECOWITT, "PASSKEY": "wrong"})
        nameless = await push.get(UPDATE, params={"PASSWORD": "hush-hush", "tempf": "1"})

    names = {name.rpartition("_")[0] for name in values(push) if name.endswith("_tempf")}
    assert len(names) == 2
    assert all(name.startswith("weather_") for name in names)
    assert (refused.status, nameless.status) == (401, 400)


async def test_no_secret_of_a_station_is_told(stations: Push) -> None:
    """Neither to senders nor in the log, whatever is wrong."""
    replies = [
        await stations.post(REPORT, data={**ECOWITT, "dateutc": "soon"}),
        await stations.post(REPORT, data={"PASSKEY": PASSKEY, "tempf": "cold"}),
        await stations.get(f"/elsewhere?{urlencode(ECOWITT)}"),
        await stations.get(UPDATE, params={**UNDERGROUND, "ID": "KXXTEST8"}),
        await stations.post(REPORT, data={**ECOWITT, "dateutc": "1970-01-01 00:00:03"}),
        await stations.post(REPORT, data=ECOWITT),
    ]

    told = str([reply.text for reply in replies]) + str(stations.ctx.logs) + str(stations.readings)
    for secret in (PASSKEY, "hush-hush", "KXXTEST7", "KXXTEST8"):
        assert secret not in told


@pytest.mark.parametrize(
    ("weather", "expected"),
    [
        ("garden", "weather: expected a mapping"),
        ({"station": {}}, "weather: expected only stations and units"),
        ({"units": "si"}, "weather.units: expected sent or metric, got 'si'"),
        ({"stations": [PASSKEY]}, "weather.stations: expected names"),
        ({"stations": {"garden": PASSKEY}}, "weather.stations.garden: expected `passkey`"),
        ({"stations": {"roof": {"id": "x"}}}, "weather.stations.roof: expected `passkey`"),
    ],
)
def test_options_are_checked(weather: Any, expected: str) -> None:
    """No message shows what may be a secret."""
    (problem,) = http_push.check(listen="127.0.0.1:1", weather=weather)

    assert problem.startswith(expected)
    assert PASSKEY not in problem
