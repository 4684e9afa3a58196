"""A backfill is behind everything else: outages, a full buffer, and what is collected now."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from ingestd.backfilling.records import Status
from tests.support.backfilling import HOUR, HOURLY, START, hours, past

# Gives local times, one in a result, so slowly that the schedule has its runs in between.
LOCAL: Final = """
    from datetime import datetime
    from zoneinfo import ZoneInfo

    def shown(time):
        return datetime.fromtimestamp(time, ZoneInfo("Europe/Berlin")).replace(tzinfo=None, fold=0)

    async def run(*, ctx, start=None, end=None, **_):
        if start is None:
            yield {"readings": [(shown(ctx.now().timestamp()), "level", 0)]}
            return
        for time in range(int(start.timestamp()), int(end.timestamp()), 1800):
            await ctx._clock.sleep(10)
            yield {"readings": [(shown(time), "level", 1)]}
"""


async def test_backfill_waits_while_a_store_is_behind(tmp_path: Path) -> None:
    """It says which store it waits for."""
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
        record = await it.ask(hours(200), chunk=100 * HOUR, rate=10)
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


async def test_scheduled_runs_say_nothing_of_the_local_times_of_a_backfill(tmp_path: Path) -> None:
    """The hour that came twice is told by the order of its own readings."""
    change = int(datetime(2023, 10, 29, 1, tzinfo=UTC).timestamp())
    span = change - 7200, change + 7200
    async with past(tmp_path) as it:
        await it.here.start(LOCAL, every=5.0, timezone=ZoneInfo("Europe/Berlin"))

        await it.ended(await it.ask(span))

        assert it.here.values().count(0) > 8
        found = [time_us // 1_000_000 for _, time_us, value in it.here.stored if value]
        assert found == list(range(*span, 1800))
