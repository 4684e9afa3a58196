"""How long to wait until something that failed is tried again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.plugins._backoff import Backoff


@pytest.mark.parametrize(
    ("failures", "pause"), [(-1, 0), (0, 0), (1, 3), (2, 6), (3, 12), (4, 20), (5, 20), (10**6, 20)]
)
def test_pause_doubles_up_to_its_bound(failures: int, pause: float) -> None:
    """A source that is away for years makes no number overflow."""
    assert Backoff(first=3, longest=20).pause(failures) == pause


def test_first_pause_keeps_to_the_bound() -> None:
    """An operator may set a bound that is shorter than the first pause."""
    assert Backoff(first=3, longest=2).pause(1) == 2


@given(st.integers(1, 50))
def test_spread_pause_is_at_least_half_of_the_pause(failures: int) -> None:
    """The spread never makes a pause longer than its bound."""
    backoff = Backoff(first=1, longest=60)

    assert backoff.pause(failures) / 2 <= backoff.spread_pause(failures) <= backoff.pause(failures)


def test_two_daemons_do_not_come_back_together() -> None:
    """Twenty that lost a server at the same moment try it at many moments."""
    assert len({Backoff(first=1.0, longest=1.0).spread_pause(1) for _ in range(20)}) > 10
