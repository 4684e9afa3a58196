"""What becomes of what a plugin gives: readings, state, secrets and failures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ingestd.collecting.instants import Past
from ingestd.collecting.points import Conversion, Naming
from ingestd.config.catalogue import Catalogue
from ingestd.contract.memory import Memory
from tests.support.clock import START
from tests.support.collecting import COUNTING, site


async def test_coroutine_runs_on_every_tick_with_what_it_returned(tmp_path: Path) -> None:
    """The next run gets the state of the one before, and the store its readings."""
    async with site(tmp_path) as here:
        await here.start(COUNTING)

        records = await here.ran(3)

        assert [each.tick for each in records] == [START + 10, START + 20, START + 30]
        assert [each.outcome for each in records] == ["ok"] * 3
        await here.until(lambda: here.values() == [1.0, 2.0, 3.0])


@pytest.mark.slow  # a worker process starts
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


async def test_notes_of_a_plugin_are_in_the_record_and_degrade_no_run(tmp_path: Path) -> None:
    """They are bounded, and masked like everything that people read."""
    async with site(tmp_path) as here:
        here.services.redactor.add(["pa55word"])
        await here.start(
            """
            async def run(*, password, ctx, **_):
                ctx.note(f"meter 7 is silent, says {password}")
                for number in range(50):
                    ctx.note(f"{number}" * 2000)
                return {"readings": [(1, "a", 1)]}
            """,
            params={"password": "pa55word"},
        )

        (record,) = await here.ran()

        assert record.outcome == "ok"
        assert record.notes[0].startswith("meter 7 is silent, says ")
        assert "pa55word" not in record.notes[0]
        assert len(record.notes) == 20
        assert max(map(len, record.notes)) == 1000


async def test_secrets_are_nowhere_to_be_seen(tmp_path: Path) -> None:
    """Logs, records, tracebacks and every repr are free of them."""
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


async def test_newest_time_is_the_latest_of_all_readings(tmp_path: Path) -> None:
    """No older result or run takes it back, and the next collector of that name knows it."""
    async with site(tmp_path) as here:
        collector = await here.start(
            """
            async def run(*, n=0, **_):
                for time in (3, 5, 4) if n == 0 else (2, 1):
                    yield {"readings": [(time, "level", 1)], "n": n + 1}
            """
        )
        await here.ran(2)
        newest = collector.newest_us
        replacing = await here.restart(every=1e9)

        assert newest == 5_000_000
        assert replacing.newest_us == 5_000_000


async def test_newest_record_is_at_hand(tmp_path: Path) -> None:
    """A collector has the record of its newest run, with its number; one that replaces it, too."""
    async with site(tmp_path) as here:
        collector = await here.start(COUNTING)
        records = await here.ran(2)
        last = collector.last
        replacing = await here.restart(every=1e9)

        assert last is not None
        assert last.id == max(record.id for record in records)
        assert replacing.last is last


class FaultyNaming(Naming):
    """A naming with a bug."""

    def sort(self, readings: Sequence[Any], *, now: float, past: Past | None = None) -> Conversion:
        """Raise an error that is none of ours."""
        raise LookupError(f"on purpose, at {now} with {len(readings)} behind {past}")


async def test_bug_of_the_daemon_fails_the_run_and_no_other(tmp_path: Path) -> None:
    """It is told with its traceback, and the plugin is not blamed for it."""
    async with site(tmp_path) as here:
        collector = await here.start(COUNTING)
        naming = collector.naming
        collector.naming = FaultyNaming(
            measurement="", field="", tags={}, catalogue=Catalogue(), zone=None
        )
        (first,) = await here.ran()
        collector.naming = naming
        _, second = await here.ran(2)

        assert (first.outcome, second.outcome) == ("failed", "ok")
        assert first.error.startswith("bug in the daemon: LookupError('on purpose")
        (told,) = here.logged("a run met a bug of the daemon")
        assert told["level"] == "error"
        assert isinstance(told["exc_info"], LookupError)
        assert collector.committer.memory.state["n"] == 1
