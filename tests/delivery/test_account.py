"""Points move from one place to another in the account, as many as were named."""

from collections.abc import Callable

import pytest

from ingestd.delivery.account import Account, Origin
from tests.support.clock import VirtualClock

PLACES = ("stored", "dropped", "in_flight", "drained")


@pytest.mark.parametrize(
    ("move", "expected"),
    [
        (lambda it: it.to_flight(3), {"in_flight": 13}),
        (lambda it: it.to_store(3, Origin.FLIGHT), {"in_flight": 7, "stored": 13}),
        (lambda it: it.to_store(3, Origin.SPOOL), {"drained": 13, "stored": 13}),
        (lambda it: it.to_dead(3, Origin.FLIGHT), {"in_flight": 7}),
        (lambda it: it.to_dead(3, Origin.SPOOL), {"drained": 13}),
        (lambda it: it.to_spool(3), {"in_flight": 7}),
        (lambda it: it.back_to_flight(3), {"in_flight": 13, "stored": 7}),
        (lambda it: it.out_of_spool(3), {"drained": 7}),
        (lambda it: it.drop_in_flight(3), {"in_flight": 7, "dropped": 13}),
        (lambda it: it.drop_from_disk(3), {"dropped": 13}),
    ],
)
def test_a_move_takes_as_many_as_it_gives(
    move: Callable[[Account], None], expected: dict[str, int]
) -> None:
    """What a lane, the spool and the dead letters hold they count for themselves."""
    account = Account(clock=VirtualClock(), stored=10, dropped=10, in_flight=10, drained=10)

    move(account)

    found = {place: getattr(account, place) for place in PLACES}
    assert found == dict.fromkeys(PLACES, 10) | expected


async def test_progress_begins_with_the_first_points_in_flight() -> None:
    """A second batch beside one that is stuck is none."""
    clock = VirtualClock()
    account = Account(clock=clock)
    moved_at = []
    for _ in range(2):
        await clock.advance(10)
        account.to_flight(1)
        moved_at.append(account.moved_at)
    account.progress()

    assert (moved_at, account.moved_at) == ([10, 10], 20)
