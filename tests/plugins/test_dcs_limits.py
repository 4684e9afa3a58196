"""Rate and range limits of a DCS server: how it tells them, and that all callers keep to them."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from ingestd.plugins.dcs import run
from ingestd.plugins.dcs.endpoint import JITTER, Endpoint, until_reset
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
NOON = datetime(2024, 3, 15, 12, tzinfo=UTC)


@pytest.mark.slow  # windows are halved, and each window's readings are read and compared
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


@pytest.mark.slow  # windows are halved, and each window's readings are read and compared
@pytest.mark.parametrize("text", ["Date span limit is {} days", "{}: no", "Ungültige Anfrage"])
@pytest.mark.parametrize("api", ["current", "legacy"])
async def test_range_limit_is_found_out_whatever_the_server_calls_it(
    dcs: FakeDcs, api: str, text: str
) -> None:
    """A server that gives a single period, and not the window, means its length."""
    rules = dcs.rules
    rules.private_range_days = rules.legacy_range_days = 30
    rules.range_text = text

    found = await read(dcs, api, registers=["R733", "R741"], since="2023-05-01")

    for name in ("R733", "R741"):
        wanted = used(dcs.readings(name, at("2023-05-01"), NOW))
        assert stored(found)[f"dcs_{name}_half_hour"] == wanted
    assert complaint(found) == ""
    assert [each.status for each in dcs.asked_for("readings")].count(400) <= 4  # of the first


async def test_register_that_is_refused_for_good_costs_one_request_more(dcs: FakeDcs) -> None:
    """Its windows are not halved down to a half hour."""
    dcs.rules.refused = {"R733": 400}

    found = await read(dcs, registers=["R733", "R741"], since=SINCE)

    asked = [each.query["id"] for each in dcs.asked_for("readings")]
    assert asked == ["R733", "R733", "R741"]
    assert "R733" in complaint(found)


async def test_limit_below_a_period_is_the_registers_problem(dcs: FakeDcs) -> None:
    """A month cannot be cut; what was learnt of it is not held against others."""
    dcs.rules.private_range_days = 20

    found = await read(
        dcs, registers=["R733", "R734"], period="month", since="2024-01-01", revisit=timedelta()
    )

    assert "R733" in complaint(found)
    assert "exceeds the maximum range of 20 days" in complaint(found)
    assert "R734" in state(found)


@pytest.mark.slow  # the server's limit begins anew
async def test_rate_limit_is_kept_to_as_it_is_told(dcs: FakeDcs) -> None:
    """No collector asks while nothing remains, so none is refused."""
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
    """That is better than to sleep in it; the next run goes on from there."""
    dcs.now = NOW
    dcs.fail(429, times=0, match="R741", headers={"Retry-After": "3000s"})

    async with patient() as ctx:
        found, said = await outcome(dcs, ctx=ctx, registers=["R733", "R741"], since=SINCE)

    assert "expected 200, got 429" in said
    assert set(state(found)) == {"R733"}


@pytest.mark.parametrize("retries", [0, 3])
@pytest.mark.parametrize("match", ["signin", "readings"])
async def test_pause_that_a_body_asks_for_holds_for_all_collectors(
    dcs: FakeDcs, match: str, retries: int
) -> None:
    """No other collector asks meanwhile, and people are told what the server says."""
    dcs.now = NOW
    dcs.fail(
        429,
        times=0,
        match=match,
        text='{"details": "Too many of you", "backOffSuggestion": 100}',
        headers={"Content-Type": "application/json"},
    )

    async with patient(retries=retries) as ctx:
        with left_alone(ctx.shared(Endpoint, dcs.current_url, "private"), 100):
            _, said = await outcome(dcs, ctx=ctx, registers=["R733"], since=SINCE)

    assert "got 429 Too Many Requests: 'Too many of you'" in said
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


def headers(remaining: str, reset: datetime | str) -> dict[str, str]:
    """Return the headers of an answer at noon by the server's clock."""
    return {
        "Date": format_datetime(NOON, usegmt=True),
        "X-Rate-Limit-Remaining": remaining,
        "X-Rate-Limit-Reset": reset if isinstance(reset, str) else reset.isoformat(),
    }


@contextmanager
def left_alone(endpoint: Endpoint, seconds: float) -> Iterator[None]:
    """Check that an endpoint is left alone from what happens here on, so long and little longer."""
    clock = asyncio.get_running_loop().time
    before = clock()
    yield
    if seconds:
        assert before + seconds <= endpoint.free_at <= clock() + seconds + JITTER
    else:
        assert endpoint.free_at == 0


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ({"Retry-After": "3s"}, 3),
        ({"Retry-After": "3"}, 3),
        ({"Retry-After": " 2.5 s"}, 2.5),
        ({"Retry-After": "1m"}, 60),
        ({"Retry-After": "Fri, 15 Mar 2024 12:01:00 GMT", **headers("1", "")}, 60),
        ({"Retry-After": "Fri"}, 0),
        ({"Retry-After": ""}, 0),
        ({}, 0),
    ],
)
async def test_endpoint_is_left_alone_when_it_was_too_much(
    told: dict[str, str], seconds: float
) -> None:
    """Seconds may have a unit; a date counts by the server's own clock, which may be years off."""
    endpoint = Endpoint("http://h/DCSWebApi", "private")

    with left_alone(endpoint, seconds):
        endpoint.note(429, told)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        (headers("0", NOON + timedelta(seconds=40)), 40),
        (headers("0", "2024-03-15T12:00:40.5000000Z"), 40.5),
        (headers("0", "2024-03-15T12:00:40"), 40),
        (headers("0", NOON + timedelta(hours=9)), 300),
        (headers("1", NOON + timedelta(seconds=40)), 0),
        (headers("0", NOON - timedelta(seconds=1)), 0),
        (headers("0", "soon"), 0),
        ({}, 0),
        ({"X-Rate-Limit-Remaining": "0"}, 0),
    ],
)
async def test_endpoint_is_left_alone_until_its_limit_begins_anew(
    told: dict[str, str], seconds: float
) -> None:
    """Its clock counts, which may be wrong; the pause is bounded, with some jitter."""
    endpoint = Endpoint("http://h/DCSWebApi", "private")

    with left_alone(endpoint, seconds):
        endpoint.note(200, told)


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        (b'{"details": "Too many", "backOffSuggestion": 3}', 3),
        (b'{"retry_after": "2.5s"}', 2.5),
        (b'{"retryAfter": 2}', 2),
        (b'{"backOffSuggestion": null}', 0),
        (b'{"backOffSuggestion": true}', 0),
        (b"[3]", 0),
        (b"<html>", 0),
        (b"", 0),
    ],
)
async def test_endpoint_is_left_alone_as_a_body_says(body: bytes, seconds: float) -> None:
    """A body counts where no header says how long."""
    silent, speaking = (Endpoint("http://h/DCSWebApi", "private") for _ in range(2))

    with left_alone(silent, seconds):
        silent.note(429, {}, body)
    with left_alone(speaking, 1):
        speaking.note(429, {"Retry-After": "1"}, body)


def test_reset_is_measured_by_the_servers_clock() -> None:
    """Ours may be off by hours."""
    assert until_reset(headers("0", NOON + timedelta(seconds=7))) == 7


async def test_longest_window_only_shrinks() -> None:
    """All collectors keep to what one of them has learnt."""
    endpoint = Endpoint("http://h/DCSWebApi", "private")

    for days in (90, 30, 60):
        endpoint.learn(timedelta(days=days))

    assert endpoint.longest == timedelta(days=30)
