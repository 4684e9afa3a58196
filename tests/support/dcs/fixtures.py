"""Fixtures with a DCS server that knows a small campus."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.support.dcs.server import FakeDcs, serving


@pytest_asyncio.fixture
async def dcs() -> AsyncIterator[FakeDcs]:
    """Give a server in the test's own loop."""
    async with FakeDcs() as server:
        yield server


@pytest.fixture
def dcs_apart() -> Iterator[FakeDcs]:
    """Give a server in a thread, for tests that wait for other processes."""
    with serving(FakeDcs()) as server:
        yield server
