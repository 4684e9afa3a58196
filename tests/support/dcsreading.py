"""Asking a DCS server through the plugin, as tests of it do."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

import pytest

from ingestd.clock import Clock, SystemClock
from ingestd.config.model import HttpConfig
from ingestd.context.context import Shared
from ingestd.context.http import LazySession
from ingestd.plugins.dcs import DcsError, run
from ingestd.testing import TestContext, collect, context, results
from tests.support.dcs import FakeDcs, Reading

NOW: Final = datetime(2024, 3, 15, 12, 10, tzinfo=UTC)

Result = dict[str, Any]


def at(text: str) -> datetime:
    """Return a time in UTC, such as 2024-03-01."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def params(dcs: FakeDcs, api: str = "current", **more: Any) -> dict[str, Any]:
    """Return the params with which a server is read, signed in."""
    legacy = api in {"legacy", "legacy in full"}
    return {
        "url": dcs.legacy_url if legacy else dcs.current_url,
        "api": "legacy" if legacy else "current",
        **({} if api == "public" else {"username": "reader", "password": "s3cret"}),
        **more,
    }


async def read(
    dcs: FakeDcs, api: str = "current", *, now: datetime = NOW, **more: Any
) -> list[Result]:
    """Return the results of a run."""
    dcs.now = now
    async with context(now=now) as ctx:
        return await collect(run, ctx=ctx, **params(dcs, api, **more))


@asynccontextmanager
async def patient(
    *, now: datetime = NOW, clock: Clock | None = None, **limits: Any
) -> AsyncIterator[TestContext]:
    """Give a ``ctx`` whose session asks again, as the daemon's does."""
    http = LazySession(HttpConfig(**limits), clock=clock or SystemClock())
    try:
        yield TestContext(http(), time=now, collector="test", shared=Shared())
    finally:
        await http.close()


def stored(results: Iterable[Result]) -> dict[str, dict[float, Any]]:
    """Return what a store holds after results: series to time to value."""
    found: dict[str, dict[float, Any]] = {}
    for result in results:
        for time, series, value, *_ in result["readings"]:
            found.setdefault(series, {})[time] = value
    return found


def state(results: Iterable[Result]) -> Result:
    """Return the state after results, as the daemon would give it to the next run."""
    kept: Result = {}
    for result in results:
        kept |= {name: value for name, value in result.items() if name != "readings"}
    kept.pop("script_error", None)
    return kept


def used(readings: Iterable[Reading]) -> dict[float, float]:
    """Return the consumption in readings, by time."""
    return {each.at: each.used for each in readings}


def totals(readings: Iterable[Reading]) -> dict[float, float]:
    """Return the totals in readings, by time."""
    return {each.at: each.total for each in readings}


def values(readings: Iterable[Reading]) -> dict[float, float]:
    """Return the values of the standard format, by time."""
    return {each.at: each.value for each in readings}


def complaint(results: Iterable[Mapping[str, Any]]) -> str:
    """Return what marked a run."""
    return next((str(each["script_error"]) for each in results if "script_error" in each), "")


class Impatient(SystemClock):
    """The real time, but its sleeps are over at once."""

    async def sleep(self, _seconds: float) -> None:
        """Let the others run."""
        await asyncio.sleep(0)


async def outcome(
    dcs: FakeDcs, api: str = "current", *, ctx: TestContext | None = None, **more: Any
) -> tuple[list[Result], str]:
    """Return the results of a run that fails, and what it says."""
    dcs.now = NOW
    found: list[Result] = []
    if ctx is None:
        async with context(now=NOW) as fresh:
            return await outcome(dcs, api, ctx=fresh, **more)
    try:
        async for each in results(run, ctx=ctx, **params(dcs, api, **more)):
            found.append(each)  # noqa: PERF401 -- what came before the error counts
    except DcsError as error:
        return found, str(error)
    pytest.fail("expected a run that fails")
