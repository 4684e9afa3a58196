"""A state database, and what remembers collectors in it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ingestd.disk.database import Database
from ingestd.records.store import StateStore
from tests.support.clock import VirtualClock


@pytest.fixture
def clock() -> VirtualClock:
    """Return a clock that stands still."""
    return VirtualClock()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Open a new database."""
    async with await Database.open(tmp_path / "state.db") as opened:
        yield opened


@pytest.fixture
async def store(database: Database, clock: VirtualClock) -> AsyncIterator[StateStore]:
    """Open a state store."""
    opened = await StateStore.open(database, clock)
    yield opened
    await opened.close()
