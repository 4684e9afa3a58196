"""What a collector knows of how it is, while it runs, over restarts and reloads."""

import asyncio
from pathlib import Path

import pytest

from ingestd.health import SeriesKey, judge
from tests.support.collecting import Site, site

MANY = """
    async def run(*, n=0, **_):
        names = ["attic", "cellar"] if n < 3 else ["cellar"]
        return {"readings": [(None, name, n) for name in names], "n": n + 1}
    """


def state(here: Site, name: str = "probe") -> str:
    """Return the state of a collector."""
    return judge(here.collectors.by_name[name].facts()).state.value


def why(here: Site, name: str = "probe") -> str:
    """Return what is wrong with a collector."""
    return judge(here.collectors.by_name[name].facts()).why


@pytest.mark.parametrize(
    ("given", "outcome", "error"),
    [
        (
            '[(1, "a", "x"), (2, "a", "y"), ("now", "b", 1)]',
            "failed",
            "not one of 3 readings is usable: 2 by value (a: expected a number, got 'x'), 1 by",
        ),
        ('[(1, "a", "x"), (2, "a", 1)]', "ok", ""),
        ('[(1, "a", None), (2, "a", None)]', "ok", ""),
        ('[(1, "a", None), (2, "a", "x")]', "failed", "not one of 2 readings is usable: 1 by"),
        ("[]", "ok", ""),
    ],
)
async def test_run_without_a_usable_reading_has_failed(
    tmp_path: Path, given: str, outcome: str, error: str
) -> None:
    """One good reading is enough, and to have nothing new is no failure."""
    async with site(tmp_path) as here:
        collector = await here.start(f'async def run(**_):\n    return {{"readings": {given}}}')

        (record,) = await here.ran()

        assert record.outcome == outcome
        assert record.error.startswith(error)
        assert bool(record.error) == bool(error)
        assert collector.failures == (outcome == "failed")


async def test_a_stream_says_how_its_connection_is(tmp_path: Path) -> None:
    """It fails at once when that is down, and no longer when it is up again."""
    async with site(tmp_path) as here:
        await here.start(
            """
            import asyncio
            async def run(*, ctx, **_):
                yield {"readings": [(None, "level", 1)]}
                ctx.disconnected(OSError("broker:\\nrefused"))
                await ctx.shared(asyncio.Event).wait()
                ctx.connected()
                ctx.log.info("back")
                await asyncio.sleep(3600)
            """,
            stream=True,
        )
        await here.until(lambda: state(here) == "disconnected")
        assert why(here) == "has no connection: broker: refused"
        here.services.shared.get(asyncio.Event).set()
        await here.until(lambda: bool(here.logged("back")))

        assert state(here) == "fresh"


async def test_a_stream_that_gives_only_what_is_unusable_fails(tmp_path: Path) -> None:
    """Its run never ends, so that cannot wait for the end."""
    async with site(tmp_path) as here:
        await here.start(
            """
            async def run(*, ctx, **_):
                while True:
                    yield {"readings": [(None, "level", "OPEN")]}
                    await ctx._clock.sleep(5)
            """,
            stream=True,
        )
        await here.until(lambda: state(here) == "failing")

        assert "usable: " in why(here)
        assert "level: expected a number, got 'OPEN'" in why(here)


async def test_a_failure_of_a_stream_is_over_when_the_next_run_gives_readings(
    tmp_path: Path,
) -> None:
    """A run that goes on for years would otherwise fail for years."""
    async with site(tmp_path) as here:
        await here.start(
            """
            import asyncio
            async def run(*, n=0, **_):
                yield {"n": n + 1}
                if n == 0:
                    raise OSError("no route")
                yield {"readings": [(None, "level", 1)]}
                await asyncio.sleep(3600)
            """,
            stream=True,
        )
        await here.until(lambda: here.collectors.by_name["probe"].failures > 0)
        assert state(here) == "failing"
        await here.until(lambda: here.values() == [1.0])

        assert state(here) == "fresh"


@pytest.mark.slow
async def test_one_silent_series_is_named_in_state_and_record(tmp_path: Path) -> None:
    """The others go on; it is the record of the run that says which one does not."""
    async with site(tmp_path) as here:
        await here.start(MANY, cadence=10.0)
        await here.until(lambda: state(here) == "late")

        assert why(here).startswith("gets nothing from attic for ")
        await here.ran(len(here.ended()) + 1)
        (record,) = await here.states.runs("probe", limit=1)
        assert (record.outcome, record.late, record.late_series) == ("ok", 1, ["attic"])


@pytest.mark.slow
async def test_a_dead_sensor_is_late_after_a_restart(tmp_path: Path) -> None:
    """And one that was well before is not: time without a daemon is no silence."""
    async with site(tmp_path) as here:
        await here.start(MANY, cadence=10.0)
        await here.until(lambda: state(here) == "late")
        here.collectors.keep_paces()
    async with site(tmp_path) as here:
        here.clock.step(86_400.0)
        await here.collectors.remember()
        await here.start(MANY, cadence=10.0)

        (late,) = here.collectors.by_name["probe"].facts().late
        assert str(late) == "attic"
        assert late.silent < 3600


@pytest.mark.slow
async def test_a_reload_forgets_no_series(tmp_path: Path) -> None:
    """Neither one with other options, nor one that takes the collector out and back in."""
    async with site(tmp_path) as here:
        await here.start(MANY, cadence=10.0)
        await here.until(lambda: state(here) == "late")
        again = await here.restart(cadence=20.0)
        assert len(again.facts().late) + again.facts().series >= 2
        await here.remove()
        back = await here.restart(cadence=10.0)

        assert [str(each) for each in back.facts().late] == ["attic"]


async def test_a_forgotten_series_is_late_no_more(tmp_path: Path) -> None:
    """It was taken away, and the operator says so."""
    async with site(tmp_path) as here:
        await here.start(MANY, cadence=10.0)
        await here.until(lambda: state(here) == "late")
        (late,) = here.collectors.by_name["probe"].facts().late

        assert await here.collectors.forget_series("probe", late.key)
        assert state(here) == "fresh"
        assert not await here.collectors.forget_series("probe", late.key)


@pytest.mark.slow
async def test_a_run_that_hangs_is_late(tmp_path: Path) -> None:
    """Its deadline is minutes away, and two ticks have passed without a word."""
    async with site(tmp_path) as here:
        await here.start(
            """
            import asyncio
            async def run(*, n=0, **_):
                if n:
                    await asyncio.sleep(3600)
                return {"readings": [(None, "level", 1)], "n": 1}
            """
        )
        await here.ran()
        await here.until(lambda: here.collectors.by_name["probe"].running is not None)
        await here.clock.advance(60.0)

        assert state(here) == "late"
        assert why(here).startswith("is in a run that began ")


@pytest.mark.slow
async def test_a_collector_whose_readings_wait_is_paused(tmp_path: Path) -> None:
    """What it waits for is said."""
    async with site(tmp_path) as here:
        here.buffer.pause("main")
        await here.start(
            """
            async def run(**_):
                yield {"readings": [(1, "level", 1)], "n": 1}
            """
        )
        await here.until(lambda: bool(here.buffer._queue))
        await here.clock.advance(6.0)
        assert state(here) == "paused"
        assert why(here) == "waits: the spool of main is full"
        here.buffer.resume("main")
        await here.ran()

        assert state(here) == "fresh"


async def test_what_has_never_given_anything_is_known_over_a_restart(tmp_path: Path) -> None:
    """It counts from the first run on record."""
    plugin = "async def run(**_): return {'readings': []}"
    async with site(tmp_path) as here:
        await here.start(plugin)
        await here.ran()
    async with site(tmp_path) as here:
        here.clock.step(7200.0)
        await here.collectors.remember()
        await here.start(plugin, every=3600.0)

        assert state(here) == "never"
        assert why(here) == "has given nothing yet, for 120m (every 1h)"


async def test_a_series_can_be_forgotten_wherever_it_is_known(tmp_path: Path) -> None:
    """In memory only, as what came just now, or on disk only, when its collector was removed."""
    plugin = 'async def run(**_): return {"readings": [(None, name, 1) for name in ("a", "b")]}'
    async with site(tmp_path) as here:
        await here.start(plugin, cadence=10.0)
        await here.ran()
        here.collectors.keep_paces()
        await here.clock.drive(here.remove())
        a, b = SeriesKey("a", ()), SeriesKey("b", ())

        assert await here.collectors.forget_series("probe", a)
        assert not await here.collectors.forget_series("probe", a)
        back = await here.restart(every=1e9, cadence=10.0)
        assert back.forget_series(b)
        assert not back.forget_series(b)


async def test_series_are_known_over_a_restart(tmp_path: Path) -> None:
    """With the newest time of each, and for how long they had given nothing by then."""
    plugin = 'async def run(**_): return {"readings": [(1_699_999_000, "level", 1)]}'
    async with site(tmp_path) as here:
        await here.start(plugin, cadence=10.0)
        await here.ran()
        await here.clock.advance(7.0)
        here.collectors.keep_paces()
    async with site(tmp_path) as here:
        here.clock.step(86_400.0)
        await here.collectors.remember()
        back = await here.restart(every=1e9, cadence=10.0)
        (known,) = back.series()

        assert (known.key, known.newest) == (SeriesKey("level", ()), 1_699_999_000)
        assert (back.facts().series, back.newest_us) == (1, 1_699_999_000_000_000)
        assert known.silent < 20


async def test_a_collector_that_comes_back_knows_its_series_and_their_silence(
    tmp_path: Path,
) -> None:
    """A reload that takes it out and puts it back in loses nothing."""
    plugin = 'async def run(**_): return {"readings": [(1_699_999_000, "level", 1)]}'
    async with site(tmp_path) as here:
        await here.start(plugin, cadence=10.0)
        await here.ran()
        assert len(list(here.collectors.by_name["probe"].series())) == 1
        await here.clock.advance(7.0)
        await here.clock.drive(here.remove())
        back = await here.restart(every=1e9, cadence=10.0)
        (known,) = back.series()

        assert (known.key, known.silent) == (SeriesKey("level", ()), 7)
