"""The dcs plugin with a server whose answers outlast the runs."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from ingestd.plugins.dcs import collecting, endpoint, reading, run, streaming
from ingestd.plugins.dcs.endpoint import Endpoint
from ingestd.testing import TestContext, context, results
from tests.support.dcs import FakeDcs
from tests.support.dcsreading import NOW, Result, at, params, stored, used
from tests.support.deadline import WITHIN
from tests.support.pipeline import until

SINCE = at("2023-06-01")


@pytest.fixture(autouse=True)
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hand everything over as soon as it comes, so that no test has to wait for it."""
    monkeypatch.setattr(collecting, "LINGER", 0.0)
    monkeypatch.setattr(streaming, "LINGER", 0.0)


async def read_until_it_stalls(dcs: FakeDcs, ctx: TestContext, *, api: str, kept: Result) -> bool:
    """Run until an answer comes to a stop and nothing more is handed over, or to the end.

    Args:
        dcs: The server.
        ctx: What the daemon gives to the run.
        api: Which API.
        kept: The state so far; brought up to date, with the readings under ``readings``.

    Returns:
        Whether the run came to its end.
    """
    stalled, came = dcs.stalled, asyncio.Event()
    state = {name: value for name, value in kept.items() if name != "readings"}

    async def read() -> None:
        options = params(dcs, api, registers=["R733", "R741", "VM9"], since=SINCE, **state)
        async for each in results(run, ctx=ctx, **options):
            kept["readings"] = [*kept.get("readings", []), *each.pop("readings", [])]
            kept.update(each)
            came.set()

    task = asyncio.create_task(read())
    await until(lambda: dcs.stalled > stalled or task.done())
    while not task.done():  # all that came before the stop is read within an instant
        came.clear()
        try:
            async with asyncio.timeout(0.1):
                await came.wait()
        except TimeoutError:
            task.cancel()
            await asyncio.wait({task})
            return False
    await task
    return True


@pytest.mark.slow  # a dozen runs, each of which is given up when nothing comes any more
@pytest.mark.parametrize("api", ["current", "legacy"])
async def test_campus_is_read_to_its_end_though_answers_outlast_runs(
    dcs: FakeDcs, api: str
) -> None:
    """What has come counts, and the next run asks for so much that it can await it."""
    dcs.rules.gzip, dcs.rules.chunk = False, 50
    dcs.fail(match="readings", stall=100_000, times=0)
    dcs.now = NOW
    kept: Result = {}
    turns = 0

    async with context(now=NOW) as first:
        whole = False
        while not whole:
            turns += 1
            assert turns < 20
            async with context(now=NOW, beside=first) as ctx:
                whole = await read_until_it_stalls(dcs, ctx, api=api, kept=kept)

    for name in ("R733", "R741"):
        found = stored([kept])[f"dcs_{name}_half_hour"]
        assert found == used(dcs.readings(name, SINCE, NOW))
    assert kept["VM9"] == at("2024-03-15T12:00")


async def test_readings_are_handed_over_while_their_answer_still_comes(dcs: FakeDcs) -> None:
    """An answer that never ends gives what it has."""
    dcs.now, dcs.rules.gzip = NOW, False
    dcs.fail(match="readings", stall=100_000, times=0)

    async with context(now=NOW) as ctx, asyncio.timeout(WITHIN):
        running = results(run, ctx=ctx, **params(dcs, registers=["R733"], since=SINCE))
        first = await anext(running)
        await running.aclose()

    assert first["readings"]
    newest = max(each[0] for each in first["readings"])
    assert first["R733"] == datetime.fromtimestamp(newest, UTC)


async def test_server_that_thinks_for_too_long_is_asked_for_less(
    dcs: FakeDcs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run may end in its wait, and the next one asks for half as much."""
    monkeypatch.setattr(reading, "LARGE_SHARE", 0.0)  # the wait here is as short as the run
    dcs.now = NOW
    dcs.fail(match="readings", delay=30, times=0)
    asking = params(dcs, registers=["R733"], since=SINCE)

    async with context(now=NOW) as ctx:
        known = ctx.shared(Endpoint, dcs.current_url, "private")
        task = asyncio.ensure_future(anext(results(run, ctx=ctx, **asking)))
        await until(lambda: bool(dcs.asked_for("readings")))
        task.cancel()
        await asyncio.wait({task})

    assert known.longest_window(timedelta(days=365)) < timedelta(days=150)


def test_windows_grow_again_with_answers_that_come_quickly() -> None:
    """A bad hour of a server is not held against it; and no window is made shorter than a day."""
    known, year = Endpoint("http://h/DCSWebApi", "private"), timedelta(days=365)

    known.cut_short(timedelta(days=80), seconds=20.0)
    assert known.longest_window(year) == timedelta(days=40)
    known.ended(timedelta(days=40), seconds=10.0)  # quick enough, and no more than that
    known.ended(timedelta(days=3), seconds=0.1)  # says nothing about long ones
    assert known.longest_window(year) == timedelta(days=40)
    known.ended(timedelta(days=40), seconds=1.0)
    assert known.longest_window(year) == timedelta(days=80)
    known.cut_short(timedelta(hours=1), seconds=20.0)
    assert known.longest_window(year) == endpoint.SHORTEST
