"""Backfills: windows one after the other, behind everything else, through whatever happens."""

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from ingestd.backfilling import backfill
from ingestd.backfilling.records import Status
from ingestd.backfilling.windows import format_window
from ingestd.config.model import HttpConfig
from ingestd.contract.memory import Memory
from ingestd.errors import NotNow, NotPossible
from tests.support.backfilling import HOUR, HOURLY, START, hours, past
from tests.support.clock import settle

FAILING = """
    async def run(*, ctx, broken=True, start=None, end=None, **_):
        if start is not None:
            ctx.log.info("window", start=int(start.timestamp()), end=int(end.timestamp()))
            yield {"readings": [(start.timestamp(), "level", 1)]}
            if broken:
                raise OSError("no server")
"""

# A function that can give five hours at once, and no more.
FLOODING = """
    def run(*, start=None, end=None, **_):
        if start is None:
            return {}
        too_much = (end - start).total_seconds() > 5 * 3600
        return {"readings": [(start.timestamp(), "a", 1)], "junk": "x" * (too_much << 27)}
"""

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


async def test_all_of_the_spans_is_read_in_chunks(tmp_path: Path) -> None:
    """One window after the other, and nothing between the spans."""
    async with past(tmp_path) as it:
        await it.here.start(HOURLY, every=1e9)
        record = await it.ask(hours(25), hours(5, after=100), chunk=10 * HOUR)
        done = await it.ended(record)

        assert [(b - a) / HOUR for a, b in it.windows()] == [10, 10, 5, 5]
        expected = [*range(25), *range(100, 105)]
        assert it.stored_times() == [int(START + n * HOUR) for n in expected]
        assert (done.status, done.done, done.readings, done.points) == (Status.DONE, 1.0, 30, 30)
        assert it.here.metric("ingestd_backfill_readings_total", collector="probe") == 30
        assert it.here.metric("ingestd_readings_total", collector="probe") == 0
        (line,) = it.here.logged("backfill done")
        assert (line["collector"], line["readings"]) == ("probe", 30)
        assert await it.backfills.ended(record.id) == done
        assert await it.backfills.ended(99) is None


@pytest.mark.slow
async def test_ordinary_function_reads_the_past_too(tmp_path: Path) -> None:
    """In a worker process, as it always does."""
    async with past(tmp_path) as it:
        await it.here.start(
            """
            def run(*, start=None, end=None, **_):
                hours = range(int(start.timestamp()), int(end.timestamp()), 3600)
                return {"readings": [(t, "level", t) for t in hours], "last": 1}
            """,
            every=1e9,
        )
        await it.ended(await it.ask(hours(900), chunk=700 * HOUR))

        assert len(it.stored_times()) == 900
        assert await it.here.on_disk() == Memory()


async def test_state_stays_that_of_the_runs(tmp_path: Path) -> None:
    """A window gets it and cannot change it; secrets and used-up params are kept."""
    async with past(tmp_path) as it:
        collector = await it.here.start(
            """
            async def run(*, ctx, start=None, end=None, token="a", code=None, n=0, **_):
                ctx.log.info("called", n=n, token=token, code=code)
                if start is None:
                    return {"n": n + 1, "hidden": {"token": token}}
                return {"n": -5, "hidden": {"token": "b"}, "delete_params": ["code"]}
            """,
            params={"code": "once"},
        )
        await it.here.ran(1)
        await it.ended(await it.ask(hours(1)))
        await it.here.clock.drive(collector.committer.committed())
        kept = await it.here.on_disk()
        await it.here.ran(3)

        calls = [(each["n"], each["token"], each["code"]) for each in it.here.logged("called")]
        windows = [call for call in calls if calls.index(call) > 0 and call[1] == "a"]
        assert (1, "a", "once") in windows
        assert calls[-1][1:] == ("b", None)
        runs = sum(each["token"] is not None for each in it.here.logged("called"))
        assert kept.state in [{"n": number} for number in range(1, runs)]
        assert kept.hidden == {"token": "b"}
        assert list(kept.masks) == ["code"]


RENEWING = """
    import asyncio

    async def run(*, ctx, token=None, start=None, end=None, **_):
        if token is None:
            HOW {"hidden": {"token": "a"}}
            return
        if (start is not None) is RENEWS:
            token = "b"
        else:
            ctx.log.info("waits")
            await ctx.shared(asyncio.Event).wait()
        HOW {"hidden": {"token": token}}
"""


@pytest.mark.parametrize("how", ["return", "yield"])
async def test_secret_that_a_window_renews_outlasts_the_run_beside_it(
    tmp_path: Path, how: str
) -> None:
    """That one knows only what it began with."""
    plugin = RENEWING.replace("HOW", how).replace("RENEWS", "True")
    async with past(tmp_path) as it:
        collector = await it.here.start(plugin)
        await it.here.until(lambda: len(it.here.logged("waits")) == 1)
        await it.ended(await it.ask(hours(1)))
        it.may_end()
        await it.here.ran(2)

        assert collector.committer.memory.hidden == {"token": "b"}


async def test_secret_that_a_run_renews_outlasts_the_window_beside_it(tmp_path: Path) -> None:
    """A window may take an hour."""
    plugin = RENEWING.replace("HOW", "yield").replace("RENEWS", "False")
    async with past(tmp_path) as it:
        collector = await it.here.start(plugin)
        await it.here.ran(1)
        record = await it.ask(hours(1))
        await it.here.until(lambda: len(it.here.logged("waits")) == 1)
        await it.here.ran(3)
        it.may_end()
        await it.ended(record)

        assert collector.committer.memory.hidden == {"token": "b"}


async def test_secret_that_a_plugin_changes_in_place_is_changed(tmp_path: Path) -> None:
    """What it was given is not what tells whether it was renewed."""
    async with past(tmp_path) as it:
        collector = await it.here.start(
            """
            import asyncio

            async def run(*, ctx, tokens=None, start=None, end=None, **_):
                if tokens is None:
                    return {"hidden": {"tokens": {"a": 1}}}
                if start is not None:
                    return {"hidden": {"tokens": {"b": 2}}}
                tokens["c"] = 3
                ctx.log.info("waits")
                await ctx.shared(asyncio.Event).wait()
                return {"hidden": {"tokens": tokens}}
            """
        )
        await it.here.until(lambda: len(it.here.logged("waits")) == 1)
        await it.ended(await it.ask(hours(1)))
        it.may_end()
        await it.here.ran(2)

        assert collector.committer.memory.hidden == {"tokens": {"a": 1, "c": 3}}


async def test_backfill_waits_while_a_store_is_behind(tmp_path: Path) -> None:
    """And says so, on whom it waits."""
    async with past(tmp_path) as it:
        await it.here.start(HOURLY, every=1e9)
        it.behind = "store main is down"
        record = await it.ask(hours(5))
        await it.here.clock.drive(it.here.clock.sleep(10))
        before = it.windows(), record.status, record.why

        it.behind = ""
        await it.ended(record)

        assert before == ([], Status.PAUSED, "store main is down; it goes on afterwards")
        assert len(it.stored_times()) == 5


async def test_window_goes_on_after_a_short_outage(tmp_path: Path) -> None:
    """Its next result waits, and nothing is read again."""
    async with past(tmp_path) as it:
        await it.here.start(HOURLY, every=1e9)
        record = await it.ask(hours(100), rate=10 / 60)
        await it.here.until(lambda: len(it.stored_times()) >= 30)
        it.behind = "store main has a backlog in its spool"
        await it.here.until(lambda: record.status is Status.PAUSED)
        told = record.why
        await it.here.clock.drive(it.here.clock.sleep(20))
        it.behind = ""
        await it.ended(record)

        assert told == "store main has a backlog in its spool; it goes on afterwards"
        assert len(it.windows()) == 1
        assert len(it.stored_times()) == 100


async def test_window_is_given_up_in_a_long_outage_and_begun_anew(tmp_path: Path) -> None:
    """The plugin must not hold on to its server for as long as a store is away."""
    async with past(tmp_path) as it:
        await it.here.start(HOURLY, every=1e9)
        record = await it.ask(hours(200), chunk=100 * HOUR, rate=10 / 60)
        await it.here.until(lambda: len(it.stored_times()) >= 130)
        it.behind = "store main is down"
        await it.here.until(lambda: len(it.here.logged("closed")) == 2)
        stored = len(it.stored_times())
        await it.here.clock.drive(it.here.clock.sleep(10))
        assert (len(it.windows()), len(it.stored_times()), record.failures) == (2, stored, 0)
        it.behind = ""
        done = await it.ended(record)

        starts = [start for start, _ in it.windows()]
        assert starts == [START, START + 100 * HOUR, START + 100 * HOUR]
        assert len(it.stored_times()) == 200
        assert (done.readings, done.failures) == (200, 0)


async def test_window_that_waits_for_room_is_given_up_in_a_long_outage(tmp_path: Path) -> None:
    """Its points come in nowhere while a spool is full, and its server must not wait for that."""
    async with past(tmp_path) as it:
        await it.here.start(HOURLY, every=1e9)
        it.here.buffer.pause("main")
        record = await it.ask(hours(20))
        await it.here.until(lambda: len(it.windows()) == 1)
        await it.here.clock.drive(it.here.clock.sleep(100))
        patient = len(it.here.logged("closed"))
        it.behind = "store main has a backlog in its spool"
        await it.here.until(lambda: record.status is Status.PAUSED)
        told = record.why
        await it.here.until(lambda: len(it.here.logged("closed")) == 1)
        it.here.buffer.resume("main")
        it.behind = ""
        done = await it.ended(record)

        assert patient == 0
        assert told == "store main has a backlog in its spool; it goes on afterwards"
        assert (done.failures, done.readings, len(it.windows())) == (0, 20, 2)
        assert len(it.here.stored) == 20
        assert it.here.buffer.held == it.here.buffer.backfill == 0


async def test_rate_is_kept_to(tmp_path: Path) -> None:
    """On average, across windows."""
    async with past(tmp_path) as it:
        await it.here.start(HOURLY, every=1e9)
        began = it.here.clock.monotonic()
        await it.ended(await it.ask(hours(100), chunk=50 * HOUR, rate=2))

        assert 44 <= it.here.clock.monotonic() - began <= 60


async def test_rate_is_kept_to_within_a_result(tmp_path: Path) -> None:
    """An ordinary function gives all of a window at once."""
    async with past(tmp_path) as it:
        await it.here.start(HOURLY, every=1e9)
        record = await it.ask(hours(100), chunk=100 * HOUR, rate=2)
        began = it.here.clock.monotonic()
        await it.here.until(lambda: len(it.here.stored) >= 50)
        half = it.here.clock.monotonic() - began
        await it.ended(record)

        assert 20 <= half <= 30


async def test_window_with_more_than_a_function_can_give_is_read_in_pieces(tmp_path: Path) -> None:
    """It would fail for ever, and nobody could know by how much it is too long."""
    async with past(tmp_path) as it:
        await it.here.start(FLOODING, every=1e9)
        done = await it.ended(await it.ask(hours(10), chunk=10 * HOUR))

        assert (done.status, done.readings) == ("done", 2)


async def test_position_waits_for_the_receipts(tmp_path: Path) -> None:
    """A window counts when its points are safe, not when they were read."""
    async with past(tmp_path) as it:
        await it.here.start(HOURLY, every=1e9)
        it.here.store_up.clear()
        record = await it.ask(hours(20), chunk=10 * HOUR)
        await it.here.until(lambda: len(it.here.logged("closed")) == 1)
        await it.here.clock.drive(it.here.clock.sleep(60))
        before = record.position, len(it.windows())
        on_disk = [each.position for each in await it.backfills.listed(limit=1)]

        it.here.store_up.set()
        await it.ended(record)

        assert before == (START, 1)
        assert on_disk == [START]


async def test_backfill_goes_on_where_it_was_after_a_restart(tmp_path: Path) -> None:
    """With the window that was not safe yet."""
    async with past(tmp_path) as it:
        await it.here.start(HOURLY, every=1e9)
        first = await it.ask(hours(40), chunk=10 * HOUR, rate=10 / 60)
        await it.here.until(lambda: len(it.windows()) == 3)
        await it.here.clock.drive(it.here.tasks.cancel())
        again = await it.restarted()
        position = again.position
        await it.here.restart(every=1e9)
        it.backfills.follow()
        done = await it.ended(again)

        assert (again.id, again.rate) == (first.id, first.rate)
        assert position == START + 20 * HOUR
        assert [start for start, _ in it.windows()].count(int(position)) == 2
        assert (done.status, done.readings) == (Status.DONE, 40)
        assert len(it.stored_times()) == 40


async def test_failed_window_is_tried_again_after_growing_pauses(tmp_path: Path) -> None:
    """For ever; the failure is format_window, and logged when it changes."""
    async with past(tmp_path) as it:
        await it.here.start(FAILING, every=1e9)
        record = await it.ask(hours(10), chunk=5 * HOUR)
        await it.here.until(lambda: record.failures == 8)
        spent = it.here.clock.monotonic()

        assert spent == pytest.approx(10 + 20 + 40 + 80 + 160 + 300 + 300, abs=5)
        assert "OSError: no server" in record.error
        assert record.why.startswith(format_window(hours(5)))
        assert (record.position, record.readings) == (START, 0)
        assert len(it.here.logged("backfill fails")) == 1

        it.here.plugins.write("probe", FAILING.replace("broken=True", "broken=False"))
        done = await it.ended(record)

        assert (done.status, done.failures, done.error, done.readings) == (Status.DONE, 0, "", 2)
        assert len(it.here.logged("backfill works again")) == 1


# A long window of the first hours would never be read.
NEVER_IF_LONG = """
    import asyncio

    async def run(*, ctx, start=None, end=None, **_):
        if start is None:
            return
        ctx.log.info("window", start=int(start.timestamp()), end=int(end.timestamp()))
        hours = (end - start).total_seconds() / 3600
        if hours > 3 and start.timestamp() < 1_600_018_000:
            await asyncio.Event().wait()
        yield {"readings": [(start.timestamp(), "level", 1)]}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("with_ease", "growth"),
    [(0.0, 1), (1.0, 2)],
    ids=["read just in time", "read with ease"],
)
async def test_window_that_takes_too_long_is_halved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_ease: float, growth: float
) -> None:
    """Until the plugin can read it in time; they grow again where that is done with ease.

    The deadline is in real time. On a busy machine more windows may miss it than those
    that are never read; all are compared with the one before them.
    """
    monkeypatch.setattr(backfill, "WITH_EASE", with_ease)
    async with past(tmp_path) as it:
        await it.here.start(NEVER_IF_LONG, every=1e9, timeout=0.3)
        record = await it.ask(hours(15), chunk=10 * HOUR)
        await it.here.until(lambda: record.failures == 1)
        told = record.why, record.error
        again = await it.ask(hours(15), chunk=10 * HOUR)
        done = await it.ended(record)

        assert (
            told[0]
            == f"{format_window(hours(10))} is too long, and is tried again in shorter windows"
        )
        assert "run must end within 0.3 s" in told[1]
        assert again is record
        assert [(end - start) / HOUR for start, end in it.windows()[:3]] == [10, 5, 2.5]
        longest = 10 * HOUR
        for (start, end), (following, its_end) in pairwise(it.windows()):
            missed = following == start
            longest = (end - start) / 2 if missed else min(10 * HOUR, longest * growth)
            assert its_end == min(following + longest, hours(15)[1])
        assert (done.status, done.chunk) == (Status.DONE, 10 * HOUR)


async def test_degraded_window_counts_as_done(tmp_path: Path) -> None:
    """What the plugin said is kept, without secrets."""
    async with past(tmp_path) as it:
        it.here.services.redactor.add(["pa55word"])
        await it.here.start(
            """
            async def run(start=None, end=None, **_):
                yield {"script_error": "R7: pa55word is unknown"}
            """,
            every=1e9,
        )
        done = await it.ended(await it.ask(hours(10), chunk=5 * HOUR))

        assert done.status is Status.DONE
        assert done.problems == [
            f"{format_window(window)}: R7: *** is unknown"
            for window in (hours(5), hours(5, after=5))
        ]


async def test_window_and_run_go_on_beside_each_other(tmp_path: Path) -> None:
    """Live readings do not wait for a window that takes an hour."""
    async with past(tmp_path) as it:
        await it.here.start(
            """
            async def run(*, ctx, start=None, end=None, **_):
                if start is None:
                    yield {"readings": [(None, "level", 1)]}
                else:
                    await ctx._clock.sleep(100)
                    yield {"readings": [(start.timestamp(), "level", 2)]}
            """
        )
        record = await it.ask(hours(5))
        await it.here.until(lambda: "probe" in it.backfills.windows)
        await it.here.until(lambda: len(it.here.stored) == 5)

        assert it.here.values() == [1.0] * 5
        await it.ended(record)
        assert 2.0 in it.here.values()


async def test_full_buffer_of_the_past_never_delays_a_live_result(tmp_path: Path) -> None:
    """A store that is slow with the past still gets the present at once."""
    async with past(tmp_path, capacity=4000) as it:
        await it.here.start(HOURLY, every=1e9)
        await it.here.start(
            """
            async def run(**_):
                yield {"readings": [(None, "level", -1)] * 100, "n": 1}
            """,
            "live",
        )
        it.here.store_up.clear()
        await it.ask(hours(5000))
        await it.here.until(lambda: it.here.buffer.backfill == 1000)
        (record,) = await it.here.ran(1, "live")
        it.here.store_up.set()
        await it.here.until(lambda: -1.0 in it.here.values())

        assert record.seconds == 0.0
        assert it.here.values().index(-1.0) <= 100  # the one batch that was on its way


async def test_changed_collector_takes_the_backfill_over(tmp_path: Path) -> None:
    """From the start of the window under way, with what is configured now."""
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
    """A reload of others costs nothing."""
    async with past(tmp_path) as it:
        await it.here.start(HOURLY, every=1e9)
        record = await it.ask(hours(50), rate=1)
        await it.here.until(lambda: len(it.windows()) == 1)
        it.backfills.follow()
        await it.ended(record)

        assert len(it.windows()) == 1


async def test_backfill_pauses_without_its_collector(tmp_path: Path) -> None:
    """And goes on when that comes back."""
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
    """Neither a reload nor somebody who asks again may bring it back."""
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
    """Even if the first of them does not wait for it."""
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
    """However often the collector is configured anew meanwhile."""
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
    """How a backfill stands is told by whoever has taken it over."""
    async with past(tmp_path) as it:
        await it.here.start(
            """
            import asyncio

            async def run(*, ctx, start=None, end=None, **_):
                ctx.log.info("window", start=int(start.timestamp()), end=int(end.timestamp()))
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    yield {"readings": [(start.timestamp(), "level", 1)]}
                    ctx.log.info("closed")
            """,
            every=1e9,
        )
        record = await it.ask(hours(50), chunk=10 * HOUR)
        await it.here.until(lambda: len(it.windows()) == 1)
        await it.here.remove()
        it.backfills.follow()
        await it.here.until(lambda: len(it.here.logged("closed")) == 1)
        await it.here.until(lambda: record.position > START)

        assert record.status is Status.PAUSED
        assert record.why == "its collector is disabled, or no longer configured"


async def test_connections_of_a_backfill_are_closed_behind_it(tmp_path: Path) -> None:
    """They are its own, beside those of the runs."""
    async with past(tmp_path) as it:
        await it.here.start(
            """
            async def run(*, ctx, start=None, end=None, **_):
                ctx.shared(list).append(ctx.http)
                yield {}
            """,
        )
        await it.here.ran(1)
        await it.ended(await it.ask(hours(1)))
        sessions: list[ClientSession] = it.here.services.shared.get(list)

        assert sorted({id(each): each.closed for each in sessions}.values()) == [False, True]


async def test_requests_of_a_backfill_count_towards_the_rate_of_its_collector(
    tmp_path: Path,
) -> None:
    """That is what the operator allowed it at the server."""
    async with past(tmp_path) as it:
        app = web.Application()
        async with TestServer(app, host="127.0.0.1") as server:
            collector = await it.here.start(
                """
                async def run(*, ctx, url, start=None, end=None, **_):
                    async with ctx.http.get(url) as reply:
                        ctx.log.info("asked", at=ctx._clock.monotonic(), window=start is not None)
                    yield {}
                """,
                every=1e9,
                http=HttpConfig(rate=0.01),
                params={"url": str(server.make_url("/"))},
            )
            await settle()
            await it.here.clock.drive(collector.run_now())
            await it.ended(await it.ask(hours(2), chunk=HOUR))

        asked = it.here.logged("asked")
        assert [each["window"] for each in asked] == [False, True, True]
        assert asked[2]["at"] - asked[1]["at"] == pytest.approx(100, abs=1)
        assert asked[1]["at"] - asked[0]["at"] == pytest.approx(100, abs=1)


async def test_large_result_of_a_backfill_comes_in_as_its_part_of_the_buffer(
    tmp_path: Path,
) -> None:
    """Handed over whole, it would take all of it."""
    async with past(tmp_path, capacity=400) as it:
        await it.here.start(
            """
            async def run(*, start=None, end=None, **_):
                if start is not None:
                    yield {"readings": [(start.timestamp() + n, "level", n) for n in range(1000)]}
            """,
            every=1e9,
        )
        it.here.store_up.clear()
        record = await it.ask(hours(1))
        await it.here.until(lambda: it.here.buffer.backfill > 0)
        held = it.here.buffer.backfill
        it.here.store_up.set()
        await it.ended(record)

        assert held == 100
        assert len(it.here.stored) == 1000


async def test_backfill_that_waits_is_cancelled_at_once(tmp_path: Path) -> None:
    """Even if its collector is not there."""
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
    """At another rate, and at once if it has failed; something else has to wait."""
    async with past(tmp_path) as it:
        await it.here.start(FAILING, every=1e9)
        record = await it.ask(hours(10), chunk=5 * HOUR)
        await it.here.until(lambda: record.failures == 7)
        began = it.here.clock.monotonic()
        it.here.plugins.write("probe", FAILING.replace("broken=True", "broken=False"))
        again = await it.ask(hours(10), chunk=5 * HOUR, rate=1000.0)
        await it.ended(record)

        assert again is record
        assert again.rate == 1000.0
        assert it.here.clock.monotonic() - began < 60
        assert len(await it.backfills.listed(limit=10)) == 1


async def test_one_at_a_time(tmp_path: Path) -> None:
    """Of each collector; two who ask at once get the same."""
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
        with pytest.raises(NotNow, match="nobody: is disabled"):
            await it.ask(hours(1), name="nobody")
        with pytest.raises(NotPossible, match="expected at least one"):
            await it.ask()

        assert it.backfills.unfinished == []


async def test_plugin_that_gives_up_windows_fails_the_backfill(tmp_path: Path) -> None:
    """It may be edited while a backfill goes on."""
    async with past(tmp_path) as it:
        await it.here.start(FAILING, every=1e9)
        record = await it.ask(hours(1))
        await it.here.until(lambda: record.failures == 1)
        it.here.plugins.write("probe", "async def run(**_):\n    yield {}")
        await it.here.until(lambda: record.failures == 2)

        assert "expected a run that declares start and end" in record.error


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
    """After the grace period, or when somebody is in a hurry; it is begun anew later."""
    async with past(tmp_path, grace=0.05) as it:
        await it.here.start(HOURLY, every=1e9)
        record = await it.ask(hours(60), rate=0.001)
        await it.here.until(lambda: len(it.windows()) == 1)
        await it.backfills.stop()

        assert len(it.here.logged("closed")) == 1
        assert (record.position, record.over) == (START, False)
