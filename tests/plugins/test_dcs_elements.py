"""What servers write becomes readings: every sample, and the slips that they make."""

import json
from datetime import UTC, datetime
from math import isnan
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ingestd.collecting.points import Naming
from ingestd.config.catalogue import Catalogue
from ingestd.plugins.dcs import current, legacy, run
from ingestd.plugins.dcs.elements import Chunk, Column, Reader, Wire
from ingestd.plugins.dcs.options import GENERATED, INTERPOLATED
from ingestd.testing import collect, context
from tests.support.dcsreading import state, stored

SAMPLES: Final = Path(__file__).parents[1] / "samples" / "dcs"
SIX: Final = datetime(2021, 9, 20, 18, tzinfo=UTC).timestamp()
FEBRUARY: Final = datetime(2019, 2, 1, tzinfo=UTC).timestamp()
HALF: Final = 1800.0


def reader(wire: Wire, *keys: str, skip: int = 0, status: bool = False) -> Reader:
    """Return a reader of some values, each in a series of that name."""
    return Reader(wire, [Column(key, key) for key in keys], skip=skip, status=status)


def sample(name: str) -> Any:
    """Return a sample."""
    return json.loads((SAMPLES / name).read_text())


async def replay(answers: dict[str, str], **params: Any) -> list[dict[str, Any]]:
    """Return the results of a run at a server that answers with samples, by the path's end."""

    async def handler(request: web.Request) -> web.Response:
        name = answers.get(request.path.rpartition("/DCS")[2])
        text = "{}" if name is None else (SAMPLES / name).read_text() if name else "[]"
        return web.Response(text=text, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    now = datetime(2021, 9, 20, 20, tzinfo=UTC)
    async with TestServer(app) as server, context(now=now) as ctx:
        place = "/DCS" if params.get("api") == "legacy" else "/DCSWebApi"
        return await collect(run, ctx=ctx, url=str(server.make_url(place)), **params)


async def test_sample_of_the_current_api() -> None:
    """It is read as documented, with the last value spelt with a capital."""
    found = await replay(
        {
            "WebApi/public/meters": "public-meters.json",
            "WebApi/public/virtualMeters": "public-virtualMeters.json",
            "WebApi/public/readings": "public-readings-standard-as-documented.json",
        },
        values="total",
        since="2021-09-20",
        tags={"of": "{meter}|{register}|{unit}|{serial}"},
    )

    values = {SIX: 9.04, SIX + HALF: 18.04, SIX + 2 * HALF: 43.08, SIX + 3 * HALF: 59.0}
    assert stored(found) == {"dcs_R733_total": values, "dcs_VM9_half_hour": values}
    tags = {series: tags["of"] for each in found for _, series, _, tags in each["readings"]}
    assert tags == {
        "dcs_R733_total": "Sample meter|Active Energy (import)|kWh|R1100729",
        "dcs_VM9_half_hour": "Sample Virtual Meter||kWh|",
    }
    last = datetime(2021, 9, 20, 19, 30, tzinfo=UTC)
    kept = state(found)
    assert kept.pop("names")["VM9"]["meter"] == "Sample Virtual Meter"
    assert kept == {"R733": last, "VM9": last}


async def test_sample_of_the_complete_format() -> None:
    """Readings before the rest, no numbers, an unknown bit, an unknown key."""
    found = await replay(
        {
            "WebApi/public/meters": "public-meters.json",
            "WebApi/public/readings": "synthetic-public-readings-complete-nonfinite.json",
        },
        registers=["R733"],
        values="both",
        status=True,
        since="2021-09-20",
    )

    readings = [each for result in found for each in result["readings"]]
    naming = Naming(measurement="m", field="v", tags={}, catalogue=Catalogue())
    taken = naming.sort(readings, now=0)
    times = [SIX, SIX + HALF, SIX + 2 * HALF, SIX + 3 * HALF]
    assert stored(found) == {
        "dcs_R733_total": dict(zip(times, [10161.5, "NaN", 0, 12.25], strict=True)),
        "dcs_R733_total_status": dict(zip(times, [0, 3, 2, 4], strict=True)),
        "dcs_R733_half_hour": dict(zip(times, [11.0, "Infinity", "-Infinity", 0.5], strict=True)),
        "dcs_R733_half_hour_status": dict(zip(times, [0, 3, 2, 4], strict=True)),
    }
    assert dict(taken.unusable) == {"non_finite": 3}
    assert len(taken.points) == 13


async def test_samples_of_the_legacy_api() -> None:
    """Registers have totals and consumption, virtual meters only the latter."""
    found = await replay(
        {
            "/api/meters": "public-meters.json",
            "/api/virtualMeters": "public-virtualMeters.json",
            "/api/registerReadings/list": "legacy-registerReadings-list.json",
            "/api/virtualMeterReadings/list": "legacy-virtualMeterReadings-list.json",
        },
        api="legacy",
        username="reader",
        password="s3cret",
        values="both",
        since="2019-01-01",
    )

    assert stored(found) == {
        "dcs_R733_total": {FEBRUARY: 10161.0, FEBRUARY + HALF: 10172.0},
        "dcs_R733_half_hour": {FEBRUARY: 10.0, FEBRUARY + HALF: 5.0},
        "dcs_VM9_half_hour": {FEBRUARY: 10.0, FEBRUARY + HALF: 5.0},
    }


def element(number: int = 0, **more: Any) -> dict[str, Any]:
    """Return an element of the current API."""
    return {
        "timestamp": f"2021-09-20T18:{30 * number:02}:00Z",
        "value": number,
        "status": 0,
        **more,
    }


@pytest.mark.parametrize("spell", [str.upper, str.title, str.lower])
def test_keys_may_be_spelt_in_any_case(spell: Any) -> None:
    """This holds for all of them, and for those of one element."""
    spelt = {spell(key): value for key, value in element(1).items()}
    read = reader(current.WIRE, "value", status=True).read

    same = Chunk(
        [(SIX, "value", 0), (SIX + HALF, "value", 1), (SIX, "value_status", 0),
         (SIX + HALF, "value_status", 0)],
        [SIX, SIX + HALF],
    )  # fmt: skip
    assert read([element(0), spelt]) == same
    assert read([{**element(0)}, element(1)]) == same
    assert read([spelt, spelt]).times == [SIX + HALF] * 2


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        ("2021-09-20T18:00:00Z", SIX),
        ("2021-09-20T19:00:00+01:00", SIX),
        ("2021-09-20T18:00:00", SIX),
        ("2021-09-20T18:00:00.0000000Z", SIX),
        ("2021-09-20", SIX - 18 * 3600),
    ],
)
def test_times_without_a_zone_are_in_utc(time: str, seconds: float) -> None:
    """The server's calendar is, too; where a fraction is written, it is nothing."""
    chunk = reader(current.WIRE, "value").read([element(timestamp=time)])

    assert chunk.readings == [(seconds, "value", 0)]
    assert chunk.times == [seconds]


@pytest.mark.parametrize("time", ["soon", 7, "", "2021-13-01T00:00:00Z", ["x"]])
def test_reading_without_a_time_is_left_to_the_daemon(time: Any) -> None:
    """The daemon counts it, and its neighbours are read."""
    chunk = reader(current.WIRE, "value").read([element(0), element(timestamp=time), element(1)])

    assert [value for _, _, value in chunk.readings] == [0, 0, 1]
    assert chunk.readings[1][0] == str(time)
    assert chunk.times == [SIX, SIX + HALF]


@pytest.mark.parametrize("strange", [None, 7, "text", [], {}, {"value": 1}])
def test_element_that_is_none_is_left_to_the_daemon(strange: Any) -> None:
    """An unusable reading, without a time that would mean now."""
    chunk = reader(current.WIRE, "value", status=True, skip=INTERPOLATED).read([strange, element()])

    times = [time for time, *_ in chunk.readings]
    assert isnan(times[0])
    assert times[1] == SIX
    assert chunk.times == [SIX]


@pytest.mark.parametrize("status", [None, "1", "x", 1.0])
def test_strange_status_is_read_or_left_out(status: Any) -> None:
    """A bit that is there counts, however it is written."""
    chunk = reader(current.WIRE, "value", status=True, skip=INTERPOLATED).read(
        [element(status=status)]
    )

    said = [value for _, series, value in chunk.readings if series == "value_status"]
    assert said == ([] if status in {"1", 1.0} else [0])


def flags(number: int, *, generated: bool | None, interpolated: bool) -> dict[str, Any]:
    """Return an element of the legacy API."""
    return {
        "startTime": f"2021-09-20T18:{30 * number:02}:00Z",
        "periodValue": number,
        "totalValue": 0,
        "isGenerated": generated,
        "isInterpolated": interpolated,
    }


def test_flags_become_bits() -> None:
    """Of an estimate it is undefined whether it was generated."""
    elements = [
        flags(0, generated=True, interpolated=False),
        flags(1, generated=True, interpolated=True),
        flags(1, generated=None, interpolated=True),
        flags(1, generated=False, interpolated=False),
    ]
    everything = reader(legacy.WIRE, "periodValue", status=True).read(elements)
    kept = reader(legacy.WIRE, "periodValue", skip=GENERATED).read(elements)

    bits = [value for _, series, value in everything.readings if series.endswith("_status")]
    assert bits == [GENERATED, INTERPOLATED, INTERPOLATED, 0]
    assert [value for _, _, value in kept.readings] == [1, 1, 1]
    assert everything.times == kept.times == [SIX + HALF] * 3


def test_flags_may_be_missing() -> None:
    """Then there is nothing to say."""
    plain = {"startTime": "2021-09-20T18:00:00Z", "periodValue": 1}

    assert reader(legacy.WIRE, "periodValue").read([plain]).times == [SIX]
