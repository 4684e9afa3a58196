"""The wall clock by which spooled points grow old, and when it is believed."""

import pytest

from ingestd.delivery.age import CheckedTime
from tests.support.clock import START

HOUR = 3600.0
DAY = 24 * HOUR


class Clocks:
    """Two clocks that a test moves apart."""

    def __init__(self) -> None:
        self.wall, self.uptime = START, 100.0

    def now(self) -> float:
        """Return the wall clock's time."""
        return self.wall

    def monotonic(self) -> float:
        """Return the monotonic clock's time."""
        return self.uptime

    async def sleep(self, seconds: float) -> None:
        """Pass the time."""
        self.pass_(seconds)

    def pass_(self, seconds: float) -> None:
        """Let time go by on both."""
        self.wall += seconds
        self.uptime += seconds


def believed(clocks: Clocks) -> CheckedTime:
    """Return a time whose clocks have gone alike for long enough."""
    time = CheckedTime(clocks, agreeing=HOUR)
    clocks.pass_(HOUR)
    assert time.now() == clocks.wall
    return time


def test_it_is_not_believed_right_after_a_start() -> None:
    """Only the wall clock is there then, and it may be wrong."""
    clocks = Clocks()
    time = CheckedTime(clocks, agreeing=HOUR)
    assert time.now() is None
    clocks.pass_(HOUR - 1)
    assert time.now() is None
    clocks.pass_(1)
    assert time.now() == clocks.wall


@pytest.mark.parametrize("jump", [40 * DAY, -40 * DAY, 61.0, -61.0])
def test_a_jump_is_not_believed(jump: float) -> None:
    """A wall clock that is ahead for some seconds drops nothing, nor does its way back."""
    clocks = Clocks()
    time = believed(clocks)
    clocks.wall += jump
    assert time.now() is None
    clocks.pass_(4)
    clocks.wall -= jump
    assert time.now() is None
    clocks.pass_(HOUR)
    assert time.now() == clocks.wall


def test_a_jump_that_stays_is_believed_in_the_end() -> None:
    """The clock was wrong before, as on a board that has none until it reaches a time server."""
    clocks = Clocks()
    time = believed(clocks)
    clocks.wall += 40 * DAY
    assert time.now() is None
    clocks.pass_(HOUR)
    assert time.now() == clocks.wall


def test_drift_is_no_jump() -> None:
    """A leap second, or a time server that pulls the clock gently, changes nothing."""
    clocks = Clocks()
    time = believed(clocks)
    clocks.wall += 1
    assert time.now() == clocks.wall
