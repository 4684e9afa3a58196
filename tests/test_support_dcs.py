"""The DCS server of the tests enforces what the real one does, and knows what it has read."""

import asyncio
import json
import math
import ssl
import subprocess
import sys
from bisect import bisect_left
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.support.dcs import LONDON, Calibration, FakeDcs, Gap, Reading, Status
from tests.support.dcs.faults import login_page

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
MIDNIGHT = datetime(2024, 3, 1, tzinfo=UTC)
HALF_HOUR = timedelta(minutes=30)
CREDENTIALS = {"username": "reader", "password": "s3cret"}


@pytest_asyncio.fixture
async def client(dcs: FakeDcs) -> AsyncIterator["Client"]:
    """Give somebody who asks a server at noon of the first of March."""
    dcs.now = NOON
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield Client(dcs, session)


class Client:
    """Somebody who asks a server."""

    def __init__(self, dcs: FakeDcs, session: aiohttp.ClientSession) -> None:
        self.dcs, self.session = dcs, session

    async def get(self, url: str, **query: Any) -> tuple[int, Any]:
        """Return the status and the document that a question is answered with."""
        reply, text = await self.raw(url, **query)
        return reply.status, json.loads(text)

    async def raw(self, url: str, **query: Any) -> tuple[aiohttp.ClientResponse, str]:
        """Return what a question is answered with, as it comes."""
        asked = {name: str(value) for name, value in query.items()}
        async with self.session.get(url, params=asked, allow_redirects=False) as reply:
            return reply, await reply.text()

    async def readings(self, identity: str = "R733", **query: Any) -> tuple[int, Any]:
        """Ask the current API for readings, without signing in."""
        return await self.get(f"{self.dcs.current_url}/public/readings", id=identity, **query)

    async def post(self, path: str, **sent: Any) -> int:
        """Return the status that a POST is answered with."""
        async with self.session.post(f"{self.dcs.url}/{path}", json=sent) as reply:
            await reply.read()
            return reply.status

    async def sign_in(self) -> None:
        """Sign in to both APIs."""
        assert await self.post("DCSWebApi/authentication/signin", **CREDENTIALS) == 200
        assert await self.post("DCS/api/account/login", **CREDENTIALS) == 200


def iso(at: datetime) -> str:
    """Write a time as the current API wants it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def span(start: datetime, end: datetime) -> dict[str, str]:
    """Return the parameters for a range in the current API."""
    return {"startTime": iso(start), "endTime": iso(end)}


# -- the rules of the current API


@pytest.mark.parametrize(
    ("query", "details"),
    [
        ({}, "two of"),
        ({"startTime": iso(MIDNIGHT)}, "two of"),
        ({**span(MIDNIGHT, NOON), "periodCount": 24}, "two of"),
        ({"startTime": iso(MIDNIGHT), "periodCount": 0}, "periodCount"),
        ({"startTime": "2024-03-01", "periodCount": 1}, "2024-03-01"),
        ({"startTime": "2024-03-01T00:00:00+00:00", "periodCount": 1}, "yyyy-MM-dd"),
        ({"startTime": "2024-03-01T00:10:00Z", "periodCount": 1}, "periodType"),
        ({"startTime": "2024-03-01T00:30:00Z", "periodCount": 1, "periodType": "hour"}, "hour"),
        ({"startTime": "2024-03-01T01:00:00Z", "periodCount": 1, "periodType": "day"}, "day"),
        ({"startTime": iso(MIDNIGHT), "periodCount": 1, "periodType": "week"}, "week"),
        ({"startTime": "2024-03-04T00:00:00Z", "periodCount": 1, "periodType": "month"}, "month"),
        (
            {**span(MIDNIGHT, MIDNIGHT + timedelta(days=30)), "periodType": "month"},
            "month",
        ),
        ({**span(NOON, MIDNIGHT)}, "before"),
        ({**span(MIDNIGHT, NOON), "periodType": "year"}, "periodType"),
        ({**span(MIDNIGHT, NOON), "format": "brief"}, "format"),
        ({**span(MIDNIGHT, NOON), "calibrated": "yes"}, "calibrated"),
        ({**span(MIDNIGHT, NOON), "identity": "VM9", "format": "complete"}, "virtual"),
        ({"startTime": iso(MIDNIGHT), "periodCount": 1, "identity": "R734", "periodType": "hour"},
         "instantaneous"),
    ],
)  # fmt: skip
async def test_bad_parameters_are_refused(
    client: Client, query: dict[str, Any], details: str
) -> None:
    """What the documentation forbids is a 400 that says why."""
    status, said = await client.readings(**query)

    assert status == 400
    assert details in said["details"]


@pytest.mark.parametrize(
    ("period", "start", "end", "count"),
    [
        ("halfHour", MIDNIGHT, NOON, 24),
        ("HOUR", MIDNIGHT, NOON, 12),
        ("day", datetime(2024, 2, 1, tzinfo=UTC), MIDNIGHT, 29),
        ("Week", datetime(2024, 2, 5, tzinfo=UTC), datetime(2024, 2, 26, tzinfo=UTC), 3),
        ("month", datetime(2023, 11, 1, tzinfo=UTC), MIDNIGHT, 4),
    ],
)
async def test_a_range_can_be_said_in_three_ways(
    client: Client, period: str, start: datetime, end: datetime, count: int
) -> None:
    """Start and end, start and count, count and end mean the same."""
    ways: list[dict[str, Any]] = [
        {"startTime": iso(start), "endTime": iso(end)},
        {"startTime": iso(start), "periodCount": count},
        {"endTime": iso(end), "periodCount": count},
    ]
    answers = [await client.readings(periodType=period, **way) for way in ways]

    assert [status for status, _ in answers] == [200, 200, 200]
    assert all(said == answers[0][1] for _, said in answers)
    assert len(answers[0][1]["readings"]) == count


async def test_paths_and_ids_may_have_any_case_and_a_slash(client: Client) -> None:
    """As with the real server, case does not matter, nor does a slash at the end."""
    url = f"{client.dcs.url}/dcswebAPI/PUBLIC/Readings/"
    asked = {"ID": "r733", "STARTTIME": iso(MIDNIGHT), "periodcount": "1", "PeriodType": "DAY"}
    status, said = await client.get(url, **asked)

    assert status == 200
    assert said["name"] == "Library: Active Energy (import)"


async def test_a_long_range_is_refused(client: Client) -> None:
    """The range limit is that of the mode, and the words tell what is wrong."""
    client.dcs.rules.public_range_days = 31
    allowed, _ = await client.readings(**span(NOON - timedelta(days=31), NOON))
    status, said = await client.readings(**span(NOON - timedelta(days=31), NOON + HALF_HOUR))

    assert (allowed, status) == (200, 400)
    assert "range" in said["details"]
    assert "31 days" in said["details"]


# -- who may ask


@pytest.mark.parametrize(
    ("meters", "sign_in", "sign_out"),
    [
        ("DCSWebApi/meters", "DCSWebApi/authentication/signin", "DCSWebApi/authentication/signout"),
        ("DCS/api/meters", "DCS/api/account/login", "DCS/api/account/logout"),
    ],
)
async def test_a_cookie_lets_in_until_it_is_signed_out(
    client: Client, meters: str, sign_in: str, sign_out: str
) -> None:
    """Without a cookie, or with a revoked one, there is nothing but a 401."""
    url = f"{client.dcs.url}/{meters}"
    before, _ = await client.get(url)
    await client.post(sign_in, **CREDENTIALS)
    (token,) = client.dcs.signed_in
    inside, _ = await client.get(url)
    gone = [await client.post(sign_out), await client.post(sign_out)]
    after, said = await client.get(url)

    assert (before, inside, after) == (401, 200, 401)
    assert gone == [204, 204]
    assert said["details"]
    assert token not in client.dcs.signed_in


async def test_cookies_are_named_as_the_real_ones(client: Client) -> None:
    """Each API has a cookie of its own."""
    await client.sign_in()
    names = {cookie.key for cookie in client.session.cookie_jar}

    assert {name[:14] for name in names} == {"COHERENT-DCSV3", "COHERENT-DCS-A"}
    assert len(client.dcs.signed_in) == 2


async def test_a_wrong_password_is_refused(client: Client) -> None:
    """Nobody is let in with it."""
    for path in ("DCSWebApi/authentication/signin", "DCS/api/account/login"):
        assert 400 <= await client.post(path, username="reader", password="guess") < 500
    assert not client.dcs.signed_in


async def test_a_cookie_expires_after_some_requests(client: Client) -> None:
    """It is good for as many requests as were configured, until somebody signs in again."""
    client.dcs.rules.cookie_requests = 2
    await client.sign_in()
    url = f"{client.dcs.current_url}/meters"
    statuses = [(await client.get(url))[0] for _ in range(3)]
    await client.sign_in()

    assert statuses == [200, 200, 401]
    assert (await client.get(url))[0] == 200


async def test_either_mode_can_be_off(client: Client) -> None:
    """A server may have the public paths, the private ones, or both."""
    await client.sign_in()
    client.dcs.rules.public = False
    closed, _ = await client.get(f"{client.dcs.current_url}/public/meters")
    client.dcs.rules.private = False
    gone, _ = await client.get(f"{client.dcs.current_url}/meters")

    assert (closed, gone) == (404, 404)


async def test_the_rate_is_limited_for_all_callers_together(client: Client) -> None:
    """Normal replies count down; one too many is a 429 that says how long to wait."""
    client.dcs.rules.public_rate, client.dcs.rules.rate_window = 2, 60
    url = f"{client.dcs.current_url}/public/meters"
    left = [(await client.raw(url))[0].headers["X-Rate-Limit-Remaining"] for _ in range(2)]
    refused, text = await client.raw(url)
    client.dcs.rules.retry_after = "soon"
    unusable, _ = await client.raw(url)

    assert left == ["1", "0"]
    assert refused.status == 429
    assert refused.headers["Retry-After"] in {"59s", "60s"}
    assert json.loads(text)["backOffSuggestion"] in {59, 60}
    assert unusable.headers["Retry-After"] == "soon"
    assert client.dcs.rate_refusals == 2


async def test_the_rate_starts_anew_when_it_says(client: Client) -> None:
    """X-Rate-Limit-Reset is when there may be more requests."""
    client.dcs.rules.public_rate, client.dcs.rules.rate_window = 1, 0.05
    url = f"{client.dcs.current_url}/public/meters"
    reply, _ = await client.raw(url)
    reset = datetime.fromisoformat(reply.headers["X-Rate-Limit-Reset"])
    await asyncio.sleep(max(0.0, (reset - datetime.now(UTC)).total_seconds()) + 0.002)

    assert (await client.raw(url))[0].status == 200


@pytest.mark.slow
async def test_two_transactions_at_a_time_are_noticed(client: Client) -> None:
    """A transaction lasts from the request to the last byte of the answer."""
    client.dcs.rules.pause, client.dcs.rules.chunk = 0.02, 5
    start, url = span(MIDNIGHT, NOON), f"{client.dcs.current_url}/public/readings"
    async with client.session.get(url, params={"id": "R733", **start}):  # has headers only
        await client.get(f"{client.dcs.current_url}/public/meters")
        await client.readings(**start)

    assert len(client.dcs.overlaps) == 2


@pytest.mark.slow
async def test_one_transaction_after_the_other_is_no_overlap(client: Client) -> None:
    """Neither a body that was read nor a connection that was given up is held against anybody."""
    url = f"{client.dcs.current_url}/public/readings"
    decade = {"id": "R733", **span(NOON - timedelta(days=3650), NOON)}
    for _ in range(5):
        await client.readings(**span(MIDNIGHT, NOON))
        async with client.session.get(url, params=decade) as reply:
            await reply.content.readany()
            reply.close()
        async with client.session.get(url, params=decade) as reply:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await reply.read()

    assert client.dcs.overlaps == []


# -- what goes wrong


async def test_faults_are_used_up_one_by_one(client: Client) -> None:
    """A fault hits as many requests as it is meant for, and only those that fit."""
    client.dcs.fail(503, times=2, match="readings")
    client.dcs.fail(500, match="readings")
    url = f"{client.dcs.current_url}/public/meters"
    statuses = [(await client.readings(**span(MIDNIGHT, NOON)))[0] for _ in range(2)]
    statuses.append((await client.get(url))[0])
    statuses += [(await client.readings(**span(MIDNIGHT, NOON)))[0] for _ in range(2)]

    assert statuses == [503, 503, 200, 500, 200]


@pytest.mark.parametrize("cut", [0, 100, 10_000_000])
@pytest.mark.parametrize("packed", [True, False])
async def test_a_body_can_be_cut(client: Client, cut: int, *, packed: bool) -> None:
    """The connection breaks in the body, at its very end at the latest."""
    client.dcs.rules.gzip = packed
    client.dcs.fail(cut=cut)

    with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ClientConnectionError)):
        await client.readings(**span(MIDNIGHT, NOON))


@pytest.mark.parametrize("status", [200, 302])
async def test_a_login_page_takes_the_servers_place(client: Client, status: int) -> None:
    """Whatever is asked, the answer is a page for people, or the way to it."""
    client.dcs.add(login_page(status))
    for path in ("public/meters", "public/readings", "meters"):
        reply, text = await client.raw(f"{client.dcs.current_url}/{path}")

        assert reply.status == status
        assert "<html" in text


async def test_some_sources_are_refused(client: Client) -> None:
    """A restriction of the account is a 403, an unknown register a 404; others go on."""
    client.dcs.rules.refused = {"R741": 403}
    found = [
        (await client.readings(each, **span(MIDNIGHT, NOON)))[0]
        for each in ("R741", "R999", "R733", "VM9")
    ]

    assert found == [403, 404, 200, 200]


async def test_tls_is_that_of_an_authority_of_its_own(tmp_path: Path) -> None:
    """Only those who trust the authority can ask."""
    async with FakeDcs(tls=True) as dcs, aiohttp.ClientSession() as session:
        assert dcs.ca is not None
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(f"{dcs.current_url}/public/meters")
        trusting = ssl.create_default_context()
        dcs.ca.configure_trust(trusting)
        async with session.get(f"{dcs.current_url}/public/meters", ssl=trusting) as reply:
            assert reply.status == 200


# -- how it writes


async def test_answers_are_compressed_for_those_who_ask(client: Client) -> None:
    """Compression is used when a client takes it, and only then."""
    url = f"{client.dcs.current_url}/public/meters"
    packed, one = await client.raw(url)
    async with client.session.get(url, headers={"Accept-Encoding": "identity"}) as reply:
        two = await reply.text()

    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in reply.headers
    assert one == two


async def test_readings_can_come_first(client: Client) -> None:
    """The order of keys is the server's own business."""
    _, usual = await client.readings(**span(MIDNIGHT, NOON))
    client.dcs.rules.readings_first = True
    _, text = await client.raw(
        f"{client.dcs.current_url}/public/readings", id="R733", **span(MIDNIGHT, NOON)
    )

    assert text.startswith('{"readings":[')
    assert json.loads(text) == usual


async def test_the_documented_slips_are_there(client: Client) -> None:
    """``duration`` for ``readingDuration``, and capitals where none should be."""
    rules = client.dcs.rules
    rules.duration_slip = rules.capital_value = rules.capital_readings = True
    _, said = await client.readings(**span(MIDNIGHT, NOON))

    assert said["duration"] == 0
    assert "readingDuration" not in said
    assert ["Value" in each for each in said["Readings"]] == [False] * 23 + [True]


async def test_what_is_no_number_is_a_string(client: Client) -> None:
    """JSON has no words for it, so the server writes strings."""
    register = client.dcs.campus.register("R733")
    register.strange = {MIDNIGHT: math.nan, MIDNIGHT + HALF_HOUR: -math.inf}
    register.bits = {MIDNIGHT: 8}
    _, said = await client.readings(format="complete", **span(MIDNIGHT, NOON))

    assert said["readings"][0] == {
        "status": 8, "timestamp": "2024-03-01T00:00:00Z",
        "totalValue": "NaN", "periodValue": "NaN",
    }  # fmt: skip
    assert said["readings"][1]["totalValue"] == "-Infinity"


async def test_lists_say_what_there_is(client: Client) -> None:
    """Both APIs list the same; only the legacy one gives single objects."""
    await client.sign_in()
    current, legacy = client.dcs.current_url, f"{client.dcs.legacy_url}/api"
    for name, number in (("meters", 405), ("virtualMeters", 9)):
        _, listed = await client.get(f"{current}/{name}")

        assert (await client.get(f"{legacy}/{name}"))[1] == listed
        assert (await client.get(f"{legacy}/{name}/{number}"))[1] == listed[0]
        assert (await client.get(f"{current}/{name}/{number}"))[0] == 404


# -- the legacy API


async def legacy(client: Client, **query: Any) -> tuple[int, Any]:
    """Ask the legacy API for readings of R733."""
    url = f"{client.dcs.legacy_url}/API/RegisterReadings/list"
    return await client.get(url, registerId=733, **query)


async def test_legacy_defaults_are_the_servers_own(client: Client) -> None:
    """A day of half hours in one decimal place, uncalibrated, in GMT."""
    await client.sign_in()
    start = datetime(2023, 7, 1, tzinfo=UTC)
    client.dcs.campus.register("R733").calibrations = [Calibration(start, 1000)]
    status, said = await legacy(client, start="2023-07-01")
    truth = client.dcs.legacy_readings(
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
async def test_bad_legacy_parameters_are_refused(client: Client, query: dict[str, Any]) -> None:
    """The legacy API has rules, too."""
    await client.sign_in()

    assert (await legacy(client, **query))[0] == 400


async def test_local_days_begin_at_midnight_in_london(client: Client) -> None:
    """The days when the clocks change have 23 and 25 hours."""
    await client.sign_in()
    query = {"integrationPeriod": "day", "useLocalTime": "true", "decimalPlaces": 15}
    _, march = await legacy(client, start="2023-03-26", end="2023-03-28", **query)
    _, october = await legacy(client, start="2023-10-29", end="2023-10-30", **query)
    start = datetime(2023, 3, 26, tzinfo=LONDON)
    halves = client.dcs.readings("R733", start, datetime(2023, 3, 27, tzinfo=LONDON))

    assert [each["startTime"] for each in march] == [
        "2023-03-26T00:00:00Z",
        "2023-03-27T00:00:00+01:00",
    ]
    assert [each["duration"] for each in march] == [23 * 60, 24 * 60]
    assert [each["duration"] for each in october] == [25 * 60]
    assert march[0]["periodValue"] == sum(each.used for each in halves)


async def test_gaps_are_padded_in_the_legacy_api_alone(client: Client) -> None:
    """Generated readings stand for what is missing; the current API leaves it out."""
    await client.sign_in()
    gap = Gap(MIDNIGHT + HALF_HOUR, MIDNIGHT + 3 * HALF_HOUR)
    client.dcs.campus.register("R733").gaps = [gap]
    until = MIDNIGHT + 4 * HALF_HOUR
    _, said = await legacy(client, start=iso(MIDNIGHT), end=iso(until))
    _, estimated = await legacy(client, start=iso(MIDNIGHT), end=iso(until), interpolated="true")
    _, current = await client.readings(**span(MIDNIGHT, until))

    assert [each["isGenerated"] for each in said] == [False, True, True, False]
    assert [each["isInterpolated"] for each in estimated] == [False, True, True, False]
    assert len(current["readings"]) == 2


async def test_virtual_meters_have_no_totals_in_the_legacy_api(client: Client) -> None:
    """Their totals are always 0, and so is what an instantaneous one has used."""
    await client.sign_in()
    url = f"{client.dcs.legacy_url}/api/virtualMeterReadings/list"
    _, sums = await client.get(url, virtualMeterId=9, start="2024-02-01")
    _, samples = await client.get(url, virtualMeterId=10, start="2024-02-01")

    assert {each["totalValue"] for each in sums} == {0}
    assert any(each["periodValue"] for each in sums)
    assert {(each["totalValue"], each["periodValue"]) for each in samples} == {(0, 0)}


# -- what was read


async def test_both_apis_give_the_same(client: Client) -> None:
    """A register's totals and consumption are the same, whoever is asked."""
    await client.sign_in()
    for period, start in (("halfHour", MIDNIGHT), ("month", datetime(2023, 1, 1, tzinfo=UTC))):
        query = span(start, MIDNIGHT + timedelta(days=31))
        _, current = await client.readings(format="complete", periodType=period, **query)
        end = iso(MIDNIGHT + timedelta(days=31))
        _, old = await legacy(
            client, start=iso(start), end=end, integrationPeriod=period, decimalPlaces=15
        )

        assert [(each["startTime"], each["totalValue"], each["periodValue"]) for each in old] == [
            (each["timestamp"], each["totalValue"], each["periodValue"])
            for each in current["readings"]
        ]


async def test_the_truth_is_what_is_told(client: Client) -> None:
    """What a test expects is what a client can read, for sources of all kinds."""
    start = NOON - timedelta(days=40)
    for identity in client.dcs.campus.ids:
        _, said = await client.readings(identity, calibrated="true", **span(start, NOON))
        truth = client.dcs.readings(identity, start, NOON)

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
    """Whatever is asked for, the same energy was used; the last period is not over."""
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


# -- in other places than a test's loop


@pytest.mark.slow
def test_a_process_serves_a_body_made_beforehand() -> None:
    """A huge body is what was asked for, whichever readings are."""
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


async def test_a_thread_serves_while_a_test_is_busy(dcs_apart: FakeDcs) -> None:
    """Tests that wait for other processes need a server that does not wait with them."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{dcs_apart.current_url}/public/meters") as reply,
    ):
        assert len(await reply.json()) == 2
