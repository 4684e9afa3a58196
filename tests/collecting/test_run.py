"""One run: its results are handed over whole, in order, and counted."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ingestd.collecting.points import SAMPLES
from ingestd.collecting.run import SLICE, RunCounts
from ingestd.config.catalogue import Catalogue, SeriesDescription
from ingestd.contract import take_apart
from ingestd.contract.memory import Memory
from ingestd.delivery.lane import Lane
from tests.support.collecting import site

CHANGE = datetime(2026, 10, 25, 1, tzinfo=UTC).timestamp()
LOCAL = """
    from datetime import datetime
    from zoneinfo import ZoneInfo

    async def run(*, ctx, **_):
        now, zone = int(ctx.now().timestamp()), ZoneInfo("Europe/Berlin")
        times = range(now - 1800 + 300, now, 300)
        return {"readings": [
            (datetime.fromtimestamp(t, zone).replace(tzinfo=None), "level", t) for t in times
        ]}
"""
ASKING = """
    async def run(*, ctx, **_):
        for time in (19, ctx.now().timestamp(), ctx.now().timestamp() + 1e9):
            if problem := ctx.time_problem(time):
                ctx.note(problem)
        return {"readings": []}
"""
SHAPES = {
    "function": """
        def run(*, n=0, **_):
            return {"readings": [(n, "level", n)], "n": n + 1}
        """,
    "coroutine": """
        async def run(*, n=0, **_):
            return {"readings": [(n, "level", n)], "n": n + 1}
        """,
    "decorated coroutine": """
        import functools
        def twice(run):
            @functools.wraps(run)
            async def wrapper(**kwargs):
                return await run(**kwargs)
            return wrapper
        @twice
        async def run(*, n=0, **_):
            return {"readings": [(n, "level", n)], "n": n + 1}
        """,
    "hidden coroutine": """
        async def work(n):
            return {"readings": [(n, "level", n)], "n": n + 1}
        def run(*, n=0, **_):
            return work(n)
        """,
    "generator": """
        async def run(*, n=0, **_):
            yield {"readings": [(n, "level", n)]}
            yield {"n": n + 1}
        """,
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.slow  # a worker process starts for some of them
async def test_all_shapes_of_run_do_the_same(tmp_path: Path, shape: str) -> None:
    """What a plugin can say, it can say in each of them."""
    async with site(tmp_path) as here:
        collector = await here.start(SHAPES[shape])

        records = await here.ran(2)
        await here.until(lambda: here.values() == [0.0, 1.0])
        await here.clock.drive(collector.committer.committed())

        assert [(each.outcome, each.readings) for each in records] == [("ok", 1)] * 2
        assert await here.on_disk() == Memory(state={"n": 2})


@pytest.mark.slow  # tens of thousands of readings are stored
async def test_large_result_is_handed_over_in_slices(tmp_path: Path) -> None:
    """All of it arrives, and the state waits for the last slice."""
    number = 2 * SLICE + 5
    async with site(tmp_path, capacity=8 * number) as here:
        here.store_up.clear()
        collector = await here.start(
            f"""
            async def run(**_):
                readings = [(n, "level", n) for n in range({number})] + [(1, "", 1)] * 9
                return {{"readings": readings, "n": 1}}
            """,
            every=3600.0,
        )
        (record,) = await here.ran()
        assert (record.readings, record.points) == (number + 9, number)
        assert len(record.samples) == SAMPLES
        assert await here.on_disk() == Memory()

        here.store_up.set()
        await here.clock.drive(collector.committer.committed())

        assert here.values() == [float(n) for n in range(number)]
        assert await here.on_disk() == Memory(state={"n": 1})


async def test_result_that_fails_halfway_through_a_stream_costs_only_itself(
    tmp_path: Path,
) -> None:
    """Those before it count, in the record and in the state; the generator is closed."""
    async with site(tmp_path) as here:
        collector = await here.start(
            """
            async def run(*, ctx, **_):
                try:
                    yield {"readings": [(1, "level", 1)], "n": 1}
                    yield {"readings": [(2, "level", 2)], "n": object()}
                    yield {"n": 3}
                finally:
                    ctx.log.info("closed")
            """
        )

        (record,) = await here.ran()

        assert (record.outcome, record.readings) == ("failed", 1)
        assert record.error.startswith("n: cannot be kept: ")
        assert collector.committer.memory.state == {"n": 1}
        assert len(here.logged("closed")) == 1


async def test_series_are_named_anew_in_the_middle_of_a_stream(tmp_path: Path) -> None:
    """A changed catalogue needs no new run."""
    async with site(tmp_path) as here:
        await here.start(
            """
            async def run(*, ctx, **_):
                for n in range(100):
                    yield {"readings": [(n, "level", 1)]}
                    await ctx._clock.sleep(2)
            """,
            stream=True,
        )
        await here.until(lambda: len(here.stored) >= 2)

        here.collectors.rename(Catalogue({"level": SeriesDescription(scale=10)}))

        await here.until(lambda: 10.0 in here.values())
        assert len(here.ended()) == 0


async def test_scheduled_run_has_no_window(tmp_path: Path) -> None:
    """A plugin that declares a window gets None for both ends; another gets neither."""
    async with site(tmp_path) as here:
        reading = await here.start(
            'async def run(*, start, end): return {"window": [start, end]}', name="past"
        )
        plain = await here.start('async def run(): return {"n": 1}', name="plain")
        await here.ran(name="past")
        await here.ran(name="plain")

        assert reading.committer.memory.state == {"window": [None, None]}
        assert plain.committer.memory.state == {"n": 1}


@pytest.mark.parametrize("define", ["async def", pytest.param("def", marks=pytest.mark.slow)])
async def test_readings_under_a_misspelt_name_are_no_state(tmp_path: Path, define: str) -> None:
    """Kept as state they would never be stored, and the run would look well."""
    async with site(tmp_path) as here:
        await here.start(f"{define} run(**_): return {{'reading': [(1, 'level', 1)]}}")

        (record,) = await here.ran(1)

        assert record.outcome == "failed"
        assert "expected 'readings' as the name of its readings, got 'reading'" in record.error


async def test_run_whose_store_was_removed_keeps_its_position(tmp_path: Path) -> None:
    """Its readings are with no store, so they have to come again; what it hides is kept."""
    async with site(tmp_path) as here:
        (lane,) = here.buffer.lanes.values()
        unused = Lane(points=100, size_bytes=10**6, linger=1.0, clock=here.clock)
        here.buffer.lanes = {"main": lane, "old": unused}
        collector = await here.start(
            """
            async def run(*, ctx, n=0, **_):
                await ctx._clock.sleep(5)
                return {"readings": [(n, "level", n)], "n": n + 1, "hidden": {"token": f"t{n}"}}
            """
        )
        await here.until(lambda: collector.running is not None)
        here.buffer.lanes = {"another": lane}

        (record,) = await here.ran()
        assert record.outcome == "failed"
        assert record.error == (
            "stores: main, old removed or renamed while this ran, so its position does not move "
            "and the next run reads the same again"
        )
        assert collector.committer.memory == Memory(hidden={"token": "t0"})

        _, following = await here.ran(2)
        assert following.outcome == "ok"
        assert collector.committer.memory == Memory(state={"n": 1}, hidden={"token": "t0"})


def test_series_that_a_run_reports_add_up() -> None:
    """Until a result does not say which are wrong: it may be any then."""
    counts = RunCounts()
    unread = []
    for problem in ({"attic": "silent"}, {}, {"cellar": "silent"}, "all is wrong"):
        counts.degrade(take_apart({"script_error": problem}))
        unread.append(counts.unread)

    assert unread == [{"attic"}, {"attic"}, {"attic", "cellar"}, None]


def test_run_without_a_usable_reading_says_why() -> None:
    """By reason, the most frequent first, with one of each if there is one to show."""
    counts = RunCounts(
        readings=3,
        unusable=Counter({"value": 1, "time": 2}),
        first={"value": "level: expected a number, got 'x'"},
    )

    assert counts.unusable_text() == (
        "not one of 3 readings is usable: 2 by time, 1 by value (level: expected a number, got 'x')"
    )


def test_unusable_readings_are_told_beside_usable_ones() -> None:
    """A stream that has gone well for a year may give nothing usable from now on."""
    counts = RunCounts(readings=1003, points=1000, unusable=Counter({"value": 3}))

    assert counts.unusable_text() == "3 of 1003 readings are unusable: 3 by value"


async def test_plugin_may_ask_which_times_are_believed(tmp_path: Path) -> None:
    """Its senders wait to hear whether their readings are taken."""
    async with site(tmp_path) as here:
        await here.start(ASKING, not_before=946_684_800.0, not_after=86_400.0)
        (record,) = await here.ran()

    early, late = record.notes
    assert early == "expected a time from 2000-01-01 on (not_before), got 1970-01-01T00:00:19Z"
    assert "(not_after), got " in late


async def test_runs_through_the_hour_that_comes_twice(tmp_path: Path) -> None:
    """A plugin that gives the last half hour by a local clock, each time that it runs."""
    asked = [CHANGE - 5400 + 900 * at for at in range(13)]
    async with site(tmp_path) as here:
        collector = await here.start(LOCAL, every=1e9, timezone=ZoneInfo("Europe/Berlin"))
        for now in asked:
            here.clock.step(now - here.clock.now())
            await here.clock.drive(collector.run_now())
        await here.until(lambda: len(here.stored) == 5 * len(asked))
        stored = [(time_us // 1_000_000, value) for _, time_us, value in here.stored]

    assert {time for time, _ in stored} == {*range(int(CHANGE) - 6900, int(CHANGE) + 5400, 300)}
    assert all(time == value for time, value in stored)


@pytest.mark.parametrize("zone", [None, ZoneInfo("Asia/Tokyo")])
async def test_plugin_knows_the_zone_of_its_collector(
    tmp_path: Path, zone: ZoneInfo | None
) -> None:
    """By its name, which it can use for what it asks as well."""
    async with site(tmp_path) as here:
        plugin = "async def run(*, ctx, **_):\n    ctx.note(repr(ctx.timezone))\n    return {}"
        await here.start(plugin, timezone=zone)
        (record,) = await here.ran()

    assert record.notes == [repr(zone and zone.key)]
