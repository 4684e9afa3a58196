"""All collectors: replaced, removed and ended without losing or overlapping a run."""

import asyncio
from pathlib import Path

import pytest

from ingestd import tasks
from ingestd.collecting.collector import OVERSLEPT
from ingestd.contract.memory import Memory
from ingestd.errors import NotNow
from tests.support.clock import START, settle
from tests.support.collecting import COUNTING, Site, site
from tests.support.deadline import WITHIN

SLOW = """
    async def run(*, ctx, who, n=0, **_):
        ctx.log.info("step", what=f"{who} begins {n}")
        try:
            await ctx._clock.sleep(3)
        except BaseException:
            ctx.log.info("step", what=f"{who} is cancelled")
            raise
        ctx.log.info("step", what=f"{who} ends")
        return {"readings": [(n + 1, "level", n + 1)], "n": n + 1}
"""
STREAM = """
    import asyncio
    async def run(*, ctx, who, n=0, **_):
        ctx.log.info("step", what=f"{who} begins {n}")
        yield {"n": n + 1}
        await asyncio.Event().wait()
"""


def steps(here: Site) -> list[str]:
    """Return what the slow plugin logged."""
    return [each["what"] for each in here.logged("step")]


async def slow_run(here: Site) -> None:
    """Start a collector and let its first run begin."""
    await here.start(SLOW, params={"who": "old"})
    await here.until(lambda: steps(here) == ["old begins 0"])


async def test_replaced_collector_lets_its_run_finish_first(tmp_path: Path) -> None:
    """The new one begins behind it, with its state, and does not repeat its tick."""
    async with site(tmp_path) as here:
        await slow_run(here)

        await here.restart(params={"who": "new"})
        records = await here.ran(2)

        assert steps(here) == ["old begins 0", "old ends", "new begins 1", "new ends"]
        assert [each.tick for each in records] == [START + 10, START + 20]
        assert here.metric("ingestd_ticks_missed_total", collector="probe") == 0


async def test_collector_replaced_twice_during_a_run_never_overlaps(tmp_path: Path) -> None:
    """The first one's run ends, the second never begins, and none goes on for ever."""
    async with site(tmp_path) as here:
        await slow_run(here)

        await here.restart(params={"who": "second"})
        await here.restart(params={"who": "third"}, every=1.0)
        await here.ran(4)

        assert steps(here)[:4] == ["old begins 0", "old ends", "third begins 1", "third ends"]
        assert not any("second" in each for each in steps(here))
        assert sum("old" in each for each in steps(here)) == 2


@pytest.mark.parametrize("asked_first", [True, False])
async def test_run_that_waits_for_its_turn_does_not_begin_at_the_stop(
    tmp_path: Path,
    asked_first: bool,  # noqa: FBT001 -- a parameter of the test
) -> None:
    """Neither one that was asked for behind that of the schedule, nor the other way round."""
    async with site(tmp_path, grace=100.0) as here:
        collector = await here.start(SLOW, params={"who": "old"})
        if asked_first:
            await here.clock.advance(9.0)
            asked = asyncio.create_task(collector.run_now())
        await here.until(lambda: steps(here) == ["old begins 0"])
        if not asked_first:
            asked = asyncio.create_task(collector.run_now())
        await here.clock.advance(2.0)

        await here.clock.drive(here.remove())
        await asyncio.wait({asked})

        assert steps(here) == ["old begins 0", "old ends"]
        assert isinstance(asked.exception(), NotNow) is not asked_first


async def test_collector_removed_right_after_it_was_replaced_is_gone(tmp_path: Path) -> None:
    """Its first version's run ends, and nothing runs any more."""
    async with site(tmp_path) as here:
        await slow_run(here)

        await here.restart(params={"who": "second"})
        await here.clock.drive(here.remove())
        assert steps(here) == ["old begins 0", "old ends"]

        await here.clock.advance(100)
        assert len(steps(here)) == 2
        assert here.collectors.by_name == {}


async def test_collector_that_comes_back_waits_for_the_run_of_the_one_that_went(
    tmp_path: Path,
) -> None:
    """The name is the same, so is the state."""
    async with site(tmp_path) as here:
        await slow_run(here)
        removing = asyncio.create_task(here.remove())
        await asyncio.sleep(0)

        await here.restart(params={"who": "new"})
        await here.ran(2)

        assert steps(here) == ["old begins 0", "old ends", "new begins 1", "new ends"]
        await removing


async def test_replacing_one_collector_leaves_the_runs_of_others_alone(tmp_path: Path) -> None:
    """The same run goes on."""
    async with site(tmp_path) as here:
        await slow_run(here)
        await here.start("async def run(**_):\n    return {}\n", name="other")
        running = here.collectors.by_name["probe"].running

        await here.restart(name="other", every=1.0)

        assert here.collectors.by_name["probe"].running is running
        await here.until(lambda: steps(here) == ["old begins 0", "old ends"])


async def test_stop_lets_runs_finish_within_the_grace_period(tmp_path: Path) -> None:
    """A collector that stops starts no other run."""
    async with site(tmp_path, grace=5) as here:
        await slow_run(here)

        await here.clock.drive(here.collectors.stop())
        await here.clock.advance(100)

        assert steps(here) == ["old begins 0", "old ends"]
        assert here.collectors.by_name["probe"].committer.memory.state == {"n": 1}


@pytest.mark.slow  # the grace period passes in real time
async def test_stop_cancels_runs_after_the_grace_period(tmp_path: Path) -> None:
    """Their state stays what it was, and the record says why."""
    async with site(tmp_path, grace=0.3) as here:
        await slow_run(here)

        await here.collectors.stop()  # the grace is in real time, and virtual time stands still

        assert steps(here) == ["old begins 0", "old is cancelled"]
        assert here.collectors.by_name["probe"].committer.memory == Memory()
        (record,) = await here.states.runs(limit=9)
        assert (record.outcome, record.error) == ("cancelled", "the daemon stopped it")


async def test_second_signal_skips_the_grace_period(tmp_path: Path) -> None:
    """An operator in a hurry is not kept waiting."""
    async with site(tmp_path, grace=3600) as here:
        await slow_run(here)
        finishing = asyncio.create_task(here.collectors.stop())
        await asyncio.sleep(0)

        here.hurry.set()

        await asyncio.wait_for(finishing, WITHIN)
        assert steps(here) == ["old begins 0", "old is cancelled"]


async def test_stop_waits_for_the_run_of_a_collector_that_was_just_replaced(
    tmp_path: Path,
) -> None:
    """It has the same grace period as every other."""
    async with site(tmp_path, grace=5) as here:
        await slow_run(here)
        await here.restart(params={"who": "new"})

        await here.clock.drive(here.collectors.stop())

        assert steps(here) == ["old begins 0", "old ends"]


async def test_stream_has_no_grace_period(tmp_path: Path) -> None:
    """It would use all of it."""
    async with site(tmp_path, grace=3600) as here:
        await here.start(STREAM, stream=True, params={"who": "old"})
        await here.until(lambda: steps(here) == ["old begins 0"])

        await here.restart(stream=True, params={"who": "new"})
        await here.until(lambda: steps(here) == ["old begins 0", "new begins 1"])

        await asyncio.wait_for(here.collectors.stop(), WITHIN)


async def test_reset_makes_a_collector_begin_anew(tmp_path: Path) -> None:
    """Its memory is empty, and its row on disk, once the run under way has ended."""
    async with site(tmp_path) as here:
        await slow_run(here)

        forgot = await here.clock.drive(here.collectors.reset("probe"))
        assert forgot
        assert await here.on_disk() == Memory()

        await here.until(lambda: len(steps(here)) == 3)
        assert steps(here) == ["old begins 0", "old ends", "old begins 0"]


async def test_reset_makes_a_stream_begin_anew_at_once(tmp_path: Path) -> None:
    """It would never end by itself."""
    async with site(tmp_path) as here:
        await here.start(STREAM, stream=True, params={"who": "old"})
        await here.until(lambda: steps(here) == ["old begins 0"])

        await here.clock.drive(here.collectors.reset("probe"))

        await here.until(lambda: steps(here) == ["old begins 0", "old begins 0"])


async def test_collector_whose_schedule_died_is_stuck(tmp_path: Path) -> None:
    """It should have woken a minute ago, and nothing but the watchdog would notice."""
    async with site(tmp_path) as here:
        collector = await here.start("async def run(**_):\n    return {}\n", name="probe")
        await here.start("async def run(**_):\n    return {}\n", name="other")
        await here.ran(1)
        (task,) = (each for each in asyncio.all_tasks() if each.get_name() == "ingestd[probe]")

        task.cancel()
        await here.clock.advance(OVERSLEPT)
        assert here.collectors.stuck == []

        await here.clock.advance(11)
        assert here.collectors.stuck == ["probe"]
        assert collector.stuck


async def test_collector_that_waits_runs_backs_off_or_ends_is_not_stuck(tmp_path: Path) -> None:
    """None of that counts, for however long, and although the wall clock steps meanwhile."""
    async with site(tmp_path, grace=3600) as here:
        await here.start("async def run(**_):\n    return {}\n", name="rare", every=86400.0)
        await here.start("async def run(**_):\n    raise OSError\n", name="fails", every=1.0)
        await slow_run(here)
        await here.start(STREAM, stream=True, name="stream", params={"who": "stream"})
        await here.restart(params={"who": "long"})
        here.clock.step(-7200)
        assert here.collectors.stuck == []

        for _ in range(40):
            await here.clock.advance(10)
            assert here.collectors.stuck == []
        here.clock.step(86400)
        assert here.collectors.stuck == []
        await here.clock.advance(100)
        assert here.collectors.stuck == []


async def test_collector_whose_turn_is_taken_for_long_is_not_stuck(tmp_path: Path) -> None:
    """A tick waits behind a run that was asked for, which may take an hour."""
    async with site(tmp_path) as here:
        collector = await here.start(COUNTING)
        await here.ran()
        async with collector.turn():
            await here.clock.advance(3600)
            assert here.collectors.stuck == []
            ran = len(here.ended())
        await here.ran(ran + 1)

        assert here.collectors.stuck == []


async def test_collector_with_a_long_run_is_not_stuck(tmp_path: Path) -> None:
    """Its ticks are missed, which is no fault of the schedule."""
    async with site(tmp_path) as here:
        await here.start("async def run(*, ctx, **_):\n    await ctx._clock.sleep(600)\n")
        await here.until(lambda: here.collectors.by_name["probe"].running is not None)

        await here.clock.advance(590)

        assert here.collectors.stuck == []


async def test_state_belongs_to_the_name(tmp_path: Path) -> None:
    """A collector that is removed and comes back goes on where it was."""
    async with site(tmp_path) as here:
        await slow_run(here)
        await here.ran()
        await here.clock.drive(here.remove())
        assert await here.collectors.memory("probe") == Memory(state={"n": 1})

        await here.restart(params={"who": "back"})

        await here.until(lambda: steps(here)[-1] == "back begins 1")


@pytest.mark.slow  # the grace period passes in real time
async def test_plugin_that_does_not_end_when_it_is_cancelled_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stop goes on without it."""
    monkeypatch.setattr(tasks, "ABANDONED", 0.05)
    async with site(tmp_path, grace=0.05) as here:
        await here.start(
            """
            import asyncio
            async def run(*, ctx, **_):
                may_end = ctx.shared(asyncio.Event)
                while not may_end.is_set():
                    try:
                        await may_end.wait()
                    except asyncio.CancelledError:
                        continue
            """
        )
        await here.until(lambda: here.collectors.by_name["probe"].running is not None)
        await asyncio.wait_for(here.collectors.stop(), WITHIN)
        told = here.logged("a plugin does not end when it is cancelled")
        here.services.shared.get(asyncio.Event).set()

        assert [each["task"] for each in told] == ["ingestd[probe]"]


async def test_nothing_is_kept_in_memory_of_a_collector_that_went(tmp_path: Path) -> None:
    """Once what it remembers is on disk; should it come back, that is read again."""
    async with site(tmp_path) as here:
        here.store_up.clear()
        collector = await here.start(COUNTING)
        await here.ran()
        await here.clock.drive(here.remove())
        forgetting = asyncio.create_task(here.collectors.forget("probe"))
        await settle()
        assert not forgetting.done()
        assert committing("probe")

        here.store_up.set()
        await here.clock.drive(forgetting)
        assert not committing("probe")
        assert await here.collectors.memory("probe") == Memory(state={"n": 1})

        back = await here.restart()
        assert back.committer is not collector.committer
        assert back.committer.memory == Memory(state={"n": 1})


async def test_collector_that_came_back_is_not_forgotten(tmp_path: Path) -> None:
    """What it remembers goes on to be committed."""
    async with site(tmp_path) as here:
        here.store_up.clear()
        collector = await here.start(COUNTING)
        await here.ran()
        await here.clock.drive(here.remove())
        forgetting = asyncio.create_task(here.collectors.forget("probe"))
        await settle()
        back = await here.restart()

        here.store_up.set()
        await here.clock.drive(forgetting)
        await here.ran(2)
        await here.clock.drive(here.collectors.committed())

        assert back.committer is collector.committer
        assert (await here.on_disk()).state["n"] >= 2
        await here.collectors.forget("probe")
        assert committing("probe")


async def test_collector_that_never_was_can_be_forgotten(tmp_path: Path) -> None:
    """A reload that goes wrong forgets those that it has not come to make."""
    async with site(tmp_path) as here:
        await here.collectors.forget("probe")

        assert await here.collectors.memory("probe") is None


async def test_end_waits_for_the_memories_of_all_collectors(tmp_path: Path) -> None:
    """Of those, too, that were removed while their readings were on their way."""
    async with site(tmp_path) as here:
        here.store_up.clear()
        for name in ("probe", "other"):
            await here.start(COUNTING, name=name)
            await here.ran(name=name)
        await here.clock.drive(here.remove("other"))
        committed = asyncio.create_task(here.collectors.committed())
        await settle()
        assert not committed.done()

        here.store_up.set()
        await here.clock.drive(committed)

        assert [(await here.on_disk(name)).state["n"] >= 1 for name in ("probe", "other")] == [
            True,
            True,
        ]


def committing(name: str) -> bool:
    """Whether anything commits what the collectors of a name remember."""
    return f"ingestd[{name}.commit]" in {each.get_name() for each in asyncio.all_tasks()}


async def test_reset_reaches_a_collector_that_does_not_run(tmp_path: Path) -> None:
    """Whether what it remembers is still in memory or only on disk; the masks stay unless asked."""
    async with site(tmp_path) as here:
        await here.start(
            'async def run(**_): return {"n": 1, "delete_params": ["code"]}',
            params={"code": "once"},
        )
        await here.ran()
        await here.clock.drive(here.remove())

        assert await here.clock.drive(here.collectors.reset("probe"))
        kept = await here.on_disk()
        assert (kept.state, list(kept.masks)) == ({}, ["code"])
        assert not await here.clock.drive(here.collectors.reset("probe"))

        await here.clock.drive(here.collectors.forget("probe"))
        assert not await here.collectors.reset("probe")
        assert await here.collectors.reset("probe", masks=True)
        assert await here.on_disk() == Memory()
        assert not await here.collectors.reset("nobody", masks=True)


async def test_stream_begins_anew_when_its_store_is_removed(tmp_path: Path) -> None:
    """What it gives would be lost; a run that ends by itself goes on."""
    async with site(tmp_path) as here:
        (lane,) = here.buffer.lanes.values()
        await here.start(STREAM, stream=True, params={"who": "stream"})
        await here.start(SLOW, name="slow", params={"who": "slow"})
        await here.until(lambda: steps(here) == ["stream begins 0", "slow begins 0"])
        here.collectors.leave_removed_stores()
        await settle()
        assert len(steps(here)) == 2

        here.buffer.lanes = {"another": lane}
        here.collectors.leave_removed_stores()
        await here.until(lambda: len(here.ended("slow")) == 1)

        assert steps(here) == ["stream begins 0", "slow begins 0", "stream begins 1", "slow ends"]


async def test_damaged_memory_is_told_with_its_collector(tmp_path: Path) -> None:
    """It begins anew, and what can be known of the damage is in the log."""
    async with site(tmp_path) as here:
        collector = await here.start(COUNTING)
        await here.ran()
        await here.clock.drive(collector.committer.committed())
        await here.database.write(lambda db: db.execute("UPDATE state SET state = '{'").rowcount)
    async with site(tmp_path) as here:
        await here.collectors.remember()
        back = await here.restart(every=1e9)
        (told,) = here.logged("state was damaged")

        assert back.committer.memory == Memory()
        assert (told["level"], told["collector"]) == ("error", "probe")
        assert told["problem"]


async def test_secrets_from_disk_are_masked_before_the_first_run(tmp_path: Path) -> None:
    """A former daemon knew them, so no log of this one may tell them."""
    async with site(tmp_path) as here:
        collector = await here.start(
            'async def run(**_): return {"hidden": {"token": "t0ken-of-old"}}'
        )
        await here.ran()
        await here.clock.drive(collector.committer.committed())
    async with site(tmp_path) as here:
        await here.restart(every=1e9)

        assert here.services.redactor.text("t0ken-of-old", owner="probe") == "***"
        assert here.services.redactor.text("t0ken-of-old") == "t0ken-of-old"
