"""Signing in to a DCS server and out of it, and taking turns there."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from ingestd import tasks
from ingestd.plugins.dcs import collecting, run, session
from ingestd.testing import TestContext, collect, context, results
from tests.support.dcs import FakeDcs
from tests.support.dcsreading import (
    NOW,
    Result,
    at,
    complaint,
    outcome,
    params,
    read,
    state,
    stored,
)
from tests.support.deadline import WITHIN
from tests.support.pipeline import until

SIGNED_IN = ("current", "legacy")
SINCE = at("2024-03-01")


@pytest.mark.parametrize("api", SIGNED_IN)
async def test_sign_in_that_expires_is_renewed_once(dcs: FakeDcs, api: str) -> None:
    """That may happen in the middle of a run, at any of its requests."""
    dcs.rules.cookie_requests = 3

    found = await read(dcs, api, registers=["R733", "R741", "R740"], since=SINCE, max_window="5d")

    asked = [each.status for each in dcs.asked_for("readings")]
    assert asked.count(200) == 9
    assert asked.count(401) == 3
    assert all(a != 401 or b == 200 for a, b in pairwise(asked))
    assert len(dcs.asked_for("sign")) + len(dcs.asked_for("log")) == 5
    assert complaint(found) == ""


@pytest.mark.parametrize("api", SIGNED_IN)
async def test_request_that_stays_unauthorised_is_not_repeated_for_ever(
    dcs: FakeDcs, api: str
) -> None:
    """It leads to one more sign-in, and no more."""
    dcs.fail(401, times=0, match="readings")

    _, said = await outcome(dcs, api, registers=["R733"], since=SINCE)

    assert "expected 200, got 401" in said
    assert len(dcs.asked_for("readings")) == 2
    assert len(dcs.asked_for("signin")) + len(dcs.asked_for("login")) == 2
    assert len(dcs.signed_in) == 1  # which the server had said not to know


def huge(count: int) -> list[bytes]:
    """Return the body of an answer with so many readings, in many pieces."""
    first = at("1970-01-01")
    pieces = [b'{"readings":[']
    for begin in range(0, count, 500):
        some = [
            {"timestamp": f"{first + timedelta(minutes=30 * n):%Y-%m-%dT%H:%M:%SZ}", "value": n}
            for n in range(begin, min(begin + 500, count))
        ]
        text = ",".join(map(json.dumps, some))
        pieces.append(f"{',' if begin else ''}{text}".encode())
    return [*pieces, b'],"name":"Library"}']


def long_answer(dcs: FakeDcs) -> dict[str, Any]:
    """Prepare an answer that takes long; return the params to ask for it."""
    dcs.now, dcs.huge, dcs.rules.gzip, dcs.rules.pause = NOW, huge(80_000), False, 0.001
    return params(dcs, registers=["R733"], since="1970-01-01", max_window="20000d", values="total")


@pytest.mark.slow  # a long answer is made
async def test_left_in_the_middle_of_an_answer_it_signs_out(dcs: FakeDcs) -> None:
    """The daemon leaves a generator in this way when it has no more use for it."""
    asking = long_answer(dcs)
    async with context(now=NOW) as ctx, aclosing(results(run, ctx=ctx, **asking)) as found:
        first = await anext(found)

    (asked,) = dcs.asked_for("readings")
    assert not asked.whole
    assert len(first["readings"]) == 2000
    assert not dcs.signed_in
    assert dcs.overlaps == []


@pytest.mark.parametrize("api", SIGNED_IN)
async def test_cancelled_while_it_waits_it_signs_out(dcs: FakeDcs, api: str) -> None:
    """The daemon cancels a run at its deadline, or when its grace is over."""
    dcs.now = NOW
    dcs.fail(match="readings", delay=30)
    async with context(now=NOW) as ctx, asyncio.TaskGroup() as group:
        running = group.create_task(collect(run, ctx=ctx, **params(dcs, api, since=SINCE)))
        await until(lambda: bool(dcs.asked_for("readings")))
        assert dcs.signed_in
        running.cancel()

    assert not dcs.signed_in
    assert dcs.overlaps == []


@pytest.mark.parametrize("api", SIGNED_IN)
async def test_cancelled_while_it_signs_in_it_signs_out(dcs: FakeDcs, api: str) -> None:
    """The server has let it in, though the answer has not come to its end."""
    dcs.now, dcs.rules.pause = NOW, 0.3
    async with context(now=NOW) as ctx, asyncio.TaskGroup() as group:
        running = group.create_task(collect(run, ctx=ctx, **params(dcs, api, since=SINCE)))
        await until(lambda: len(ctx.http.cookie_jar) > 0)
        assert dcs.signed_in
        running.cancel()

    assert len(dcs.asked) == 2
    assert not dcs.signed_in


async def drain(found: AsyncIterator[Result]) -> None:
    """Take all that is left."""
    async for _ in found:
        pass


@pytest.mark.slow  # a long answer is made
@pytest.mark.parametrize("registers", [["R733"], ["R733", "R741"]])
async def test_cancelled_while_others_keep_the_server_it_signs_out_beside_them(
    dcs: FakeDcs, monkeypatch: pytest.MonkeyPatch, registers: list[str]
) -> None:
    """Neither waiting to leave nor waiting to read on may keep a door open."""
    monkeypatch.setattr(session, "TURN_PATIENCE", 0.05)
    monkeypatch.setattr(collecting, "ENOUGH", 0)
    dcs.now = NOW
    async with AsyncExitStack() as stack:
        ctx = await stack.enter_async_context(context(now=NOW))
        other = await stack.enter_async_context(context(now=NOW, beside=ctx))
        asking = params(dcs, registers=registers, since=SINCE)
        mine = await stack.enter_async_context(aclosing(results(run, ctx=ctx, **asking)))
        await anext(mine)
        long = aclosing(results(run, ctx=other, **long_answer(dcs)))
        theirs = await stack.enter_async_context(long)
        await anext(theirs)
        assert len(dcs.signed_in) == 2

        waiting = asyncio.create_task(drain(mine))
        await asyncio.wait([waiting], timeout=0.02)
        assert waiting.cancel()
        await asyncio.wait([waiting])

        assert waiting.cancelled()
        assert len(dcs.signed_in) == 1


def test_signing_out_is_over_before_the_daemon_gives_up() -> None:
    """The daemon would log that a plugin does not end."""
    assert session.PATIENCE < tasks.ABANDONED - 0.5


async def test_server_is_free_while_a_run_waits_for_the_store(dcs: FakeDcs) -> None:
    """The rest of an answer is read ahead, so that another collector can read."""
    dcs.now, dcs.huge = NOW, huge(10_000)
    asking = params(dcs, registers=["R733"], since="1970-01-01", max_window="20000d")
    async with (
        context(now=NOW) as ctx,
        context(now=NOW, beside=ctx) as other,
        aclosing(results(run, ctx=ctx, **asking)) as mine,
    ):
        await anext(mine)
        async with asyncio.timeout(WITHIN):
            theirs = await collect(run, ctx=other, **asking)

    assert sum(len(each["readings"]) for each in theirs) == 10_000


async def test_stopping_ends_a_run_early_but_no_backfill(dcs: FakeDcs) -> None:
    """A normal run goes on later; the end of a backfill says that all has been read."""
    dcs.now = NOW
    async with context(now=NOW) as ctx:
        ctx.stop()
        found = await collect(run, ctx=ctx, **params(dcs, since=SINCE))
        filled = await collect(run, ctx=ctx, **params(dcs, start=SINCE, end=NOW))

    assert list(state(found)) == ["R733"]
    assert len(stored(filled)) == 7
    assert not dcs.signed_in


@asynccontextmanager
async def beside(ctx: TestContext, number: int) -> AsyncIterator[list[TestContext]]:
    """Give the contexts of so many collectors in the same daemon."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(context(now=NOW, beside=ctx)) for _ in range(number)]


@pytest.mark.slow  # each answer takes a while, and only one comes at a time
async def test_collectors_and_a_backfill_take_turns(dcs: FakeDcs) -> None:
    """Never two transactions at a time, and the live ones first."""
    dcs.now, dcs.rules.latency = NOW, 0.002

    async def reading_of(ctx: TestContext, **more: Any) -> list[Result]:
        return await collect(run, ctx=ctx, **params(dcs, **more))

    async with context(now=NOW) as first, asyncio.TaskGroup() as group:
        past = group.create_task(
            reading_of(first, start=at("2015-01-01"), end=at("2020-01-01"), max_window="30d")
        )
        await until(lambda: len(dcs.asked_for("readings")) >= 3)
        async with beside(first, 5) as others, asyncio.TaskGroup() as live:
            running = [live.create_task(reading_of(each, since=SINCE)) for each in others]
        unfinished = not past.done()
        past.cancel()

    assert dcs.overlaps == []
    assert unfinished
    assert not dcs.signed_in
    for each in running:
        assert len(stored(each.result())) == 7
    during = [each.query["startTime"] for each in dcs.asked_for("readings")]
    begun, ended = during.index("2024-03-01T00:00:00Z"), len(during)
    backfilled = [start for start in during[begun:ended] if start < "2024"]
    assert len(backfilled) <= 6
