"""Tasks that cannot take each other down."""

import asyncio

import pytest

from ingestd import tasks as tasks_module
from ingestd.tasks import AFTER_A_BUG, Tasks, first_of
from tests.support.clock import VirtualClock, settle


class Log:
    """Remembers what went wrong."""

    def __init__(self) -> None:
        self.failed: list[str] = []

    def exception(self, _event: str, *, task: str) -> None:
        """Keep the name of a task."""
        self.failed.append(task)


async def test_job_that_meets_a_bug_is_started_again() -> None:
    """A pause lies before it, and it is logged each time; its neighbour goes on."""
    clock, log = VirtualClock(), Log()
    tasks = Tasks(clock=clock, log=log)
    starts: list[float] = []

    async def buggy() -> None:
        starts.append(clock.monotonic())
        if len(starts) < 3:
            raise KeyError("bug")

    neighbour = tasks.start("neighbour", asyncio.Event().wait)  # type: ignore[arg-type]
    task = tasks.start("buggy", buggy)
    await clock.advance(10 * AFTER_A_BUG)

    assert starts == [0, AFTER_A_BUG, 2 * AFTER_A_BUG]
    assert log.failed == ["buggy", "buggy"]
    assert task.done()
    assert not neighbour.done()
    await tasks.cancel()


class Own(BaseException):
    """One that is no Exception, as foreign code may raise it."""


@pytest.mark.parametrize("end", [asyncio.CancelledError, SystemExit, KeyboardInterrupt, Own])
async def test_job_is_started_again_however_it_ended(end: type[BaseException]) -> None:
    """An end that no caller asked for would leave a collector or a delivery silent for ever."""
    clock, log = VirtualClock(), Log()
    tasks = Tasks(clock=clock, log=log)
    ends = [end("from inside")]

    async def buggy() -> None:
        if ends:
            raise ends.pop()

    task = tasks.start("buggy", buggy)
    await clock.advance(2 * AFTER_A_BUG)

    assert task.done()
    assert task.exception() is None
    assert log.failed == ["buggy"]


async def test_tasks_have_names() -> None:
    """A stack dump says which collector they belong to."""
    tasks = Tasks(clock=VirtualClock(), log=Log())
    task = tasks.start("main.deliver", asyncio.Event().wait)  # type: ignore[arg-type]

    assert task.get_name() == "ingestd[main.deliver]"
    await tasks.cancel()


async def test_cancel_ends_all_but_the_one_that_asks() -> None:
    """A task may clean up the others."""
    tasks = Tasks(clock=VirtualClock(), log=Log())
    others = [tasks.start(str(n), asyncio.Event().wait) for n in range(3)]  # type: ignore[arg-type]
    alive: list[str] = ["unknown"]

    async def cleaner() -> None:
        alive[:] = await tasks.cancel()

    cleaning = tasks.start("cleaner", cleaner)
    await cleaning

    assert alive == []
    assert all(each.cancelled() for each in others)
    assert not cleaning.cancelled()


async def test_cancel_can_end_one_alone() -> None:
    """The other tasks go on."""
    tasks = Tasks(clock=VirtualClock(), log=Log())
    one, other = (tasks.start(str(n), asyncio.Event().wait) for n in range(2))  # type: ignore[arg-type]

    assert await tasks.cancel({one}) == []

    assert one.cancelled()
    assert not other.done()
    await tasks.cancel()


async def test_task_that_does_not_end_is_named_and_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plugin may hold on to its cancellation; the stop goes on without it."""
    monkeypatch.setattr(tasks_module, "ABANDONED", 0.05)
    tasks = Tasks(clock=VirtualClock(), log=Log())
    let_go = asyncio.Event()

    async def stubborn() -> None:
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue

    task = tasks.start("stubborn", stubborn)
    await settle()

    assert await tasks.cancel() == ["ingestd[stubborn]"]

    let_go.set()
    await asyncio.wait({task})


async def test_first_of_ends_with_what_it_waits_for() -> None:
    """What that raised is raised to the one who waits."""

    async def fail() -> None:
        raise KeyError("bug")

    assert await first_of(asyncio.sleep(0), asyncio.Event())
    with pytest.raises(KeyError, match="bug"):
        await first_of(fail(), asyncio.Event())


@pytest.mark.parametrize("within", [None, 0.01])
async def test_first_of_is_cut_short(within: float | None) -> None:
    """The event or the time ends the wait; what is not done by then is cancelled."""
    event, cancelled = asyncio.Event(), asyncio.Event()

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    waiting = asyncio.create_task(first_of(endless(), event, within=within))
    await settle()
    if within is None:
        event.set()

    assert not await waiting
    await cancelled.wait()
