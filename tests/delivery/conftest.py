"""A store to deliver to."""

import pytest

from tests.support.influx2 import Influx2
from tests.support.pipeline import BUCKET


@pytest.fixture
def server(influx2: Influx2) -> Influx2:
    """Give a server with the bucket that the tests write to."""
    influx2.make_bucket(BUCKET)
    return influx2
