"""What is on disk is never ahead of the readings."""

import asyncio
import weakref
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestd.collecting.committer import RETRY, StateCommitter
from ingestd.contract.memory import Memory
from ingestd.disk.database import Database
from ingestd.model import Receipt
from ingestd.records.store import StateStore
from tests.support.clock import VirtualClock, settle
from tests.support.committing import Kept, receipt
from tests.support.deadline import WITHIN
from tests.support.plugins import LogLines


class Position(dict[str, int]):
    """What can be watched going away."""


async def test_states_without_readings_do_not_pile_up_behind_some() -> None:
    """A source that tells its position often while a store is down costs no memory for it."""
    async with Kept() as kept:
        unsafe = receipt()
        kept.keep(1, unsafe)
        passed = Position(n=2)
        seen = weakref.ref(passed)

        kept.committer.commit_behind(Memory(state=passed), [])
        del passed
        last = kept.keep(3)
        gone_early = seen() is None
        unsafe.settle(1)
        await kept.committer.committed()

        assert gone_early
        assert kept.shelf.kept == [last]


async def test_state_is_committed_once_its_receipts_are_settled() -> None:
    """All of them, and the next run sees it before."""
    async with Kept() as kept:
        first, second = receipt(), receipt()
        memory = kept.keep(1, first, second)
        assert kept.committer.memory == memory

        first.settle(1)
        await settle()
        assert kept.shelf.kept == []

        second.settle(1)
        await settle()
        assert kept.shelf.kept == [memory]


async def test_state_waits_for_the_receipts_of_all_states_before_it() -> None:
    """A later result may be stored earlier, but its position lies behind the other's."""
    async with Kept() as kept:
        first, second = receipt(), receipt()
        kept.keep(1, first)
        last = kept.keep(2, second)

        second.settle(1)
        await settle()
        assert kept.shelf.kept == []

        first.settle(1)
        await settle()
        assert kept.shelf.kept == [last]  # the one before it need not be written any more


async def test_state_waits_for_the_readings_of_results_that_changed_none() -> None:
    """Pages without a position come before the one that moves it."""
    async with Kept() as kept:
        first, second = receipt(), receipt()
        kept.committer.commit_behind(kept.committer.memory, [first])
        last = kept.keep(1, second)

        second.settle(1)
        await settle()
        assert kept.shelf.kept == []

        first.settle(1)
        await settle()
        assert kept.shelf.kept == [last]


async def test_results_that_changed_none_may_come_between_those_that_do() -> None:
    """Each state waits for what came before it, and for nothing else."""
    async with Kept() as kept:
        states = []
        for n in (1, 2):
            unsafe = receipt()
            kept.committer.commit_behind(kept.committer.memory, [unsafe])
            states.append(kept.keep(n))
            unsafe.settle(1)
            await asyncio.wait_for(kept.clock.drive(kept.committer.committed()), WITHIN)

        assert kept.shelf.kept == states


async def test_committed_waits_for_a_state_behind_the_readings_of_others() -> None:
    """The readings of a result that changed none, and the state of one that has none."""
    async with Kept() as kept:
        unsafe = receipt()
        kept.committer.commit_behind(Memory(), [unsafe])
        kept.keep(1)
        waiting = asyncio.create_task(kept.committer.committed())
        await settle()
        assert not waiting.done()

        unsafe.settle(1)
        await asyncio.wait_for(waiting, WITHIN)
        assert kept.shelf.kept == [Memory(state={"n": 1})]


async def test_commits_take_a_small_part_of_the_time() -> None:
    """A memory of thousands of registers is not written for every result."""
    async with Kept() as kept:
        kept.shelf.seconds = 0.02
        for number in range(200):
            kept.keep(number)
            await kept.clock.drive(kept.clock.sleep(0.01))

        assert 8 <= len(kept.shelf.kept) <= 10


async def test_commit_that_a_caller_waits_for_comes_at_once() -> None:
    """The rest after a long commit is cut short."""
    async with Kept() as kept:
        kept.shelf.seconds = 0.02
        kept.keep(1)
        await kept.clock.drive(kept.committer.committed())
        last = kept.keep(2)
        await kept.clock.drive(kept.committer.committed())

        assert kept.shelf.kept[-1] == last
        assert kept.clock.monotonic() < 0.05


async def test_all_commits_that_a_caller_waits_for_come_at_once() -> None:
    """The last one is waited for, so none before it is followed by a rest."""
    async with Kept() as kept:
        one, other = receipt(), receipt()
        kept.shelf.seconds = 0.02
        kept.keep(1)
        kept.keep(2, one)
        kept.keep(3, other)
        committed = asyncio.create_task(kept.committer.committed())
        for each in (one, other):
            await kept.clock.drive(kept.clock.sleep(0.03))
            each.settle(1)
        await kept.clock.drive(committed)

        assert len(kept.shelf.kept) == 3
        assert kept.clock.monotonic() < 0.1


async def test_state_without_readings_is_committed_at_once() -> None:
    """There is nothing to wait for."""
    async with Kept() as kept:
        memory = kept.keep(1)
        await settle()

        assert kept.shelf.kept == [memory]


async def test_state_that_did_not_change_is_not_written_again() -> None:
    """A collector that reads nothing new costs no disk."""
    async with Kept() as kept:
        kept.keep(1)
        await settle()
        kept.keep(1, receipt())
        await kept.committer.committed()

        assert len(kept.shelf.kept) == 1


async def test_state_that_went_back_is_written_again() -> None:
    """What is on its way to the disk counts too."""
    async with Kept() as kept:
        first = receipt()
        kept.keep(1, first)
        back = Memory()
        kept.committer.commit_behind(back, [])

        first.settle(1)
        await settle()

        assert kept.shelf.kept == [back]


async def test_failing_disk_is_tried_until_it_works_again() -> None:
    """One line tells of the beginning, one of the end, and the newest state is written."""
    async with Kept() as kept:
        kept.shelf.full = True
        kept.keep(1)
        await settle()
        kept.keep(2)
        await kept.clock.advance(10 * RETRY)
        assert kept.shelf.kept == []
        committed = asyncio.create_task(kept.committer.committed())

        kept.shelf.full = False
        await kept.clock.advance(RETRY)
        await committed

        assert kept.shelf.kept[-1] == Memory(state={"n": 2})
        assert kept.log.lines == [
            ("error", "state cannot be written", {"error": "probe: no room"}),
            ("info", "state is written again", {}),
        ]


async def test_committed_waits_for_the_disk_too() -> None:
    """Settled receipts alone are not enough."""
    async with Kept() as kept:
        kept.shelf.open.clear()
        kept.keep(1)
        committed = asyncio.create_task(kept.committer.committed())
        await settle()
        assert not committed.done()

        kept.shelf.open.set()
        await asyncio.wait_for(committed, WITHIN)


async def test_committed_waits_for_the_last_state() -> None:
    """One that was safe before it does not end the wait."""
    async with Kept() as kept:
        last = receipt()
        kept.keep(1)
        kept.keep(2, last)
        committed = asyncio.create_task(kept.committer.committed())
        await settle()
        assert (len(kept.shelf.kept), committed.done()) == (1, False)

        last.settle(1)
        await asyncio.wait_for(committed, WITHIN)


async def test_reset_voids_what_still_waits() -> None:
    """A position that was forgotten must not come back with a late receipt."""
    async with Kept() as kept:
        late = receipt()
        kept.keep(1)
        await settle()
        kept.keep(2, late)

        assert kept.committer.reset()
        await kept.committer.committed()
        late.settle(1)
        await settle()

        assert kept.committer.memory == Memory()
        assert kept.shelf.kept[-1] == Memory()
        assert not kept.committer.reset()


async def test_reset_keeps_the_masks_unless_asked() -> None:
    """A param that was used up is not a position."""
    async with Kept() as kept:
        kept.committer.commit_behind(Memory(state={"n": 1}, masks={"code": "x"}), [])

        kept.committer.reset()
        assert kept.committer.memory == Memory(masks={"code": "x"})

        kept.committer.reset(masks=True)
        assert kept.committer.memory == Memory()


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("keep"), st.integers(0, 3)),
        st.tuples(st.just("repeat"), st.integers(0, 3)),
        st.tuples(st.just("settle"), st.integers(0, 20)),
        st.tuples(st.just("turn"), st.just(0)),
        st.tuples(st.just("full"), st.integers(0, 1)),
        st.tuples(st.just("slow"), st.integers(0, 1)),
    ),
    max_size=40,
)


@given(STEPS)
@settings(max_examples=200, deadline=None)
@pytest.mark.slow  # many examples
def test_disk_always_holds_a_prefix_whose_readings_are_safe(
    steps: Sequence[tuple[str, int]],
) -> None:
    """Receipts are settled in any order, and commits fail now and then."""
    asyncio.run(play(steps))


def unsettled(receipts: Sequence[Sequence[Receipt]]) -> list[Receipt]:
    """Return those that are not settled."""
    return [each for some in receipts for each in some if not each.settled]


async def play(steps: Sequence[tuple[str, int]]) -> None:
    """Play the steps, and look at the disk after each."""
    async with Kept() as kept:
        receipts: list[list[Receipt]] = []
        later: list[Receipt] = []  # of results since the last state, which the next waits for

        def check() -> None:
            numbers = [memory.state.get("n", 0) for memory in kept.shelf.kept]
            on_disk = max(numbers, default=0)
            assert all(each.settled for some in receipts[:on_disk] for each in some)
            assert numbers == sorted(numbers)

        for step, number in steps:
            if step == "keep":
                own = [receipt() for _ in range(number)]
                receipts.append([*later, *own])
                later.clear()
                kept.keep(len(receipts), *own)
            elif step == "repeat":
                own = [receipt() for _ in range(number)]
                later += own
                kept.committer.commit_behind(kept.committer.memory, own)
            elif step == "settle":
                still_open = unsettled([*receipts, later])
                if still_open:
                    still_open[number % len(still_open)].settle(1)
            elif step == "turn":
                await settle()
            elif step == "full":
                kept.shelf.full = bool(number)
            else:
                (kept.shelf.open.set if number else kept.shelf.open.clear)()
            check()
        for each in unsettled([*receipts, later]):
            each.settle(1)
        kept.shelf.full = False
        kept.shelf.open.set()
        await kept.clock.advance(2 * RETRY)
        await asyncio.wait_for(kept.committer.committed(), WITHIN)
        check()
        assert kept.committer.memory.state == ({"n": len(receipts)} if receipts else {})
        assert kept.shelf.kept[-1:] == ([kept.committer.memory] if receipts else [])


@pytest.mark.slow  # several commits reach the disk
async def test_state_is_there_for_the_next_daemon(tmp_path: Path) -> None:
    """The real store keeps what was committed."""
    clock, log = VirtualClock(), LogLines()
    async with await Database.open(tmp_path / "state.db") as database:
        states = await StateStore.open(database, clock)
        committer = StateCommitter("probe", Memory(), store=states, clock=clock, log=log)
        task = asyncio.create_task(committer.run())
        memory = Memory(state={"n": 1}, hidden={"token": "x"}, masks={"code": "y"})
        committer.commit_behind(memory, [])
        await committer.committed()
        task.cancel()
        await states.close()

    async with await Database.open(tmp_path / "state.db") as database:
        states = await StateStore.open(database, clock)
        assert (await states.load("probe")).memory == memory
