"""Rate and range limits of a DCS server: how it tells them, and that all callers keep to them."""

from datetime import timedelta

import pytest

from ingestd.plugins.dcs import run
from ingestd.plugins.dcs.endpoint import JITTER, Endpoint
from ingestd.testing import collect
from tests.support.dcs import FakeDcs
from tests.support.dcsreading import (
    NOW,
    Impatient,
    at,
    complaint,
    outcome,
    params,
    patient,
    read,
    state,
    stored,
    used,
)

SINCE = at("2024-03-01")
DATE = "Fri, 01 Mar 2024 12:00:00 GMT"
SPENT = {"X-Rate-Limit-Remaining": "0"}
MINUTE_LATER = "Fri, 01 Mar 2024 12:01:00 GMT"


@pytest.mark.slow
@pytest.mark.parametrize("api", ["current", "public", "legacy"])
async def test_range_limit_shrinks_the_windows(dcs: FakeDcs, api: str) -> None:
    """It is found out once, and remembered for all sources."""
    rules = dcs.rules
    rules.private_range_days = rules.public_range_days = rules.legacy_range_days = 31

    found = await read(dcs, api, registers=["R733", "R741"], since="2023-01-01")

    asked = [each.status for each in dcs.asked_for("readings")]
    assert asked.count(400) == 3  # of 220, 110 and 55 days
    assert asked[:3] == [400] * 3
    assert stored(found)["dcs_R733_half_hour"] == used(dcs.readings("R733", at("2023-01-01"), NOW))
    assert complaint(found) == ""


async def test_limit_below_a_period_is_the_registers_problem(dcs: FakeDcs) -> None:
    """A month cannot be cut; what was learnt of it is not held against others."""
    dcs.rules.private_range_days = 20

    found = await read(
        dcs, registers=["R733", "R734"], period="month", since="2024-01-01", revisit=timedelta()
    )

    assert "R733" in complaint(found)
    assert "exceeds the maximum range of 20 days" in complaint(found)
    assert "R734" in state(found)


@pytest.mark.slow
async def test_rate_limit_is_kept_to_as_it_is_told(dcs: FakeDcs) -> None:
    """Nobody asks while nothing remains, so nobody is refused."""
    dcs.rules.private_rate, dcs.rules.rate_window = 3, 0.2

    found = await read(dcs, registers=["R733", "R734", "R740"], since=SINCE)

    assert dcs.rate_refusals == 0
    assert len(dcs.asked_for("readings")) == 3
    assert complaint(found) == ""


@pytest.mark.parametrize("retry_after", ["{}s", "{}", ""])
async def test_too_many_requests_are_repeated_when_the_server_says(
    dcs: FakeDcs, retry_after: str
) -> None:
    """Another program has used up the limit that all share."""
    dcs.now, dcs.rules.retry_after = NOW, retry_after
    said = {"Retry-After": retry_after.format(0)} if retry_after else {}
    dcs.fail(
        429,
        times=2,
        match="readings",
        text='{"details": "Too many", "backOffSuggestion": 0}',
        headers={"Content-Type": "application/json", **said},
    )

    async with patient() as ctx:
        found = await collect(run, ctx=ctx, **params(dcs, registers=["R733"], since=SINCE))

    assert [each.status for each in dcs.asked_for("readings")] == [429, 429, 200]
    assert complaint(found) == ""


async def test_server_that_wants_to_be_left_alone_for_long_ends_the_run(dcs: FakeDcs) -> None:
    """Better than to sleep in it; the next run goes on from there."""
    dcs.now = NOW
    dcs.fail(429, times=0, match="R741", headers={"Retry-After": "3000s"})

    async with patient() as ctx:
        found, said = await outcome(dcs, ctx=ctx, registers=["R733", "R741"], since=SINCE)

    assert "expected 200, got 429" in said
    assert set(state(found)) == {"R733"}


@pytest.mark.parametrize("retries", [0, 3])
@pytest.mark.parametrize("match", ["signin", "readings"])
async def test_pause_that_a_body_asks_for_holds_for_everybody(
    dcs: FakeDcs, match: str, retries: int
) -> None:
    """Nobody else asks meanwhile, and people are told what the server says."""
    dcs.now = NOW
    dcs.fail(
        429,
        times=0,
        match=match,
        text='{"details": "Too many of you", "backOffSuggestion": 100}',
        headers={"Content-Type": "application/json"},
    )

    async with patient(retries=retries) as ctx:
        _, said = await outcome(dcs, ctx=ctx, registers=["R733"], since=SINCE)
        pause = ctx.shared(Endpoint, dcs.current_url, "private").pause

    assert "got 429 Too Many Requests: 'Too many of you'" in said
    assert 95 < pause < 101
    assert not dcs.signed_in


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_server_that_is_away_in_passing_is_asked_again(dcs: FakeDcs, status: int) -> None:
    """A restart of its application takes some seconds."""
    dcs.now = NOW
    dcs.fail(status, times=3, match="readings")

    async with patient(clock=Impatient()) as ctx:
        found = await collect(run, ctx=ctx, **params(dcs, registers=["R733"], since=SINCE))

    assert [each.status for each in dcs.asked_for("readings")] == [status] * 3 + [200]
    assert complaint(found) == ""


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Retry-After": "60"}, b""),
        ({"Retry-After": "60s"}, b""),
        ({"Retry-After": "1m"}, b'{"backOffSuggestion": 5}'),
        ({"Retry-After": MINUTE_LATER, "Date": DATE}, b""),
        ({"Retry-After": "soon"}, b'{"backOffSuggestion": 60}'),
        ({**SPENT, "X-Rate-Limit-Reset": "2024-03-01T12:01Z", "Date": DATE}, b""),
    ],
)
async def test_pause_lasts_as_long_as_the_server_says(headers: dict[str, str], body: bytes) -> None:
    """A date counts by the server's own clock, since ours may be years ahead."""
    endpoint = Endpoint("https://dcs.example.org", "current")

    endpoint.note(429, headers, body)

    assert 59 < endpoint.pause <= 60 + JITTER
