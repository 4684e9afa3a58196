"""The DCS server of the tests knows what it has told: gaps, resets, calibrations and sums."""

import asyncio
import json
import subprocess
import sys
from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import aiohttp
import pytest

from tests.support.dcs import Calibration, FakeDcs, Gap, Reading, Status
from tests.support.dcs.client import NOON, Client, iso, span

MIDNIGHT = datetime(2024, 3, 1, tzinfo=UTC)
HALF_HOUR = timedelta(minutes=30)


async def legacy(dcs_client: Client, **query: Any) -> tuple[int, Any]:
    """Ask the legacy API for readings of R733."""
    url = f"{dcs_client.dcs.legacy_url}/API/RegisterReadings/list"
    return await dcs_client.get(url, registerId=733, **query)


async def test_both_apis_give_the_same(dcs_client: Client) -> None:
    """A register's totals and consumption are the same in both APIs."""
    await dcs_client.sign_in()
    for period, start in (("halfHour", MIDNIGHT), ("month", datetime(2023, 1, 1, tzinfo=UTC))):
        query = span(start, MIDNIGHT + timedelta(days=31))
        _, current = await dcs_client.readings(format="complete", periodType=period, **query)
        end = iso(MIDNIGHT + timedelta(days=31))
        _, old = await legacy(
            dcs_client, start=iso(start), end=end, integrationPeriod=period, decimalPlaces=15
        )

        assert [(each["startTime"], each["totalValue"], each["periodValue"]) for each in old] == [
            (each["timestamp"], each["totalValue"], each["periodValue"])
            for each in current["readings"]
        ]


async def test_the_truth_is_what_is_told(dcs_client: Client) -> None:
    """What a test expects is what a dcs_client can read, for sources of all kinds."""
    start = NOON - timedelta(days=40)
    for identity in dcs_client.dcs.campus.ids:
        _, said = await dcs_client.readings(identity, calibrated="true", **span(start, NOON))
        truth = dcs_client.dcs.readings(identity, start, NOON)

        assert len(truth) == 40 * 48
        told = [(each["timestamp"], each["value"], each["status"]) for each in said["readings"]]
        assert told == [(iso(each.time), each.value, each.status) for each in truth]


def used(found: list[Reading]) -> list[float]:
    """Return the consumption of readings."""
    return [each.used for each in found]


def test_consumption_is_the_difference_to_the_next_total() -> None:
    """The newest one of a polled register is known only with the next total."""
    dcs = FakeDcs()
    dcs.now = NOON
    found = dcs.readings("R733", MIDNIGHT, NOON + timedelta(days=1))
    totals = [each.total for each in found]
    dcs.now = NOON + HALF_HOUR
    later = dcs.readings("R733", MIDNIGHT, NOON + timedelta(days=1))

    assert found[-1].time == NOON
    assert used(found) == [b - a for a, b in pairwise(totals)] + [0.0]
    assert later[:24] == found[:24]
    assert later[24].used == later[25].total - later[24].total > 0


def test_a_register_that_is_not_polled_knows_whole_periods() -> None:
    """It tells of a half hour when that is over, and does not change its mind."""
    dcs = FakeDcs()
    dcs.now = NOON
    found = dcs.readings("R740", MIDNIGHT, NOON + timedelta(days=1))
    dcs.now = NOON + HALF_HOUR
    later = dcs.readings("R740", MIDNIGHT, NOON + timedelta(days=1))

    assert found[-1].time == NOON - HALF_HOUR
    assert later[:-1] == found
    assert min(used(later)) > 0


@pytest.mark.parametrize("period", ["hour", "day", "week", "month"])
def test_longer_periods_are_sums_of_half_hours(period: str) -> None:
    """In each period the same energy was used; the last one is not over."""
    dcs = FakeDcs()
    dcs.now = NOON
    start = datetime(2024, 1, 1, tzinfo=UTC)  # a Monday
    end = datetime(2024, 4, 1, tzinfo=UTC)
    for identity in ("R733", "VM9"):
        halves = dcs.readings(identity, start, end)
        found = dcs.readings(identity, start, end, period=period)
        times = [each.time for each in found]
        at = [bisect_left(halves, each, key=lambda half: half.time) for each in [*times, end]]

        for each, (first, until) in zip(found, pairwise(at), strict=True):
            parts = halves[first:until]
            assert each.used == sum(used(parts))
            assert each.total == parts[0].total


def test_a_gap_is_absent_estimated_or_delivered_later() -> None:
    """Estimates lie on a line; what comes late is what was always true."""
    dcs = FakeDcs()
    dcs.now = NOON
    whole = dcs.readings("R733", MIDNIGHT, NOON)
    gap = Gap(MIDNIGHT + 2 * HALF_HOUR, MIDNIGHT + 5 * HALF_HOUR, until=NOON + HALF_HOUR)
    dcs.campus.register("R733").gaps = [gap]
    found = dcs.readings("R733", MIDNIGHT, NOON)
    estimated = dcs.readings("R733", MIDNIGHT, NOON, interpolated=True)
    virtual = dcs.readings("VM9", MIDNIGHT, NOON, interpolated=True)
    dcs.now = NOON + HALF_HOUR
    late = dcs.readings("R733", MIDNIGHT, NOON)

    assert [each.at for each in found] == [each.at for each in whole[:2] + whole[5:]]
    assert found[1].used == sum(used(whole[1:5]))  # until the next total
    assert len(virtual) == len(found)
    assert [each.status for each in estimated[:6]] == [0, 0, 1, 1, 1, 0]
    assert [each.total for each in estimated if not each.status] == [each.total for each in found]
    steps = [b.total - a.total for a, b in pairwise(estimated[1:6])]
    assert steps == pytest.approx([steps[0]] * 4)
    assert late == whole


def test_a_reset_is_a_discontinuity_of_totals_alone() -> None:
    """The total falls to 0 and the reading says so; consumption goes on."""
    dcs = FakeDcs()
    dcs.now = NOON
    before = dcs.readings("R733", MIDNIGHT, NOON)
    dcs.campus.register("R733").resets = [MIDNIGHT + 5 * HALF_HOUR]
    after = dcs.readings("R733", MIDNIGHT, NOON)

    assert used(after) == used(before)
    assert after[5].total == 0
    assert [each.status for each in after] == [0] * 5 + [Status.RESET] + [0] * 18
    assert after[6].total == before[6].total - before[5].total


def test_a_calibration_moves_totals_from_its_start() -> None:
    """It is applied only for those who ask for it."""
    dcs = FakeDcs()
    dcs.now = NOON
    before = dcs.readings("R733", MIDNIGHT, NOON)
    dcs.campus.register("R733").calibrations = [Calibration(MIDNIGHT + HALF_HOUR, 1000)]
    after = dcs.readings("R733", MIDNIGHT, NOON)

    assert dcs.readings("R733", MIDNIGHT, NOON, calibrated=False) == before
    assert used(after) == used(before)
    assert [b.total - a.total for a, b in zip(before, after, strict=True)] == [0] + [1000] * 23


@pytest.mark.slow  # a Python process starts
def test_a_process_serves_a_body_made_beforehand() -> None:
    """The benchmarks measure how a huge one is read, so making it must not count."""
    argv = [sys.executable, "-m", "tests.support.dcs", "--reply-mb", "1", "--api", "current"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())

        async def read() -> Any:
            query = {"id": "R733", **span(MIDNIGHT, NOON)}
            url = f"{said['current']}/public/readings"
            async with aiohttp.ClientSession() as session, session.get(url, params=query) as reply:
                return await reply.json()

        body = asyncio.run(read())
        seen, _ = process.communicate()

    assert len(body["readings"]) == said["readings"]
    assert datetime.fromisoformat(body["readings"][0]["timestamp"]).timestamp() == said["first"]
    assert json.loads(seen) == {"asked": 1, "overlaps": 0, "open": 0}
