"""Receipts: the promise that points are safe."""

import asyncio

from ingestd.model import Batch, Priority, Receipt
from tests.support.clock import settle
from tests.support.pipeline import points


def receipt_for(number: int, *, stores: int = 1) -> tuple[Receipt, list[str]]:
    """Return a receipt, and a list that grows with every hurry."""
    hurries: list[str] = []
    return Receipt(number, stores=stores, hurry=lambda: hurries.append("hurry")), hurries


async def test_receipt_is_settled_when_every_store_has_every_point() -> None:
    """It waits for the last point in the last store."""
    receipt, _ = receipt_for(3, stores=2)
    calls: list[bool] = []
    receipt.when_settled(lambda: calls.append(receipt.settled))
    waiter = asyncio.create_task(receipt.wait())
    await settle()

    receipt.settle(3)
    receipt.settle(2)
    await settle()
    before = receipt.settled, waiter.done(), list(calls)
    receipt.settle(1)
    await waiter

    assert before == (False, False, [])
    assert calls == [True]


async def test_receipt_for_nothing_is_settled() -> None:
    """No points, or no stores: there is nothing to wait for."""
    assert receipt_for(0)[0].settled
    assert receipt_for(3, stores=0)[0].settled


async def test_waiting_for_a_receipt_hurries_the_stages() -> None:
    """A collector does not wait for a batch to fill; if its points are safe it hurries none."""
    receipt, hurries = receipt_for(1)
    waiters = [asyncio.create_task(receipt.wait()) for _ in range(2)]
    await settle()
    assert hurries == ["hurry", "hurry"]

    receipt.settle(1)
    await asyncio.gather(*waiters)
    await receipt.wait()

    assert len(hurries) == 2


async def test_one_who_gives_up_waiting_disturbs_no_other() -> None:
    """A cancelled wait cancels only itself."""
    receipt, _ = receipt_for(1)
    first, second = (asyncio.create_task(receipt.wait()) for _ in range(2))
    await settle()

    first.cancel()
    await settle()
    receipt.settle(1)

    await second
    assert first.cancelled()


async def test_callbacks_come_once_and_in_order() -> None:
    """Those that come too late are called at once."""
    receipt, _ = receipt_for(1)
    calls: list[int] = []
    receipt.when_settled(lambda: calls.append(1))
    receipt.when_settled(lambda: calls.append(2))
    assert calls == []

    receipt.settle(1)
    receipt.when_settled(lambda: calls.append(3))

    assert calls == [1, 2, 3]


async def test_batch_settles_each_result_by_its_part() -> None:
    """A result that was cut in two is safe when both halves are."""
    first, _ = receipt_for(3)
    second, _ = receipt_for(1)
    some = points(1, 2, 3)
    one = Batch([(some[:2], first)], Priority.SOURCE_KEEPS)
    other = Batch([(some[2:], first), (points(4), second)], Priority.SOURCE_KEEPS)

    one.settle()
    halfway = first.settled, second.settled
    other.settle()

    assert (len(one), len(other)) == (2, 2)
    assert halfway == (False, False)
    assert (first.settled, second.settled) == (True, True)
