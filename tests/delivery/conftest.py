"""A store to deliver to."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ingestd.delivery import drain
from tests.support.answering import AnsweringSink
from tests.support.influx2 import Influx2
from tests.support.pipeline import BUCKET
from tests.support.stores import Stores, stores_of


@pytest.fixture
def server(influx2: Influx2) -> Influx2:
    """Give a server with the bucket that the tests write to."""
    influx2.make_bucket(BUCKET)
    return influx2


@pytest.fixture
async def stores(server: Influx2, tmp_path: Path) -> AsyncIterator[Stores]:
    """Give deliveries to that server, none of them started."""
    async with stores_of(server, tmp_path) as made:
        yield made


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> AnsweringSink:
    """Give a store that takes everything, and have the drain look at once whether it does."""
    monkeypatch.setattr(drain, "LOOK_AT_OUTAGE", 0.02)
    return AnsweringSink()
