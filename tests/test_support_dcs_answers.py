"""How the DCS server of the tests writes its answers, in both of its APIs."""

import json
import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.dcs import LONDON, Calibration, Gap
from tests.support.dcs.client import NOON, Client, iso, span

MIDNIGHT = datetime(2024, 3, 1, tzinfo=UTC)
HALF_HOUR = timedelta(minutes=30)


async def test_answers_are_compressed_for_those_who_ask(dcs_client: Client) -> None:
    """Compression is used when a dcs_client takes it, and only then."""
    url = f"{dcs_client.dcs.current_url}/public/meters"
    packed, one = await dcs_client.raw(url)
    async with dcs_client.session.get(url, headers={"Accept-Encoding": "identity"}) as reply:
        two = await reply.text()

    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in reply.headers
    assert one == two


async def test_readings_can_come_first(dcs_client: Client) -> None:
    """The order of keys is the server's own business."""
    _, usual = await dcs_client.readings(**span(MIDNIGHT, NOON))
    dcs_client.dcs.rules.readings_first = True
    _, text = await dcs_client.raw(
        f"{dcs_client.dcs.current_url}/public/readings", id="R733", **span(MIDNIGHT, NOON)
    )

    assert text.startswith('{"readings":[')
    assert json.loads(text) == usual


async def test_the_documented_slips_are_there(dcs_client: Client) -> None:
    """``duration`` for ``readingDuration``, and capitals where none should be."""
    rules = dcs_client.dcs.rules
    rules.duration_slip = rules.capital_value = rules.capital_readings = True
    _, said = await dcs_client.readings(**span(MIDNIGHT, NOON))

    assert said["duration"] == 0
    assert "readingDuration" not in said
    assert ["Value" in each for each in said["Readings"]] == [False] * 23 + [True]


async def test_what_is_no_number_is_a_string(dcs_client: Client) -> None:
    """JSON has no words for it, so the server writes strings."""
    register = dcs_client.dcs.campus.register("R733")
    register.strange = {MIDNIGHT: math.nan, MIDNIGHT + HALF_HOUR: -math.inf}
    register.bits = {MIDNIGHT: 8}
    _, said = await dcs_client.readings(format="complete", **span(MIDNIGHT, NOON))

    assert said["readings"][0] == {
        "status": 8, "timestamp": "2024-03-01T00:00:00Z",
        "totalValue": "NaN", "periodValue": "NaN",
    }  # fmt: skip
    assert said["readings"][1]["totalValue"] == "-Infinity"


async def test_lists_say_what_there_is(dcs_client: Client) -> None:
    """Both APIs list the same; only the legacy one gives single objects."""
    await dcs_client.sign_in()
    current, legacy = dcs_client.dcs.current_url, f"{dcs_client.dcs.legacy_url}/api"
    for name, number in (("meters", 405), ("virtualMeters", 9)):
        _, listed = await dcs_client.get(f"{current}/{name}")

        assert (await dcs_client.get(f"{legacy}/{name}"))[1] == listed
        assert (await dcs_client.get(f"{legacy}/{name}/{number}"))[1] == listed[0]
        assert (await dcs_client.get(f"{current}/{name}/{number}"))[0] == 404


async def legacy(dcs_client: Client, **query: Any) -> tuple[int, Any]:
    """Ask the legacy API for readings of R733."""
    url = f"{dcs_client.dcs.legacy_url}/API/RegisterReadings/list"
    return await dcs_client.get(url, registerId=733, **query)


async def test_legacy_defaults_are_the_servers_own(dcs_client: Client) -> None:
    """A day of half hours in one decimal place, uncalibrated, in GMT."""
    await dcs_client.sign_in()
    start = datetime(2023, 7, 1, tzinfo=UTC)
    dcs_client.dcs.campus.register("R733").calibrations = [Calibration(start, 1000)]
    status, said = await legacy(dcs_client, start="2023-07-01")
    truth = dcs_client.dcs.legacy_readings(
        "R733", start, start + timedelta(days=1), calibrated=False, decimal_places=1
    )

    assert status == 200
    assert len(said) == 48
    assert [each["totalValue"] for each in said] == [each.total for each in truth]
    assert [each["periodValue"] for each in said] == [each.used for each in truth]
    assert said[0]["startTime"] == "2023-07-01T00:00:00Z"
    assert said[0]["duration"] == 30


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"start": "yesterday"},
        {"start": "2024-02-29", "integrationPeriod": "month"},
        {"start": "2024-02-29", "integrationPeriod": "week"},
        {"start": "2024-02-01", "end": "2024-02-20", "integrationPeriod": "month"},
        {"start": "2024-02-01", "end": "2024-02-01"},
        {"start": "2024-02-01", "decimalPlaces": 16},
        {"start": "2024-02-01", "source": "guess"},
        {"start": "2024-02-01", "integrationPeriod": "year"},
        {"start": "2024-02-01T00:00:00Z", "integrationPeriod": "day", "useLocalTime": "maybe"},
        {"start": "2023-07-01T00:00:00Z", "integrationPeriod": "day", "useLocalTime": "true"},
    ],
)
async def test_bad_legacy_parameters_are_refused(dcs_client: Client, query: dict[str, Any]) -> None:
    """The legacy API has rules, too."""
    await dcs_client.sign_in()

    assert (await legacy(dcs_client, **query))[0] == 400


async def test_local_days_begin_at_midnight_in_london(dcs_client: Client) -> None:
    """The days when the clocks change have 23 and 25 hours."""
    await dcs_client.sign_in()
    query = {"integrationPeriod": "day", "useLocalTime": "true", "decimalPlaces": 15}
    _, march = await legacy(dcs_client, start="2023-03-26", end="2023-03-28", **query)
    _, october = await legacy(dcs_client, start="2023-10-29", end="2023-10-30", **query)
    start = datetime(2023, 3, 26, tzinfo=LONDON)
    halves = dcs_client.dcs.readings("R733", start, datetime(2023, 3, 27, tzinfo=LONDON))

    assert [each["startTime"] for each in march] == [
        "2023-03-26T00:00:00Z",
        "2023-03-27T00:00:00+01:00",
    ]
    assert [each["duration"] for each in march] == [23 * 60, 24 * 60]
    assert [each["duration"] for each in october] == [25 * 60]
    assert march[0]["periodValue"] == sum(each.used for each in halves)


async def test_gaps_are_padded_in_the_legacy_api_alone(dcs_client: Client) -> None:
    """Generated readings stand for what is missing; the current API leaves it out."""
    await dcs_client.sign_in()
    gap = Gap(MIDNIGHT + HALF_HOUR, MIDNIGHT + 3 * HALF_HOUR)
    dcs_client.dcs.campus.register("R733").gaps = [gap]
    until = MIDNIGHT + 4 * HALF_HOUR
    _, said = await legacy(dcs_client, start=iso(MIDNIGHT), end=iso(until))
    _, estimated = await legacy(
        dcs_client, start=iso(MIDNIGHT), end=iso(until), interpolated="true"
    )
    _, current = await dcs_client.readings(**span(MIDNIGHT, until))

    assert [each["isGenerated"] for each in said] == [False, True, True, False]
    assert [each["isInterpolated"] for each in estimated] == [False, True, True, False]
    assert len(current["readings"]) == 2


async def test_virtual_meters_have_no_totals_in_the_legacy_api(dcs_client: Client) -> None:
    """Their totals are always 0, and so is what an instantaneous one has used."""
    await dcs_client.sign_in()
    url = f"{dcs_client.dcs.legacy_url}/api/virtualMeterReadings/list"
    _, sums = await dcs_client.get(url, virtualMeterId=9, start="2024-02-01")
    _, samples = await dcs_client.get(url, virtualMeterId=10, start="2024-02-01")

    assert {each["totalValue"] for each in sums} == {0}
    assert any(each["periodValue"] for each in sums)
    assert {(each["totalValue"], each["periodValue"]) for each in samples} == {(0, 0)}
