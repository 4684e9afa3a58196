"""Plugins that are edited while they run, and those that run for ever."""

from itertools import pairwise
from pathlib import Path

import pytest

from ingestd.collecting import collector as collector_module
from tests.support.collecting import COUNTING, site


async def test_edited_plugin_is_read_again_before_the_next_run(tmp_path: Path) -> None:
    """Neither a reload nor a restart is needed."""
    async with site(tmp_path) as here:
        await here.start("async def run(**_):\n    return {'version': 1}\n")
        await here.ran()
        here.plugins.write("probe", "async def run(**_):\n    return {'version': 'two'}\n")

        await here.ran(2)

        assert here.collectors.by_name["probe"].committer.memory.state == {"version": "two"}
        assert len(here.logged("plugin changed, and was read again")) == 1


async def test_broken_edit_leaves_the_last_good_version_running(tmp_path: Path) -> None:
    """It is told once, and again when there is something else to tell."""
    async with site(tmp_path) as here:
        collector = await here.start(COUNTING)
        await here.ran()
        here.plugins.write("probe", "async def run(**_:\n")

        records = await here.ran(4)
        assert [each.outcome for each in records] == ["ok"] * 4
        assert collector.committer.memory.state == {"n": 4}
        assert len(here.logged("plugin does not load, its last good version stays")) == 1

        here.plugins.write("probe", "async def run(**_):\n    return {'mended': True}\n")
        await here.ran(5)
        assert collector.committer.memory.state == {"mended": True}


async def test_plugin_that_never_loaded_fails_its_runs_until_it_does(tmp_path: Path) -> None:
    """The others run, and it needs no restart once it is mended."""
    async with site(tmp_path) as here:
        await here.start("import nothing_of_that_name\nasync def run(**_): ...\n", every=1.0)
        (record,) = await here.ran()
        assert record.outcome == "failed"
        assert "needs the module 'nothing_of_that_name'" in record.error

        here.plugins.write("probe", "async def run(**_):\n    return {}\n")
        *_, record = await here.ran(2)

        assert record.outcome == "ok"


STREAM = """
    import asyncio
    async def run(*, ctx, n=0, **_):
        ctx.log.info("begins", n=n)
        yield {"readings": [(n + 1, "level", n + 1)], "n": n + 1}
        await asyncio.Event().wait()
"""


async def test_stream_starts_at_once_and_goes_on(tmp_path: Path) -> None:
    """A collector without a schedule is one, with no deadline unless the operator sets one."""
    async with site(tmp_path) as here:
        collector = await here.start(STREAM, stream=True)

        await here.until(lambda: here.values() == [1.0])
        await here.clock.advance(10_000)

        assert collector.running is not None
        assert here.ended() == []


async def test_stream_that_ends_is_restarted_with_growing_pauses(tmp_path: Path) -> None:
    """The pauses double from one second to a minute."""
    async with site(tmp_path) as here:
        await here.start("async def run(**_):\n    yield {}\n    raise OSError('gone')\n",
                         stream=True)  # fmt: skip

        records = await here.ran(9)

        starts = [each.started for each in records]
        pauses = [later - earlier for earlier, later in pairwise(starts)]
        assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]


async def test_stream_begins_anew_when_its_plugin_is_edited(tmp_path: Path) -> None:
    """The new version goes on from the state of the old one, within seconds."""
    async with site(tmp_path) as here:
        await here.start(STREAM, stream=True)
        await here.until(lambda: here.values() == [1.0])
        edited = STREAM.replace('"level", n + 1', '"level", 100 * (n + 1)')

        here.plugins.write("probe", edited)

        await here.until(lambda: here.values() == [1.0, 200.0])
        assert [each["n"] for each in here.logged("begins")] == [0, 1]


async def test_stream_begins_anew_when_another_run_has_loaded_the_edit(tmp_path: Path) -> None:
    """A backfill uses the plugin, too, and may see first that it was edited."""
    async with site(tmp_path) as here:
        collector = await here.start(STREAM, stream=True)
        await here.until(lambda: here.values() == [1.0])

        here.plugins.write("probe", STREAM.replace('"level", n + 1', '"level", 100 * (n + 1)'))
        await here.clock.drive(collector.setup.plugin())

        await here.until(lambda: here.values() == [1.0, 200.0])
        assert len(here.logged("plugin changed, and was read again")) == 1


async def test_stream_goes_on_after_a_broken_edit(tmp_path: Path) -> None:
    """Its running version is the last good one."""
    async with site(tmp_path) as here:
        await here.start(STREAM, stream=True)
        await here.until(lambda: here.values() == [1.0])

        here.plugins.write("probe", "async def run(**_:\n")
        await here.until(
            lambda: bool(here.logged("plugin does not load, its last good version stays"))
        )
        await here.clock.advance(100)

        assert len(here.logged("begins")) == 1


async def test_function_cannot_be_a_stream(tmp_path: Path) -> None:
    """The message says what is missing."""
    async with site(tmp_path) as here:
        await here.start(COUNTING, stream=True)

        (record, *_) = await here.ran()

        assert record.outcome == "failed"
        assert record.error.startswith("probe: expected an async generator, because the collector")


async def test_backpressure_stops_a_generator_at_its_yield(tmp_path: Path) -> None:
    """It resumes when the buffer has room."""
    async with site(tmp_path, capacity=2) as here:
        here.store_up.clear()
        await here.start(
            """
            async def run(*, ctx, **_):
                for n in range(5):
                    ctx.log.info("yields", n=n)
                    yield {"readings": [(n, "level", n)]}
            """
        )
        await here.until(lambda: len(here.logged("yields")) == 3)
        await here.clock.advance(5)
        assert len(here.logged("yields")) == 3

        here.store_up.set()
        await here.ran()

        assert len(here.logged("yields")) == 5


@pytest.mark.parametrize(("capacity", "part"), [(1000, 300), (4000, 500)])
async def test_run_holds_a_part_of_the_buffer(tmp_path: Path, capacity: int, part: int) -> None:
    """An eighth, or three batches of 100 if that is more; others find room beside it."""
    async with site(tmp_path, capacity=capacity) as here:
        here.store_up.clear()
        await here.start(
            """
            async def run(*, ctx, **_):
                for n in range(10):
                    yield {"readings": [(i, f"level {n}", i) for i in range(100)]}
            """
        )
        await here.until(lambda: here.buffer.held == part)
        await here.clock.advance(5)
        assert here.buffer.held == part

        here.store_up.set()
        await here.ran()

        assert len(here.stored) == 1000


async def test_settled_waits_until_everything_yielded_is_safe(tmp_path: Path) -> None:
    """A broker's message is acked then, not before, and no batch has to fill first."""
    async with site(tmp_path) as here:
        here.store_up.clear()
        await here.start(
            """
            async def run(*, ctx, **_):
                yield {"readings": [(1, "level", 1)]}
                yield {"readings": [(2, "level", 2)]}
                await ctx.settled()
                ctx.log.info("acked", at=ctx.now().timestamp())
            """
        )
        await here.until(lambda: here.buffer.held == 2)
        await here.clock.advance(3)
        assert here.logged("acked") == []

        here.store_up.set()
        await here.ran()

        assert len(here.logged("acked")) == 1
        assert here.values() == [1.0, 2.0]


async def test_committed_waits_until_the_state_of_what_was_yielded_is_on_disk(
    tmp_path: Path,
) -> None:
    """A file may be moved then: a restart knows that it was read."""
    async with site(tmp_path) as here:
        here.store_up.clear()
        await here.start(
            """
            async def run(*, ctx, **_):
                yield {"readings": [(1, "level", 1)], "read": "a"}
                ctx.log.info("moved", kept=await ctx.committed())
            """
        )
        await here.until(lambda: here.buffer.held == 1)
        await here.clock.advance(3)
        assert here.logged("moved") == []

        here.store_up.set()
        await here.ran()

        assert [each["kept"] for each in here.logged("moved")] == [True]


@pytest.mark.parametrize(
    ("result", "droppable"),
    [
        ('return {"readings": [(1, "a", 1)]}', True),
        ('return {"readings": [(1, "a", 1)], "cursor": 1}', False),
        ('return {"readings": [(1, "a", 1)], "hidden": {"cursor": 1}}', False),
        ('return {"readings": [(None, "a", 1)], "counter": 1}', True),
        ('return {"readings": [(1, "a", 1)], "script_error": "b is silent"}', True),
        ('yield {"readings": [(1, "a", 1)]}', False),
    ],
)
async def test_only_points_without_a_position_behind_them_may_be_dropped(
    tmp_path: Path,
    result: str,
    droppable: bool,  # noqa: FBT001
) -> None:
    """A source that can be asked again waits instead."""
    async with site(tmp_path) as here:
        await here.start(f"async def run(**_):\n    {result}\n")

        await here.until(lambda: len(here.stored) == 1)

        assert bool(here.droppable) is droppable


async def test_metrics_of_a_run_under_way_are_brought_up_to_date(tmp_path: Path) -> None:
    """The run of a stream may take years; each reading of it is counted once."""
    async with site(tmp_path) as here:
        collector = await here.start(STREAM, stream=True)
        await here.until(lambda: len(here.stored) == 1)
        before = here.metric("ingestd_readings_total", collector="probe")
        collector.note()
        collector.note()

        assert before == 0
        assert here.metric("ingestd_readings_total", collector="probe") == 1


async def test_only_scheduled_runs_have_a_deadline_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream is meant to go on; a run that hangs would keep its ticks away for ever."""
    monkeypatch.setattr(collector_module, "SCHEDULED_TIMEOUT", 0.05)
    async with site(tmp_path) as here:
        await here.start(STREAM, stream=True)
        await here.start(STREAM, name="scheduled")
        (record, *_) = await here.ran(name="scheduled")

        assert record.outcome == "timeout"
        assert here.collectors.by_name["probe"].running is not None
        assert not here.ended("probe")
