"""How large a body a store takes, as far as is known."""

import pytest

from ingestd.delivery.sizes import FORGOTTEN, Sizes
from tests.support.clock import VirtualClock


@pytest.fixture
def sizes() -> Sizes:
    """Give what is known of a store that has not been sent anything."""
    return Sizes(VirtualClock())


def test_a_body_travels_whole_until_one_was_refused(sizes: Sizes) -> None:
    """And one that is smaller than what was refused, also afterwards."""
    assert sizes.parts(10**9) == 1
    sizes.refused(100)
    assert (sizes.parts(99), sizes.parts(100)) == (1, 2)


@pytest.mark.parametrize(("refused", "size", "parts"), [(100, 200, 4), (101, 101, 3), (1, 4, 4)])
def test_half_of_what_was_refused_is_tried(
    sizes: Sizes, refused: int, size: int, parts: int
) -> None:
    """No part is larger than that, but for a limit below which nothing can be cut."""
    sizes.refused(refused)

    assert sizes.parts(size) == parts


def test_what_passed_is_tried_again(sizes: Sizes) -> None:
    """It is the most that is known to be taken."""
    sizes.passed(80)
    sizes.passed(20)
    sizes.refused(300)
    sizes.refused(100)

    assert sizes.parts(160) == 2


@pytest.mark.parametrize("passed", [100, 200])
def test_a_limit_that_was_lowered_is_learnt(sizes: Sizes, passed: int) -> None:
    """What passed before does so no more."""
    sizes.passed(passed)
    sizes.refused(100)

    assert sizes.parts(200) == 4


def test_a_limit_that_was_raised_is_learnt(sizes: Sizes) -> None:
    """A point that cannot be cut is sent whatever its size, and may pass."""
    sizes.refused(100)
    sizes.passed(100)

    assert sizes.parts(1000) == 1


async def test_a_limit_is_forgotten_after_a_while() -> None:
    """To find out costs one request."""
    clock = VirtualClock()
    sizes = Sizes(clock)
    await clock.advance(FORGOTTEN)
    sizes.refused(100)
    await clock.advance(FORGOTTEN)
    assert sizes.parts(100) == 2

    await clock.advance(1)
    assert sizes.parts(100) == 1
