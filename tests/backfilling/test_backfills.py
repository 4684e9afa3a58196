"""Backfills as they are asked for, taken over by a reload, cancelled and stopped."""

import asyncio
from pathlib import Path

import pytest

from ingestd.backfilling.records import Status
from ingestd.errors import NotNow, NotPossible
from tests.support.backfilling import FAILING, HOUR, HOURLY, START, hours, past
from tests.support.clock import settle

# Does not end when it is cancelled until the test lets it.
LINGERING = """
    import asyncio

    async def run(*, ctx, number=0, start=None, end=None, **_):
        if start is None:
            return
        at_once = ctx.shared(list)
        at_once.append(number)
        ctx.log.info("window", start=int(start.timestamp()), end=int(end.timestamp()))
        ctx.log.info("at once", number=len(at_once))
        try:
            yield {"readings": [(start.timestamp(), "level", 1)]}
            await ctx._clock.sleep(1e6)
        finally:
            await ctx.shared(asyncio.Event).wait()
            at_once.pop()
"""


async def test_changed_collector_takes_the_backfill_over(tmp_path: Path) -> None:
    """It begins at the start of the window under way, with what is configured now."""
    plugin = """
        async def run(*, ctx, name, start=None, end=None, **_):
            if start is None:
                return
            ctx.log.info("window", start=int(start.timestamp()), end=int(end.timestamp()))
            yield {"readings": [(start.timestamp(), name, 1)]}
            if name == "slow" and len(ctx.shared(list)) == 1:
                await ctx._clock.sleep(1e6)
            ctx.shared(list).append(1)
    """
    async with past(tmp_path) as it:
        await it.here.start(plugin, every=1e9, params={"name": "slow"})
        record = await it.ask(hours(30), chunk=10 * HOUR)
        await it.here.until(lambda: len(it.windows()) == 2)
        await it.here.restart(every=1e9, params={"name": "quick"})
        it.backfills.follow()
        await it.ended(record)

        names = [series.name for series, _, _ in it.here.stored]
        assert names == ["slow", "slow", "quick", "quick"]
        assert [int((a - START) / HOUR) for a, _ in it.windows()] == [0, 10, 10, 20]


async def test_untouched_collector_keeps_its_window(tmp_path: Path) -> None:
    """A reload that changes other collectors costs it nothing."""
    async with past(tmp_path) as it:
        await it.here.start(HOURLY, every=1e9)
        record = await it.ask(hours(50), rate=1)
        await it.here.until(lambda: len(it.windows()) == 1)
        it.backfills.follow()
        await it.ended(record)

        assert len(it.windows()) == 1


async def test_backfill_pauses_without_its_collector(tmp_path: Path) -> None:
    """It goes on when that comes back."""
    async with past(tmp_path) as it:
        await it.here.start(HOURLY, every=1e9)
        record = await it.ask(hours(50), chunk=10 * HOUR, rate=10 / 60)
        await it.here.until(lambda: len(it.windows()) == 2)
        await it.here.remove()
        it.backfills.follow()
        await it.here.until(lambda: len(it.here.logged("closed")) == 2)
        told = record.status, record.why
        restarted = await it.restarted()
        still = restarted.status

        await it.here.restart(every=1e9)
        it.backfills.follow()
        done = await it.ended(restarted)

        assert told == (Status.PAUSED, "its collector is disabled, or no longer configured")
        assert still is Status.PAUSED
        assert (done.status, len(it.stored_times())) == (Status.DONE, 50)


async def test_cancelled_backfill_is_over_when_its_window_has_ended(tmp_path: Path) -> None:
    """The generator is closed, what was read stays, and another may be asked for."""
    async with past(tmp_path) as it:
        await it.here.start(HOURLY, every=1e9)
        record = await it.ask(hours(50), rate=0.1)
        await it.here.until(lambda: len(it.stored_times()) > 0)
        cancelled = await it.here.clock.drive(it.backfills.cancel(record.id))

        assert cancelled is not None
        assert (cancelled.status, cancelled.ended) == (Status.CANCELLED, it.here.clock.now())
        assert len(it.here.logged("closed")) == 1
        assert await it.backfills.cancel(record.id) == cancelled
        assert await it.backfills.cancel(99) is None
        done = await it.ended(await it.ask(hours(5)))
        with pytest.raises(NotNow, match=f"backfill {done.id}: is done already"):
            await it.backfills.cancel(done.id)


async def test_cancelled_backfill_is_not_begun_anew_while_its_window_ends(tmp_path: Path) -> None:
    """Neither a reload nor another request may bring it back."""
    async with past(tmp_path) as it:
        await it.here.start(LINGERING, every=1e9)
        record = await it.ask(hours(50))
        await it.here.until(lambda: len(it.windows()) == 1)
        cancelling = asyncio.create_task(it.backfills.cancel(record.id))
        await settle()
        it.backfills.follow()
        with pytest.raises(NotNow, match=f"probe: its backfill {record.id} is being cancelled"):
            await it.ask(hours(50))
        it.may_end()
        cancelled = await it.here.clock.drive(cancelling)
        await it.here.clock.drive(it.here.clock.sleep(60))

        assert cancelled is not None
        assert cancelled.status is Status.CANCELLED
        assert len(it.windows()) == 1
        assert "probe" not in it.backfills.windows


async def test_two_who_cancel_a_backfill_get_the_same_answer(tmp_path: Path) -> None:
    """The second gets it although the first does not wait for it."""
    async with past(tmp_path) as it:
        await it.here.start(LINGERING, every=1e9)
        record = await it.ask(hours(50))
        await it.here.until(lambda: len(it.windows()) == 1)
        impatient, *others = (asyncio.create_task(it.backfills.cancel(record.id)) for _ in range(3))
        await settle()
        impatient.cancel()
        it.may_end()
        told = await it.here.clock.drive(asyncio.gather(*others))

        assert [each.status for each in told if each] == [Status.CANCELLED] * 2
        assert it.here.logged("task failed, and is started again") == []
        assert len(it.here.logged("backfill cancelled")) == 1


async def test_window_begins_when_all_before_it_have_ended(tmp_path: Path) -> None:
    """That holds when the collector is configured anew several times meanwhile."""
    async with past(tmp_path) as it:
        await it.here.start(LINGERING, every=1e9)
        record = await it.ask(hours(50))
        await it.here.until(lambda: len(it.windows()) == 1)
        for number in range(1, 4):
            await it.here.restart(every=1e9, params={"number": number})
            it.backfills.follow()
            await it.here.clock.drive(it.here.clock.sleep(1))
        it.may_end()
        await it.here.until(lambda: len(it.windows()) == 2)
        await it.here.clock.drive(it.backfills.cancel(record.id))

        assert [each["number"] for each in it.here.logged("at once")] == [1, 1]


async def test_window_that_swallows_its_end_does_not_say_that_it_runs(tmp_path: Path) -> None:
    """How a backfill stands is told by the work that has taken it over."""
    async with past(tmp_path) as it:
        await it.here.start(
            """
            import asyncio

            async def run(*, ctx, start=None, end=None, **_):
                ctx.log.info("window", start=int(start.timestamp()), end=int(end.timestamp()))
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    ctx.log.info("closed")
                yield {"readings": [(start.timestamp(), "level", 1)]}
            """,
            every=1e9,
        )
        record = await it.ask(hours(50), chunk=10 * HOUR)
        await it.here.until(lambda: len(it.windows()) == 1)
        await it.here.remove()
        it.backfills.follow()
        await it.here.until(lambda: len(it.here.logged("closed")) == 1)

        assert record.status is Status.PAUSED
        assert record.why == "its collector is disabled, or no longer configured"


async def test_backfill_that_waits_is_cancelled_at_once(tmp_path: Path) -> None:
    """It needs no collector for that."""
    async with past(tmp_path) as it:
        await it.here.start(HOURLY, every=1e9)
        it.behind = "store main is down"
        record = await it.ask(hours(50))
        await it.here.remove()
        it.backfills.follow()
        cancelled = await it.here.clock.drive(it.backfills.cancel(record.id))

        assert cancelled is not None
        assert cancelled.status is Status.CANCELLED
        assert it.backfills.unfinished == []


async def test_asking_again_goes_on_with_the_same(tmp_path: Path) -> None:
    """Its rate may change, and a failed window is tried at once; another request has to wait."""
    async with past(tmp_path) as it:
        await it.here.start(FAILING, every=1e9)
        record = await it.ask(hours(10), chunk=5 * HOUR)
        await it.here.until(lambda: record.failures == 7)
        began = it.here.clock.monotonic()
        it.here.plugins.write("probe", FAILING.replace("broken=True", "broken=False"))
        await it.here.clock.advance(1)  # as a person takes
        again = await it.ask(hours(10), chunk=5 * HOUR, rate=1000.0)
        await it.ended(record)

        assert again is record
        assert again.rate == 1000.0
        assert it.here.clock.monotonic() - began < 60
        assert len(await it.backfills.listed(limit=10)) == 1


async def test_one_at_a_time(tmp_path: Path) -> None:
    """A collector has one backfill, and two callers who ask at once get the same."""
    async with past(tmp_path) as it:
        it.behind = "store main is down"
        await it.here.start(HOURLY, every=1e9)
        await it.here.start(HOURLY, "other", every=1e9)
        both = (it.backfills.ask("probe", [hours(10)]) for _ in range(2))
        first, same = await it.here.clock.drive(asyncio.gather(*both))
        other = await it.ask(hours(10), name="other")
        with pytest.raises(NotNow, match="probe: its backfill 1 is not finished yet"):
            await it.ask(hours(11))
        with pytest.raises(NotNow, match="is not finished yet"):
            await it.ask(hours(10), chunk=HOUR)

        assert first is same
        assert it.backfills.unfinished == [first, other]


async def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    """A plugin without start and end, one that does not load, spans that are none."""
    async with past(tmp_path) as it:
        await it.here.start("async def run(*, start=None, **_): return {}", every=1e9)
        await it.here.start("import nothing_like_it\nasync def run(**_): ...", "broken", every=1e9)
        with pytest.raises(NotPossible, match="probe: expected a plugin whose run declares start"):
            await it.ask(hours(1))
        with pytest.raises(NotPossible, match="nothing_like_it"):
            await it.ask(hours(1), name="broken")
        with pytest.raises(NotNow, match="unknown: is disabled"):
            await it.ask(hours(1), name="unknown")
        with pytest.raises(NotPossible, match="expected at least one"):
            await it.ask()

        assert it.backfills.unfinished == []


async def test_plugin_refuses_params_that_know_no_window(tmp_path: Path) -> None:
    """It is told at once, in the plugin's words, and not tried for ever; other faults are not."""
    plugin = """
        async def run(*, since=None, pause=0, start=None, end=None, **_):
            yield {"readings": []}

        def check(**params):
            yield "pause: expected a duration, got 0"
            if params.get("start") and not params.get("since"):
                yield f"since: expected for {params['start']:%F} to {params['end']:%F}"
    """
    async with past(tmp_path) as it:
        await it.here.start(plugin, every=1e9)
        with pytest.raises(NotPossible) as refusal:
            await it.ask(hours(1), hours(1, after=48))
        await it.here.restart(every=1e9, params={"since": "from"})
        record = await it.ended(await it.ask(hours(1)))

        told = "probe: cannot be backfilled: since: expected for 2020-09-13 to 2020-09-15"
        assert str(refusal.value) == told
        assert record.status is Status.DONE


async def test_what_a_plugin_has_hidden_is_in_no_refusal(tmp_path: Path) -> None:
    """Its words for a param may be those of a secret that it was given for it."""
    plugin = """
        async def run(*, start=None, end=None, **_):
            yield {"readings": [], "hidden": {"token": "kept-back-7"}}

        def check(**params):
            if params.get("start"):
                yield "code: expected another one, got kept-back-7"
    """
    async with past(tmp_path) as it:
        await it.here.start(plugin, every=10)
        await it.here.ran()
        with pytest.raises(NotPossible) as refusal:
            await it.ask(hours(1))

        assert "code: expected another one, got" in str(refusal.value)
        assert "kept-back-7" not in str(refusal.value)


async def test_stop_lets_the_window_end_within_the_grace_period(tmp_path: Path) -> None:
    """Its position is on disk then, and no other window begins."""
    async with past(tmp_path, grace=100.0) as it:
        await it.here.start(HOURLY, every=1e9)
        record = await it.ask(hours(60), chunk=20 * HOUR, rate=10)
        await it.here.until(lambda: len(it.windows()) == 1)
        await it.here.clock.drive(it.backfills.stop())
        (kept,) = await it.backfills.listed(limit=1)
        with pytest.raises(NotNow):
            await it.ask(hours(1), name="other")

        assert len(it.windows()) == 1
        assert (kept.position, record.over) == (START + 20 * HOUR, False)
        assert (await it.restarted()).position == START + 20 * HOUR


async def test_stop_gives_a_long_window_up(tmp_path: Path) -> None:
    """It is cancelled after the grace period, or when the stop is hurried, and begun anew later."""
    async with past(tmp_path, grace=0.05) as it:
        await it.here.start(HOURLY, every=1e9)
        record = await it.ask(hours(60), rate=0.001)
        await it.here.until(lambda: len(it.windows()) == 1)
        await it.backfills.stop()

        assert len(it.here.logged("closed")) == 1
        assert (record.position, record.over) == (START, False)
