"""The page about devices: its list, its entries, and what these read of what devices answer.

That nothing is wrong with the entries is tested with all other examples.
"""

import re
from pathlib import Path
from types import NoneType
from typing import Any, Final

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from ingestd.plugins import http_json
from ingestd.plugins.mqtt.options import entries_of
from ingestd.plugins.mqtt.ready import Message
from ingestd.plugins.mqtt.routes import Routes
from ingestd.testing import collect, context

ROOT: Final = Path(__file__).parent.parent
PAGE: Final = (ROOT / "docs" / "devices.md").read_text()
BLOCK: Final = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ENTRY: Final = re.compile(r"`([\w-]+)`")
FORTY: Final = 40
ENTRIES: Final[list[tuple[str, Any]]] = [
    entry
    for block in BLOCK.findall(PAGE)
    for entry in yaml.safe_load(re.sub(r"\$\{\w+\}", "made-up", block))["collectors"].items()
]
COLLECTORS: Final = dict(ENTRIES)


def rows(beginning: str) -> list[list[str]]:
    """Return the cells of the table that begins with a header."""
    text = PAGE.partition(f"{beginning}\n")[2].partition("\n\n")[0]
    return [line.strip("| ").split(" | ") for line in text.splitlines()[1:]]


def test_there_are_enough_and_each_has_a_name_of_its_own() -> None:
    """All of them can stand in one configuration."""
    assert len(COLLECTORS) >= FORTY
    assert len(COLLECTORS) == len(ENTRIES)


def test_the_list_leads_to_all_entries() -> None:
    """Each has the plugin that the list says."""
    listed: dict[str, str] = {}
    for _, plugins, entries in rows("| device | plugin | entry |"):
        named = re.split(r"[;,] (?:or )?", plugins)
        names = ENTRY.findall(entries)
        known = named * len(names) if len(named) == 1 else named
        listed |= dict(zip(names, known, strict=True)) if names else {}

    assert listed == {name: entry["plugin"] for name, entry in ENTRIES}


def test_the_tests_that_are_named_are_there() -> None:
    """What the page says of devices is held by them."""
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", path.read_text())
    }

    assert named - there == set()


# What devices answer, shortened, and what is read of it: series and value.
ANSWERS: Final[dict[str, tuple[Any, list[tuple[str, float | None]]]]] = {
    "shelly": (
        {"switch:0": {"apower": 8.9, "aenergy": {"total": 6532.1}}, "sys": {"uptime": 1}},
        [("plug_watts", 8.9), ("plug_wh", 6532.1)],
    ),
    "shelly-1": (
        {"meters": [{"power": 12.3, "is_valid": True, "total": 4711}], "relays": []},
        [("heater_watts", 12.3), ("heater_watt_minutes", 4711)],
    ),
    "airgradient": (
        {"serialno": "ecda3b1eaaaf", "rco2": 447, "pm02": 7, "atmp": 25.87, "rhum": 43},
        [
            *(("office_co2_ppm", 447), ("office_pm25_ug_per_m3", 7)),
            *(("office_celsius", 25.87), ("office_percent", 43)),
        ],
    ),
    "purpleair-local": (
        {
            "DateTime": "2026/07/01T10:15:00z",
            "pm2_5_cf_1": 3.5, "current_temp_f": 75, "current_humidity": 40,
        },
        [
            *(("garden_pm25_ug_per_m3", 3.5), ("garden_fahrenheit", 75)),
            ("garden_percent", 40),
        ],
    ),
    "davis": (
        {
            "data": {
                "ts": 1782900900,
                "conditions": [{"lsid": 48308, "temp": 62.7, "hum": 41}, {"lsid": 7, "rain": 0}],
            },
            "error": None,
        },
        [
            *(("davis_48308_fahrenheit", 62.7), ("davis_48308_percent", 41)),
            *(("davis_7_fahrenheit", None), ("davis_7_percent", None)),
        ],
    ),
    "go-e": (
        {"nrg": [231, 230, 229, 2, 6, 6, 6, 1, 1, 1, 0, 4200], "wh": 3456.7, "eto": 9, "car": 2},
        [
            *(("car_watts", 4200), ("car_session_wh", 3456.7)),
            *(("car_total_wh", 9), ("car_state", 2)),
        ],
    ),
    "sonnen": (
        {
            "Timestamp": "2026-07-01 12:15:00", "USOC": 97, "Pac_total_W": -95,
            "Production_W": 578, "Consumption_W": 403, "GridFeedIn_W": 54,
        },
        [
            *(("battery_percent", 97), ("battery_watts", -95), ("roof_watts", 578)),
            *(("house_watts", 403), ("grid_watts", 54)),
        ],
    ),
    "homematic": (
        """<stateList><device name='Kitchen' ise_id='1'><channel name='Kitchen:1' ise_id='2'>
        <datapoint type='ACTUAL_TEMPERATURE' value='21.500000' timestamp='1782900900'/>
        <datapoint type='WINDOW' value='' timestamp='1782900900'/>
        </channel></device></stateList>""",
        [("Kitchen:1_ACTUAL_TEMPERATURE", 21.5), ("Kitchen:1_WINDOW", None)],
    ),
    "loxone": (
        {"LL": {"control": "dev/sps/io/Temperature/state", "value": "21.5°", "Code": "200"}},
        [("living_celsius", 21.5)],
    ),
    "volkszaehler": (
        {"version": "0.3", "data": {"tuples": [[1782900900000, 250.5, 1]], "rows": 1}},
        [("house_watts", 250.5)],
    ),
    "opendtu": (
        {
            "inverters": [{"serial": "116100000000", "producing": True}],
            "total": {
                "Power": {"v": 301.5, "u": "W", "d": 1},
                "YieldTotal": {"v": 1234.567, "u": "kWh", "d": 3},
            },
        },
        [("balcony_watts", 301.5), ("balcony_total_kwh", 1234.567)],
    ),
    "openhab": (
        {"name": "Kitchen", "datapoints": "1", "data": [{"time": 1782900900000, "state": "21.5"}]},
        [("kitchen_celsius", 21.5)],
    ),
    "emoncms": (
        [[1782900900000, 250], [1782900960000, 251.5]],
        [("house_watts", 250), ("house_watts", 251.5)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
async def test_an_entry_reads_what_its_device_answers(name: str) -> None:
    """At the path that the entry asks for."""
    answer, expected = ANSWERS[name]
    params = dict(COLLECTORS[name]["params"])
    path = "/" + params["url"].split("/", 3)[3]

    async def handler(_: web.Request) -> web.Response:
        if isinstance(answer, str):
            return web.Response(text=answer, content_type="text/xml")
        return web.json_response(answer)

    app = web.Application()
    app.router.add_get(path, handler)
    zone = COLLECTORS[name].get("timezone")
    async with TestServer(app) as server, context(timezone=zone) as ctx:
        params["url"] = str(server.make_url(path))
        results = await collect(http_json.run, ctx=ctx, **params)

    readings = [reading for result in results for reading in result["readings"]]
    assert [tuple(each[1:]) for each in readings] == expected
    assert {type(time) for time, *_ in readings} <= {int, float, NoneType}
    assert [result["script_error"] for result in results if "script_error" in result] == []


# What is published, and what is read of it.
PUBLISHED: Final = {
    "rtl433": ("rtl_433/Nexus-TH/12/temperature_C", b"21.5", (5.0, "Nexus-TH_12_celsius", 21.5)),
    "ahoydtu": ("inverter/roof/ch0/P_AC", b"301.5", (5.0, "roof_ch0_P_AC", 301.5)),
    "vzlogger": (
        "vzlogger/data/chn0/raw",
        b'{"timestamp": 1782900900123, "value": 250.5}',
        (1782900900.123, "meter_chn0", 250.5),
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_an_entry_reads_what_its_device_publishes(name: str) -> None:
    """Those of one word are tested with their kinds of devices."""
    topic, payload, expected = PUBLISHED[name]
    params = COLLECTORS[name]["params"]
    shared = {"series": params["series"]} if "series" in params else {}
    routes = Routes(entries_of(params["topics"], qos=1, **shared), zone=None)

    found = routes.readings([Message(topic, payload, 5.0, 1, 1)])

    assert [tuple(each[:3]) for each in found] == [expected]
