"""The DCS server of the tests keeps to the rules of real ones: who may ask what, and how often."""

import asyncio
import json
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.dcs import FakeDcs
from tests.support.dcs.client import CREDENTIALS, NOON, Client, iso, span
from tests.support.dcs.faults import login_page

MIDNIGHT = datetime(2024, 3, 1, tzinfo=UTC)
HALF_HOUR = timedelta(minutes=30)


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
    dcs_client: Client, query: dict[str, Any], details: str
) -> None:
    """What the documentation forbids is a 400 that says why."""
    status, said = await dcs_client.readings(**query)

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
    dcs_client: Client, period: str, start: datetime, end: datetime, count: int
) -> None:
    """Start and end, start and count, count and end mean the same."""
    ways: list[dict[str, Any]] = [
        {"startTime": iso(start), "endTime": iso(end)},
        {"startTime": iso(start), "periodCount": count},
        {"endTime": iso(end), "periodCount": count},
    ]
    answers = [await dcs_client.readings(periodType=period, **way) for way in ways]

    assert [status for status, _ in answers] == [200, 200, 200]
    assert all(said == answers[0][1] for _, said in answers)
    assert len(answers[0][1]["readings"]) == count


async def test_paths_and_ids_may_have_any_case_and_a_slash(dcs_client: Client) -> None:
    """The real server does not mind either, nor a slash at the end."""
    url = f"{dcs_client.dcs.url}/dcswebAPI/PUBLIC/Readings/"
    asked = {"ID": "r733", "STARTTIME": iso(MIDNIGHT), "periodcount": "1", "PeriodType": "DAY"}
    status, said = await dcs_client.get(url, **asked)

    assert status == 200
    assert said["name"] == "Library: Active Energy (import)"


async def test_a_long_range_is_refused(dcs_client: Client) -> None:
    """The range limit is that of the mode, and the words tell what is wrong."""
    dcs_client.dcs.rules.public_range_days = 31
    allowed, _ = await dcs_client.readings(**span(NOON - timedelta(days=31), NOON))
    status, said = await dcs_client.readings(**span(NOON - timedelta(days=31), NOON + HALF_HOUR))

    assert (allowed, status) == (200, 400)
    assert "range" in said["details"]
    assert "31 days" in said["details"]


@pytest.mark.parametrize(
    ("meters", "sign_in", "sign_out"),
    [
        ("DCSWebApi/meters", "DCSWebApi/authentication/signin", "DCSWebApi/authentication/signout"),
        ("DCS/api/meters", "DCS/api/account/login", "DCS/api/account/logout"),
    ],
)
async def test_a_cookie_lets_in_until_it_is_signed_out(
    dcs_client: Client, meters: str, sign_in: str, sign_out: str
) -> None:
    """Without a cookie, or with a revoked one, there is nothing but a 401."""
    url = f"{dcs_client.dcs.url}/{meters}"
    before, _ = await dcs_client.get(url)
    await dcs_client.post(sign_in, **CREDENTIALS)
    (token,) = dcs_client.dcs.signed_in
    inside, _ = await dcs_client.get(url)
    gone = [await dcs_client.post(sign_out), await dcs_client.post(sign_out)]
    after, said = await dcs_client.get(url)

    assert (before, inside, after) == (401, 200, 401)
    assert gone == [204, 204]
    assert said["details"]
    assert token not in dcs_client.dcs.signed_in


async def test_cookies_are_named_as_the_real_ones(dcs_client: Client) -> None:
    """Each API has a cookie of its own."""
    await dcs_client.sign_in()
    names = {cookie.key for cookie in dcs_client.session.cookie_jar}

    assert {name[:14] for name in names} == {"COHERENT-DCSV3", "COHERENT-DCS-A"}
    assert len(dcs_client.dcs.signed_in) == 2


async def test_a_wrong_password_is_refused(dcs_client: Client) -> None:
    """No client is let in with it."""
    for path in ("DCSWebApi/authentication/signin", "DCS/api/account/login"):
        assert 400 <= await dcs_client.post(path, username="reader", password="guess") < 500
    assert not dcs_client.dcs.signed_in


async def test_a_cookie_expires_after_some_requests(dcs_client: Client) -> None:
    """It is good for as many requests as were configured, until its client signs in again."""
    dcs_client.dcs.rules.cookie_requests = 2
    await dcs_client.sign_in()
    url = f"{dcs_client.dcs.current_url}/meters"
    statuses = [(await dcs_client.get(url))[0] for _ in range(3)]
    await dcs_client.sign_in()

    assert statuses == [200, 200, 401]
    assert (await dcs_client.get(url))[0] == 200


async def test_either_mode_can_be_off(dcs_client: Client) -> None:
    """A server may have the public paths, the private ones, or both."""
    await dcs_client.sign_in()
    dcs_client.dcs.rules.public = False
    closed, _ = await dcs_client.get(f"{dcs_client.dcs.current_url}/public/meters")
    dcs_client.dcs.rules.private = False
    gone, _ = await dcs_client.get(f"{dcs_client.dcs.current_url}/meters")

    assert (closed, gone) == (404, 404)


async def test_the_rate_is_limited_for_all_callers_together(dcs_client: Client) -> None:
    """Normal replies count down; one too many is a 429 that says how long to wait."""
    dcs_client.dcs.rules.public_rate, dcs_client.dcs.rules.rate_window = 2, 60
    url = f"{dcs_client.dcs.current_url}/public/meters"
    left = [(await dcs_client.raw(url))[0].headers["X-Rate-Limit-Remaining"] for _ in range(2)]
    refused, text = await dcs_client.raw(url)
    dcs_client.dcs.rules.retry_after = "soon"
    unusable, _ = await dcs_client.raw(url)

    assert left == ["1", "0"]
    assert refused.status == 429
    assert refused.headers["Retry-After"] in {"59s", "60s"}
    assert json.loads(text)["backOffSuggestion"] in {59, 60}
    assert unusable.headers["Retry-After"] == "soon"
    assert dcs_client.dcs.rate_refusals == 2


async def test_the_rate_starts_anew_when_it_says(dcs_client: Client) -> None:
    """X-Rate-Limit-Reset is when there may be more requests."""
    dcs_client.dcs.rules.public_rate, dcs_client.dcs.rules.rate_window = 1, 0.05
    url = f"{dcs_client.dcs.current_url}/public/meters"
    reply, _ = await dcs_client.raw(url)
    reset = datetime.fromisoformat(reply.headers["X-Rate-Limit-Reset"])
    await asyncio.sleep(max(0.0, (reset - datetime.now(UTC)).total_seconds()) + 0.002)

    assert (await dcs_client.raw(url))[0].status == 200


@pytest.mark.slow  # an answer is slow
async def test_two_transactions_at_a_time_are_noticed(dcs_client: Client) -> None:
    """A transaction lasts from the request to the last byte of the answer."""
    dcs_client.dcs.rules.pause, dcs_client.dcs.rules.chunk = 0.02, 5
    start, url = span(MIDNIGHT, NOON), f"{dcs_client.dcs.current_url}/public/readings"
    async with dcs_client.session.get(url, params={"id": "R733", **start}):  # has headers only
        await dcs_client.get(f"{dcs_client.dcs.current_url}/public/meters")
        await dcs_client.readings(**start)

    assert len(dcs_client.dcs.overlaps) == 2


@pytest.mark.slow  # long answers are given up
async def test_one_transaction_after_the_other_is_no_overlap(dcs_client: Client) -> None:
    """Neither a body that was read nor a connection that was given up counts as one."""
    url = f"{dcs_client.dcs.current_url}/public/readings"
    decade = {"id": "R733", **span(NOON - timedelta(days=3650), NOON)}
    for _ in range(5):
        await dcs_client.readings(**span(MIDNIGHT, NOON))
        async with dcs_client.session.get(url, params=decade) as reply:
            await reply.content.readany()
            reply.close()
        async with dcs_client.session.get(url, params=decade) as reply:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await reply.read()

    assert dcs_client.dcs.overlaps == []


@pytest.mark.parametrize("status", [200, 302])
async def test_a_login_page_takes_the_servers_place(dcs_client: Client, status: int) -> None:
    """To any question the answer is a page for people, or the way to it."""
    dcs_client.dcs.add(login_page(status))
    for path in ("public/meters", "public/readings", "meters"):
        reply, text = await dcs_client.raw(f"{dcs_client.dcs.current_url}/{path}")

        assert reply.status == status
        assert "<html" in text


async def test_some_sources_are_refused(dcs_client: Client) -> None:
    """A restriction of the account is a 403, an unknown register a 404; others go on."""
    dcs_client.dcs.rules.refused = {"R741": 403}
    found = [
        (await dcs_client.readings(each, **span(MIDNIGHT, NOON)))[0]
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
