"""When a collector runs and for how long: deadlines, backoff, missed ticks, runs on request."""

import asyncio
from pathlib import Path

import pytest

from ingestd.contract.memory import Memory
from ingestd.errors import NotNow
from tests.support.clock import START
from tests.support.collecting import COUNTING, site
from tests.support.pipeline import until

# Deadlines are in real time; it is not to count that a busy machine holds the loop up.
pytestmark = pytest.mark.usefixtures("idle_time")


async def test_coroutine_is_cancelled_at_its_deadline(tmp_path: Path) -> None:
    """Its cleanup runs, and it is back on its next tick."""
    async with site(tmp_path) as here:
        await here.start(
            """
            import asyncio
            async def run(*, ctx, **_):
                try:
                    await asyncio.Event().wait()
                finally:
                    ctx.log.info("cleaned up")
            """,
            timeout=0.05,
        )

        records = await here.ran(2)

        assert [each.outcome for each in records] == ["timeout"] * 2
        assert records[0].error == "run must end within 0.05 s; it was stopped"
        assert len(here.logged("cleaned up")) == 2


async def test_generator_is_cancelled_at_its_deadline_and_keeps_its_checkpoints(
    tmp_path: Path,
) -> None:
    """The deadline is for all of its own time together."""
    async with site(tmp_path) as here:
        collector = await here.start(
            """
            import asyncio
            async def run(*, ctx, **_):
                try:
                    for n in range(1000):
                        yield {"readings": [(n, "level", n)], "n": n}
                        await asyncio.sleep(0.03)
                finally:
                    ctx.log.info("cleaned up")
            """,
            timeout=0.1,
        )

        (record, *_) = await here.ran()

        assert record.outcome == "timeout"
        assert 1 <= record.readings < 1000
        assert collector.committer.memory.state["n"] >= record.readings - 1
        assert here.logged("cleaned up")


async def test_plugin_that_holds_on_at_its_deadline_has_timed_out_all_the_same(
    tmp_path: Path,
) -> None:
    """What it gives or raises after it was cancelled does not count."""
    async with site(tmp_path) as here:
        collector = await here.start(
            """
            import asyncio
            async def run(**_):
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    return {"n": 1}
            """,
            timeout=0.05,
        )

        (record, *_) = await here.ran()

        assert record.outcome == "timeout"
        assert collector.committer.memory == Memory()


@pytest.mark.slow  # a deadline in real time passes
async def test_waiting_for_room_is_not_the_plugins_time(tmp_path: Path) -> None:
    """A generator that is held up by a store is not punished for it."""
    async with site(tmp_path, capacity=1) as here:
        here.store_up.clear()
        await here.start(
            """
            async def run(**_):
                for n in range(3):
                    yield {"readings": [(n, "level", n)]}
            """,
            timeout=0.2,
        )
        await here.until(lambda: here.buffer.held == 1)
        await asyncio.sleep(0.3)  # the deadline is in real time

        here.store_up.set()
        (record, *_) = await here.ran()

        assert (record.outcome, record.readings) == ("ok", 3)


@pytest.mark.slow  # the virtual clock gives real work its time before each step
async def test_failing_runs_back_off_and_their_ticks_are_missed(tmp_path: Path) -> None:
    """After the first failure the next tick is soon enough; then the pauses double."""
    async with site(tmp_path) as here:
        collector = await here.start("async def run(**_):\n    raise OSError('down')\n", every=1.0)

        records = await here.ran(5)

        assert [each.tick - START for each in records] == [1, 2, 12, 32, 72]
        assert here.metric("ingestd_ticks_missed_total", collector="probe") == 67
        assert collector.failures == 5


@pytest.mark.slow  # the virtual clock gives real work its time before each step
async def test_success_ends_the_backoff(tmp_path: Path) -> None:
    """A run that was asked for may show that the source is back."""
    async with site(tmp_path) as here:
        here.plugins.write("switch.txt", "down")
        collector = await here.start(
            f"""
            from pathlib import Path
            async def run(**_):
                if Path({str(here.plugins.path / "switch.txt")!r}).read_text() == "down":
                    raise OSError("down")
                return {{}}
            """,
            every=1.0,
        )
        await here.ran(5)
        here.plugins.write("switch.txt", "up")

        asked = await here.clock.drive(collector.run_now())
        *_, last = await here.ran(7)

        assert asked.outcome == "ok"
        assert last.tick - asked.tick <= 1.5


async def test_ticks_during_a_run_are_missed_and_counted(tmp_path: Path) -> None:
    """No two runs overlap, and the phase stays."""
    async with site(tmp_path) as here:
        collector = await here.start(COUNTING, every=10.0)
        await here.ran()
        here.plugins.write(
            "probe",
            """
            async def run(*, ctx, **_):
                await ctx._clock.sleep(25)  # virtual seconds
                return {}
            """,
        )

        _, slow, after = await here.ran(3)

        assert (slow.tick, slow.seconds) == (START + 20, 25.0)
        assert after.tick == START + 50
        assert here.metric("ingestd_ticks_missed_total", collector="probe") == 2
        assert collector.failures == 0


@pytest.mark.parametrize(("catch_up", "first"), [("once", 100), ("none", 110)])
async def test_ticks_missed_while_the_daemon_was_away(
    tmp_path: Path, catch_up: str, first: int
) -> None:
    """`once` runs at once for all of them, `none` waits for the next."""
    async with site(tmp_path) as here:
        await here.start(COUNTING)
        await here.ran()
        await here.clock.drive(here.remove())
        await here.clock.advance(START + 100 - here.clock.now())

        await here.restart(catch_up=catch_up)
        _, record = await here.ran(2)

        assert record.tick == START + first
        assert here.metric("ingestd_ticks_missed_total", collector="probe") == 9


async def test_run_that_was_asked_for_waits_for_the_one_under_way(tmp_path: Path) -> None:
    """Two runs with one state would both read the same."""
    async with site(tmp_path) as here:
        here.store_up.clear()
        collector = await here.start(
            """
            async def run(*, ctx, n=0, **_):
                ctx.log.info("begins", n=n)
                await ctx._clock.sleep(3)
                ctx.log.info("ends", n=n)
                return {"n": n + 1}
            """
        )
        await here.until(lambda: collector.running is not None)

        record = await here.clock.drive(collector.run_now())

        steps = [(e["event"], e["n"]) for e in here.events if e["event"] in {"begins", "ends"}]
        assert record.outcome == "ok"
        assert steps[:4] == [("begins", 0), ("ends", 0), ("begins", 1), ("ends", 1)]


async def test_second_request_for_a_run_is_refused(tmp_path: Path) -> None:
    """One that waits is enough; a queue of them would hammer the source."""
    async with site(tmp_path) as here:
        collector = await here.start("async def run(*, ctx, **_):\n    await ctx._clock.sleep(5)\n")
        first = asyncio.create_task(collector.run_now())
        await until(lambda: collector.running is not None)

        with pytest.raises(NotNow, match="has not ended yet"):
            await collector.run_now()
        await here.clock.drive(first)
