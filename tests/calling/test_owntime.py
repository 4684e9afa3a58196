"""The time that a run has for itself."""

import asyncio

from ingestd.calling.owntime import OwnTime


async def test_time_passes_only_while_the_plugin_is_at_work() -> None:
    """Not while the daemon deals with what it gave."""
    time = OwnTime(100.0)
    with time:
        before = time.left()
        await asyncio.sleep(0.001)
        after = time.left()
    rests = time.left()
    await asyncio.sleep(0.001)

    assert before is not None
    assert after is not None
    assert rests is not None
    assert 100.0 >= before > after >= rests
    assert time.left() == rests


async def test_without_a_limit_nothing_is_left_to_tell() -> None:
    """A stream goes on for ever."""
    time = OwnTime(None)
    with time:
        assert time.left() is None
