"""What a collector shows of itself while it runs: facts, records, metrics and names of tasks."""

import asyncio
from pathlib import Path

import pytest

from ingestd.contract.memory import Memory
from ingestd.errors import NotNow
from ingestd.records import Outcome
from tests.support.clock import START, settle
from tests.support.collecting import COUNTING, Site, site
from tests.support.pipeline import until

WAITING = """
    import asyncio
    async def run(*, ctx, **_):
        yield {"readings": [(None, "level", "OPEN t0ken")], "script_error": "half, t0ken"}
        await asyncio.Event().wait()
"""


def tasks() -> set[str]:
    """Return the names of all tasks that are under way."""
    return {each.get_name() for each in asyncio.all_tasks() if not each.done()}


async def test_stream_shows_what_is_wrong_while_it_runs(tmp_path: Path) -> None:
    """A run that is to end is judged by its record, when it has ended; neither shows a secret."""
    async with site(tmp_path) as here:
        here.services.redactor.add(["t0ken"], owner="probe")
        stream = await here.start(WAITING, stream=True)
        scheduled = await here.start(WAITING, name="scheduled")
        await here.until(
            lambda: all(
                it.running is not None and it.running.counts.degraded for it in (stream, scheduled)
            )
        )
        shown, other = stream.facts(blocked="line 7"), scheduled.facts()
        await here.clock.advance(31.0)

        assert (shown.degraded, shown.blocked) == ("half, ***", "line 7")
        assert (other.degraded, other.blocked) == ("", "")
        assert shown.running_for is not None
        assert "(level: expected a number, got 'OPEN ***')" in stream.facts().error
        assert (shown.error, shown.retry_in, shown.failures) == ("", 0, 0)


async def test_scheduled_collector_shows_what_was_wrong_in_its_last_run(tmp_path: Path) -> None:
    """While it waits, and while the next one is under way."""
    async with site(tmp_path) as here:
        collector = await here.start(
            """
            async def run(*, ctx, n=0, **_):
                await ctx._clock.sleep(n)
                return {"n": 3, "script_error": "half"}
            """
        )
        assert collector.facts().degraded == ""
        await here.ran()
        waiting = collector.facts()
        await here.until(lambda: collector.running is not None)

        assert (waiting.degraded, waiting.running_for) == ("half", None)
        assert collector.facts().degraded == "half"


async def test_fresh_collector_has_nothing_to_tell(tmp_path: Path) -> None:
    """Its counters are there from the beginning, so that their first increase is seen."""
    async with site(tmp_path) as here:
        collector = await here.start(COUNTING, every=1e9)
        facts = collector.facts()
        runs = [
            here.services.metrics.registry.get_sample_value(
                "ingestd_runs_total", {"collector": "probe", "outcome": outcome}
            )
            for outcome in Outcome
        ]

        assert (facts.failures, facts.retry_in, facts.error) == (0, 0, "")
        assert facts.due_in == 1e9 - START % 1e9
        assert facts.two_ticks == 2e9 - START % 1e9
        assert (collector.succeeded_at, collector.failing) == (None, False)
        assert runs == [0] * len(Outcome)


async def test_failing_collector_shows_when_it_tries_again(tmp_path: Path) -> None:
    """From the second failure in a row on, the pauses double; a tick at their end is run."""
    async with site(tmp_path) as here:
        collector = await here.start("async def run(**_):\n    raise OSError('down')\n", every=5.0)

        records = await here.ran(4)
        await settle()

        assert [each.tick - START for each in records] == [5, 10, 20, 40]
        assert here.metric("ingestd_ticks_missed_total", collector="probe") == 4
        facts = collector.facts()
        assert (facts.failures, facts.error) == (4, "OSError: down")
        assert 35 < facts.retry_in <= 40
        assert collector.failing


async def test_when_it_went_well_is_known_after_a_restart(tmp_path: Path) -> None:
    """The end of the newest run, if that was a good one."""
    async with site(tmp_path) as here:
        await here.start(
            "async def run(*, ctx, **_):\n    await ctx._clock.sleep(3)\n    return {}"
        )
        await here.start("async def run(**_):\n    raise OSError", name="fails")
        await here.ran()
        await here.ran(name="fails")
    async with site(tmp_path) as here:
        await here.collectors.remember()
        well, fails = await here.restart(every=1e9), await here.restart("fails", every=1e9)

        assert (well.succeeded_at, fails.succeeded_at) == (START + 13, None)
        assert (well.failing, fails.failing) == (False, True)
        assert well.known_since == pytest.approx(START + 10)


async def test_how_late_a_run_starts_and_how_long_it_takes_is_measured(tmp_path: Path) -> None:
    """A run before its tick, as a step of the clock may bring, is not late."""
    async with site(tmp_path) as here:
        collector = await here.start(
            "async def run(*, ctx, **_):\n    await ctx._clock.sleep(3)\n    return {}", every=1e9
        )
        await here.clock.drive(collector._execute(here.clock.now() - 4.0))
        await here.clock.drive(collector._execute(here.clock.now() + 60.0))

        assert here.metric("ingestd_run_start_lag_seconds_sum") == 4
        assert here.metric("ingestd_run_start_lag_seconds_count") == 2
        assert here.metric("ingestd_run_duration_seconds_sum", collector="probe") == 6


async def test_unusable_readings_of_a_stream_are_counted_once(tmp_path: Path) -> None:
    """However often the metrics are brought up to date while it runs, and at its end."""
    async with site(tmp_path) as here:
        collector = await here.start(
            """
            async def run(*, ctx, **_):
                for n in range(3):
                    yield {"readings": [(1, "level", "x"), (1, "", 1), (1, "level", 1)]}
                    await ctx._clock.sleep(5)
            """,
            stream=True,
        )
        collector.note()
        await here.until(lambda: len(here.stored) == 1)
        collector.note()
        before = unusable(here)
        await here.ran()

        assert before == [3, 1, 1]
        assert unusable(here) == [9, 3, 3]


def unusable(here: Site) -> list[float]:
    """Return how many readings the metrics have, all and by reason."""
    return [
        here.metric("ingestd_readings_total", collector="probe"),
        *(
            here.metric("ingestd_readings_unusable_total", collector="probe", reason=reason)
            for reason in ("value", "series")
        ),
    ]


async def test_tasks_tell_whose_they_are(tmp_path: Path) -> None:
    """A task that hangs is found by its name in the log and in a debugger."""
    async with site(tmp_path) as here:
        await here.start(WAITING, name="endless", stream=True)
        collector = await here.start("async def run(*, ctx, **_):\n    await ctx._clock.sleep(9)\n")
        await until(lambda: here.collectors.by_name["endless"].running is not None)
        asking = asyncio.create_task(collector.run_now())
        await until(lambda: collector.running is not None)
        running = tasks()
        here.collectors.remove("probe")
        stopping = tasks()
        await here.clock.drive(asking)

        assert running >= {
            "ingestd[endless]",
            "ingestd[endless.commit]",
            "ingestd[endless].stream",
            "ingestd[endless].watch",
            "ingestd[probe]",
            "ingestd[probe].asked",
        }
        assert "ingestd[probe.stop]" in stopping


async def test_run_that_cannot_be_asked_for_is_refused_with_the_reason(tmp_path: Path) -> None:
    """A stream, one that is not started yet, and one that is being stopped."""
    async with site(tmp_path) as here:
        stream = await here.start(WAITING, name="endless", stream=True)
        collector = await here.start(COUNTING, every=1e9)
        with pytest.raises(NotNow, match="endless: expected a collector with a schedule, got a st"):
            await stream.run_now()
        waiting = await here.restart(every=1e9)
        with pytest.raises(NotNow, match="probe: is being stopped or replaced"):
            await collector.run_now()
        with pytest.raises(NotNow, match="probe: is being stopped or replaced"):
            await waiting.run_now()
        await settle()

        record = await here.clock.drive(waiting.run_now())
        again = await here.clock.drive(waiting.run_now())

        assert (record.outcome, again.outcome) == ("ok", "ok")


async def test_run_that_was_asked_for_is_told_when_it_is_cut_off(tmp_path: Path) -> None:
    """Who waits for it learns why there is no record; nothing of it goes on."""
    async with site(tmp_path, grace=0.0) as here:
        collector = await here.start("async def run(*, ctx, **_):\n    await ctx._clock.sleep(9)\n")
        asking = asyncio.create_task(collector.run_now())
        await until(lambda: collector.running is not None)

        await here.collectors.stop()

        with pytest.raises(NotNow, match="probe: was stopped before the run came to its end"):
            await asking
        assert "ingestd[probe].asked" not in tasks()
        (record,) = await here.states.runs("probe", limit=9)
        assert (record.outcome, record.error) == ("cancelled", "the daemon stopped it")
        assert collector.committer.memory == Memory()


async def test_stream_that_held_out_for_a_minute_begins_anew_at_once(tmp_path: Path) -> None:
    """The growing pauses are for those that end soon after they began."""
    async with site(tmp_path) as here:
        await here.start(
            """
            async def run(*, ctx, n=0, **_):
                yield {"n": n + 1}
                await ctx._clock.sleep([0, 0, 60, 60.5, 0][min(n, 4)])
                raise OSError("gone")
            """,
            stream=True,
        )

        records = await here.ran(6)

        ends = [each.started + each.seconds for each in records]
        pauses = [later.started - end for end, later in zip(ends, records[1:], strict=False)]
        assert pauses == [1, 2, 4, 1, 2]


async def test_what_a_stream_says_of_its_connection_has_no_secrets(tmp_path: Path) -> None:
    """Those that its plugin has given, too, which are secret in its own texts only."""
    async with site(tmp_path) as here:
        here.services.redactor.add(["t0ken"], owner="probe")
        collector = await here.start(
            """
            import asyncio
            async def run(*, ctx, **_):
                ctx.connected("messages of t0ken/#")
                ctx.log.info("up")
                await ctx._clock.sleep(5)
                ctx.disconnected(OSError("t0ken was refused"))
                ctx.log.info("down")
                await asyncio.Event().wait()
                yield
            """,
            stream=True,
        )
        await here.until(lambda: bool(here.logged("up")))
        up = collector.facts()
        await here.until(lambda: bool(here.logged("down")))
        down = collector.facts()

        assert (up.awaits, up.disconnected) == ("messages of ***/#", "")
        assert (down.awaits, down.disconnected) == ("", "*** was refused")
