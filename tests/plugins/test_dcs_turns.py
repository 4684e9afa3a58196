"""Who may ask a server next, and when."""

import asyncio
from datetime import UTC, datetime

import pytest

from ingestd.plugins.dcs.turns import Turns, Urgency
from tests.support.deadline import WITHIN

NOON = datetime(2024, 3, 15, 12, tzinfo=UTC)


async def take(turns: Turns, urgency: Urgency, name: str, order: list[str]) -> None:
    """Take a turn and note it."""
    async with turns.turn(urgency):
        order.append(name)
        await asyncio.sleep(0)


async def test_most_urgent_goes_first_then_who_came_first() -> None:
    """A turn that has begun is not disturbed."""
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


async def test_cancelled_wait_costs_no_other_the_turn() -> None:
    """They may give up before it is theirs, or at the very moment."""
    turns, order = Turns("http://h"), list[str]()
    async with turns.turn(Urgency.LIVE):
        tasks = [asyncio.create_task(take(turns, Urgency.LIVE, f"{n}", order)) for n in range(4)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.sleep(0)
    tasks[0].cancel()  # it has been given the turn, and does not know yet
    await asyncio.wait(tasks)

    assert order == ["2", "3"]
    async with asyncio.timeout(WITHIN), turns.turn(Urgency.LIVE):
        pass


async def test_error_in_a_turn_ends_it() -> None:
    """The next one gets it."""
    turns = Turns("http://h")
    with pytest.raises(ValueError, match="x"):
        async with turns.turn(Urgency.LIVE):
            raise ValueError("x")

    async with asyncio.timeout(WITHIN), turns.turn(Urgency.LIVE):
        pass
