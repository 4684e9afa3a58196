"""Who may ask a server next, and when."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from ingestd.plugins.dcs.endpoint import Endpoint, until_reset
from ingestd.plugins.dcs.turns import Turns, Urgency

NOON = datetime(2024, 3, 15, 12, tzinfo=UTC)


async def take(turns: Turns, urgency: Urgency, name: str, order: list[str]) -> None:
    """Take a turn and note it."""
    async with turns.turn(urgency):
        order.append(name)
        await asyncio.sleep(0)


async def test_most_urgent_goes_first_then_who_came_first() -> None:
    """Nobody who has the server is disturbed."""
    turns, order = Turns("http://h"), list[str]()
    waiting = [
        ("backfill 1", Urgency.BACKFILL),
        ("live 1", Urgency.LIVE),
        ("live 2", Urgency.LIVE),
        ("leaving", Urgency.LEAVING),
        ("backfill 2", Urgency.BACKFILL),
    ]

    async with asyncio.TaskGroup() as group, turns.turn(Urgency.BACKFILL):
        for name, urgency in waiting:
            group.create_task(take(turns, urgency, name, order))
        await asyncio.sleep(0)
        assert order == []

    assert order == ["leaving", "live 1", "live 2", "backfill 1", "backfill 2"]


async def test_who_gives_up_waiting_loses_nobody_the_turn() -> None:
    """Whether before it was theirs, or at the very moment."""
    turns, order = Turns("http://h"), list[str]()
    async with turns.turn(Urgency.LIVE):
        tasks = [asyncio.create_task(take(turns, Urgency.LIVE, f"{n}", order)) for n in range(4)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.sleep(0)
    tasks[0].cancel()  # it has been given the turn, and does not know yet
    await asyncio.wait(tasks)

    assert order == ["2", "3"]
    async with asyncio.timeout(1), turns.turn(Urgency.LIVE):
        pass


async def test_error_in_a_turn_ends_it() -> None:
    """The next one gets it."""
    turns = Turns("http://h")
    with pytest.raises(ValueError, match="x"):
        async with turns.turn(Urgency.LIVE):
            raise ValueError("x")

    async with asyncio.timeout(1), turns.turn(Urgency.LIVE):
        pass


def headers(remaining: str, reset: datetime | str) -> dict[str, str]:
    """Return the headers of an answer at noon by the server's clock."""
    return {
        "Date": format_datetime(NOON, usegmt=True),
        "X-Rate-Limit-Remaining": remaining,
        "X-Rate-Limit-Reset": reset if isinstance(reset, str) else reset.isoformat(),
    }


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
    """By the server's own clock, which may be wrong; bounded, with some jitter."""
    endpoint = Endpoint("http://h/DCSWebApi", "private")

    endpoint.note(200, told)

    assert seconds - 0.1 <= endpoint.pause <= seconds + 0.25


@pytest.mark.parametrize(
    ("told", "seconds"), [("3s", 3), ("3", 3), (" 2.5 s", 2.5), ("", 0), ("Fri", 0)]
)
async def test_endpoint_is_left_alone_when_it_was_too_much(told: str, seconds: float) -> None:
    """However many seconds are written."""
    endpoint = Endpoint("http://h/DCSWebApi", "private")

    endpoint.note(429, {"Retry-After": told})

    assert seconds - 0.1 <= endpoint.pause <= seconds + 0.25


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
    """Where no header does."""
    silent, speaking = (Endpoint("http://h/DCSWebApi", "private") for _ in range(2))

    silent.note(429, {}, body)
    speaking.note(429, {"Retry-After": "1"}, body)

    assert seconds - 0.1 <= silent.pause <= seconds + 0.25
    assert 0.9 <= speaking.pause <= 1.25


def test_reset_is_measured_by_the_servers_clock() -> None:
    """Ours may be off by hours."""
    assert until_reset(headers("0", NOON + timedelta(seconds=7))) == 7


async def test_longest_window_only_shrinks() -> None:
    """Whoever learns it tells everybody."""
    endpoint = Endpoint("http://h/DCSWebApi", "private")

    for days in (90, 30, 60):
        endpoint.learn(timedelta(days=days))

    assert endpoint.longest == timedelta(days=30)
