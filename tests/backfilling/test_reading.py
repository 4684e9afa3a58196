"""What a backfill reads: windows one after the other, tried again until they are safe."""

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
from tests.support.backfilling import FAILING, HOUR, HOURLY, START, hours, past
from tests.support.clock import settle
from tests.support.pipeline import until

# A function that can give five hours at once, and no more.
FLOODING = """
    def run(*, start=None, end=None, **_):
        if start is None:
            return {}
        too_much = (end - start).total_seconds() > 5 * 3600
        return {"readings": [(start.timestamp(), "a", 1)], "junk": "x" * (too_much << 27)}
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


@pytest.mark.slow  # a worker process starts
async def test_ordinary_function_reads_the_past_too(tmp_path: Path) -> None:
    """It runs in a worker process, as it always does."""
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


async def test_rate_is_kept_to(tmp_path: Path) -> None:
    """The rate is an average across windows."""
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
    """It would fail for ever, and by how much it is too long cannot be known."""
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
    """It repeats the window that was not safe yet."""
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
    """That has no end; the failure is shown, and logged when it changes."""
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


@pytest.mark.slow  # windows miss a deadline in real time
@pytest.mark.parametrize(
    ("with_ease", "growth"),
    [(0.0, 1), (1.0, 2)],
    ids=["read just in time", "read with ease"],
)
async def test_window_that_takes_too_long_is_halved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_ease: float, growth: float
) -> None:
    """It is halved until it can be read in time; windows grow again when that is easy.

    The deadline is in real time. On a busy machine more windows may miss it than those
    that are never read; all are compared with the one before them.
    """
    monkeypatch.setattr(backfill, "WITH_EASE", with_ease)
    async with past(tmp_path) as it:
        await it.here.start(NEVER_IF_LONG, every=1e9, timeout=0.3)
        record = await it.ask(hours(15), chunk=10 * HOUR)
        await until(lambda: record.failures == 1)  # while no virtual time passes
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


async def test_windows_stay_small_for_a_while_after_one_that_held_too_much(
    tmp_path: Path,
) -> None:
    """However fast they are read: the next long one would hold too much as well."""
    async with past(tmp_path) as it:
        await it.here.start(
            """
            from ingestd.errors import ResultTooLarge

            async def run(*, ctx, start=None, end=None, **_):
                ctx.log.info("window", start=int(start.timestamp()), end=int(end.timestamp()))
                if (end - start).total_seconds() > 3600:
                    raise ResultTooLarge("one hour at most")
                yield {"readings": [(start.timestamp(), "level", 1)]}
            """,
            every=1e9,
        )
        done = await it.ended(await it.ask(hours(20), chunk=2 * HOUR))

        assert done.status is Status.DONE
        asked = [(end - start) / HOUR for start, end in it.windows()]
        assert asked == [2, *[1] * 9, 2, *[1] * 9, 2, 1, 1]


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


async def test_plugin_that_gives_up_windows_fails_the_backfill(tmp_path: Path) -> None:
    """It may be edited while a backfill goes on."""
    async with past(tmp_path) as it:
        await it.here.start(FAILING, every=1e9)
        record = await it.ask(hours(1))
        await it.here.until(lambda: record.failures == 1)
        it.here.plugins.write("probe", "async def run(**_):\n    yield {}")
        await it.here.until(lambda: record.failures == 2)

        assert "expected a run that declares start and end" in record.error
