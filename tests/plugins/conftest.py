"""Fixtures that several tests of a plugin share."""

from collections.abc import AsyncIterator

import pytest

from ingestd.testing import context
from tests.support.pushing import NOON, Push, pushing


@pytest.fixture
async def push() -> AsyncIterator[Push]:
    """Give a plugin that takes everything with the key ``k`` and answers honestly."""
    async with context(now=NOON) as ctx, pushing(ctx, store_keys=["old", "k"]) as running:
        yield running


@pytest.fixture
async def bmon() -> AsyncIterator[Push]:
    """Give a plugin that answers like BMON."""
    async with context(now=NOON) as ctx, pushing(ctx, store_keys="k", replies="bmon") as running:
        yield running
