"""How many requests are spent on looking for bad points."""

import pytest

from ingestd.delivery.throttle import Throttle
from tests.support.clock import VirtualClock


async def test_tries_are_free_until_the_bucket_is_empty() -> None:
    """Then each waits for its turn, and the bucket fills again with time, up to its size."""
    clock = VirtualClock()
    await clock.advance(50)
    throttle = Throttle(clock, rate=10, at_once=3)
    first = [throttle.take() for _ in range(5)]
    await clock.advance(0.4)
    second = [throttle.take() for _ in range(3)]
    await clock.advance(1000)
    third = [throttle.take() for _ in range(4)]

    assert first == pytest.approx([0, 0, 0, 0.1, 0.2])
    assert second == pytest.approx([0, 0, 0.1])
    assert third == pytest.approx([0, 0, 0, 0.1])
