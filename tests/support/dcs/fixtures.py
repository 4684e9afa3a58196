"""Fixtures with a DCS server that knows a small campus."""

import time
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
import pytest_asyncio

from tests.support.dcs.client import NOON, Client
from tests.support.dcs.server import FakeDcs, serving


@pytest_asyncio.fixture
async def dcs(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeDcs]:
    """Give a server in the test's own loop, on a machine whose local time is UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    async with FakeDcs() as server:
        yield server
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def dcs_apart() -> Iterator[FakeDcs]:
    """Give a server in a thread, for tests that wait for other processes."""
    with serving(FakeDcs()) as server:
        yield server


@pytest_asyncio.fixture
async def dcs_client(dcs: FakeDcs) -> AsyncIterator[Client]:
    """Give what asks a server at noon of the first of March."""
    dcs.now = NOON
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield Client(dcs, session)
