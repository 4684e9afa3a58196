"""A collector's life: its ticks, its runs, what it remembers, and what it survives."""

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest

from ingestd.contract.memory import Memory
from ingestd.errors import NotNow
from tests.support.clock import START
from tests.support.collecting import site
from tests.support.pipeline import until

COUNTING = """
    async def run(*, n=0, **_):
        return {"readings": [(n + 1, "level", n + 1)], "n": n + 1}
"""


async def test_coroutine_runs_on_every_tick_with_what_it_returned(tmp_path: Path) -> None:
    """The next run gets the state of the one before, and the store its readings."""
    async with site(tmp_path) as here:
        await here.start(COUNTING)

        records = await here.ran(3)

        assert [each.tick for each in records] == [START + 10, START + 20, START + 30]
        assert [each.outcome for each in records] == ["ok"] * 3
        await here.until(lambda: here.values() == [1.0, 2.0, 3.0])


@pytest.mark.slow
async def test_ordinary_function_runs_in_a_worker_process(tmp_path: Path) -> None:
    """It behaves like the other shapes, and what it prints is in its record."""
    async with site(tmp_path) as here:
        await here.start(
            """
            import os
            def run(*, n=0, ctx, **_):
                print("hello")
                ctx.log.info("working", n=n)
                return {"readings": [(None, "level", n)], "n": n + 1, "pid": os.getpid()}
            """
        )

        records = await here.ran(2)

        assert [each.output for each in records] == ["hello\n"] * 2
        assert [each["n"] for each in here.logged("working")] == [0, 1]
        await here.until(lambda: here.values() == [0.0, 1.0])


async def test_generator_yields_checkpoints_that_survive_its_failure(tmp_path: Path) -> None:
    """What was yielded counts; the failure costs only what was not."""
    async with site(tmp_path) as here:
        collector = await here.start(
            """
            async def run(*, last=0, **_):
                for last in range(last + 1, last + 3):
                    yield {"readings": [(last, "level", last)], "last": last}
                raise OSError("broken")
            """
        )

        (record, *_) = await here.ran(1)
        await here.until(lambda: here.values() == [1.0, 2.0])
        await here.clock.drive(collector.committer.committed())

        assert (record.outcome, record.error) == ("failed", "OSError: broken")
        assert record.readings == 2
        assert await here.on_disk() == Memory(state={"last": 2})


async def test_failed_run_keeps_the_state_it_had(tmp_path: Path) -> None:
    """Its traceback is in the record, from the plugin's first line on."""
    async with site(tmp_path) as here:
        collector = await here.start(
            """
            async def run(*, n=0, **_):
                if n == 1:
                    raise ValueError("no")
                return {"n": n + 1}
            """
        )

        _, second = await here.ran(2)

        assert (second.outcome, second.error) == ("failed", "ValueError: no")
        assert 'raise ValueError("no")' in second.details
        assert "results.py" not in second.details
        assert collector.committer.memory.state == {"n": 1}


@pytest.mark.parametrize(
    ("result", "error"),
    [
        ("None", "run must give a dict, got NoneType"),
        ('{"n": object()}', "n: cannot be kept: "),
        ('{"readings": 5}', "readings: expected a list, got int"),
    ],
)
async def test_result_that_cannot_be_kept_fails_the_run(
    tmp_path: Path, result: str, error: str
) -> None:
    """Nothing of it is used."""
    async with site(tmp_path) as here:
        collector = await here.start(f"async def run(**_):\n    return {result}\n")

        (record,) = await here.ran()

        assert record.outcome == "failed"
        assert record.error.startswith(error)
        assert collector.committer.memory == Memory()


@pytest.mark.parametrize("error", ["SystemExit(3)", "KeyboardInterrupt()", "CancelledError()"])
async def test_run_that_raises_what_ends_programs_ends_only_itself(
    tmp_path: Path, error: str
) -> None:
    """A plugin's exit, or something that it waited for and was cancelled, fails one run."""
    async with site(tmp_path) as here:
        await here.start(
            f"""
            from asyncio import CancelledError
            async def run(**_):
                raise {error}
            """
        )

        records = await here.ran(2)

        assert [each.outcome for each in records] == ["failed"] * 2


async def test_unusable_readings_are_told_in_the_record(tmp_path: Path) -> None:
    """Counted by reason and sampled, in the metrics too."""
    async with site(tmp_path) as here:
        await here.start(
            """
            async def run(**_):
                return {"readings": [(1, "a", 1), (2, "a", float("nan")), (3, "", 1)]}
            """
        )

        (record,) = await here.ran()

        assert (record.readings, record.points) == (3, 1)
        assert record.unusable == {"non_finite": 1, "series": 1}
        assert len(record.samples) == 2
        assert here.metric("ingestd_readings_total", collector="probe") == 3
        assert here.metric(
            "ingestd_readings_unusable_total", collector="probe", reason="series"
        ) == 1  # fmt: skip


async def test_run_that_reports_trouble_is_degraded(tmp_path: Path) -> None:
    """Its readings and state are kept."""
    async with site(tmp_path) as here:
        collector = await here.start(
            """
            async def run(**_):
                return {"readings": [(1, "a", 1)], "n": 1, "script_error": "meter 7 is silent"}
            """
        )

        (record,) = await here.ran()

        assert (record.outcome, record.degraded) == ("degraded", "meter 7 is silent")
        assert record.points == 1
        assert collector.committer.memory.state["n"] == 1
        assert collector.failures == 0


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


@pytest.mark.slow
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


@pytest.mark.slow
async def test_failing_runs_back_off_and_their_ticks_are_missed(tmp_path: Path) -> None:
    """After the first failure the next tick is soon enough; then the pauses double."""
    async with site(tmp_path) as here:
        collector = await here.start("async def run(**_):\n    raise OSError('down')\n", every=1.0)

        records = await here.ran(5)

        assert [each.tick - START for each in records] == [1, 2, 12, 32, 72]
        assert here.metric("ingestd_ticks_missed_total", collector="probe") == 67
        assert collector.failures == 5


@pytest.mark.slow
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
    """One is enough; nobody wants a queue of them."""
    async with site(tmp_path) as here:
        collector = await here.start("async def run(*, ctx, **_):\n    await ctx._clock.sleep(5)\n")
        first = asyncio.create_task(collector.run_now())
        await until(lambda: collector.running is not None)

        with pytest.raises(NotNow, match="has not ended yet"):
            await collector.run_now()
        await here.clock.drive(first)


async def test_edited_plugin_is_read_again_before_the_next_run(tmp_path: Path) -> None:
    """No reload, no restart."""
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
    """From one second to a minute."""
    async with site(tmp_path) as here:
        await here.start("async def run(**_):\n    yield {}\n    raise OSError('gone')\n",
                         stream=True)  # fmt: skip

        records = await here.ran(9)

        starts = [each.started for each in records]
        pauses = [later - earlier for earlier, later in pairwise(starts)]
        assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]


async def test_stream_begins_anew_when_its_plugin_is_edited(tmp_path: Path) -> None:
    """With its state, within seconds."""
    async with site(tmp_path) as here:
        await here.start(STREAM, stream=True)
        await here.until(lambda: here.values() == [1.0])
        edited = STREAM.replace('"level", n + 1', '"level", 100 * (n + 1)')

        here.plugins.write("probe", edited)

        await here.until(lambda: here.values() == [1.0, 200.0])
        assert [each["n"] for each in here.logged("begins")] == [0, 1]


async def test_stream_begins_anew_when_somebody_else_has_loaded_the_edit(tmp_path: Path) -> None:
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


async def test_settled_waits_until_everything_yielded_is_safe(tmp_path: Path) -> None:
    """The place to ack a broker: not before, and without waiting for a batch to fill."""
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


async def test_secrets_are_nowhere_to_be_seen(tmp_path: Path) -> None:
    """Neither in logs, records and tracebacks, nor in any repr."""
    async with site(tmp_path) as here:
        here.services.redactor.add(["pa55word"])
        collector = await here.start(
            """
            async def run(*, password, token="t0ken-1", ctx, **_):
                ctx.log.info("logging in")
                yield {"hidden": {"token": "t0ken-2"}, "n": 1,
                       "readings": [(1, "a", "t0ken-2"), (1, "a", password)]}
                raise OSError(f"{password} and {token} and t0ken-2 were refused")
            """,
            params={"password": "pa55word"},
        )
        records = await here.ran(3)
        await here.clock.drive(collector.committer.committed())

        seen = f"{here.events} {records} {collector.last} {collector.committer.memory} "
        seen += f"{collector.config} {collector.running} {await here.on_disk()}"
        assert "*** and t0ken-1" in records[0].error
        assert "*** and *** and ***" in records[1].error
        assert "pa55word" not in seen
        assert "t0ken-2" not in seen
        assert collector.committer.memory.hidden == {"token": "t0ken-2"}


async def test_deleted_param_stays_away_until_the_operator_writes_another(tmp_path: Path) -> None:
    """Masked in memory and on disk, through a restart of the collector."""
    plugin = """
        async def run(*, code=None, ctx, **_):
            ctx.log.info("called", code=code)
            return {"delete_params": ["code"]}
    """
    async with site(tmp_path) as here:
        await here.start(plugin, params={"code": "once"})
        await here.ran(2)
        await here.restart(params={"code": "once"}, every=5.0)
        await here.ran(3)
        await here.restart(params={"code": "again"})
        await here.ran(4)

        codes = [each["code"] for each in here.logged("called")]
        assert codes == ["once", None, None, "again"]


async def test_state_waits_on_disk_for_the_readings_before_it(tmp_path: Path) -> None:
    """In memory it is ahead, so the next run goes on from it."""
    async with site(tmp_path) as here:
        here.store_up.clear()
        collector = await here.start(COUNTING)
        await here.ran(3)
        assert collector.committer.memory.state == {"n": 3}
        assert await here.on_disk() == Memory()

        here.store_up.set()
        await here.clock.drive(collector.committer.committed())

        assert (await here.on_disk()).state["n"] >= 3
