"""What the log says of runs: each change, and nothing of those that go as the one before."""

from pathlib import Path
from typing import Any

import pytest

from ingestd.collecting import collector
from ingestd.plugins._backoff import Backoff
from tests.support.collecting import Site, site

# Does in its runs what it is told, one after the other, and stays with the last.
SCRIPTED = """
    async def run(*, script, n=0, **_):
        what = script[min(n, len(script) - 1)]
        n += 1
        value = float("nan") if what == "unusable" else 1.0
        more = {"script_error": "half of it"} if what == "degraded" else {}
        return {"readings": [(n, "level", value), (n, "other", 1.0)], "n": n, **more}
"""


def shown(here: Site) -> list[str]:
    """Return the lines about runs that an operator sees, who keeps to ``info``."""
    return [each["event"] for each in here.ended() if each["level"] != "debug"]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (["ok"], ["run ok"]),
        (["ok", "ok", "degraded"], ["run ok", "run degraded"]),
        (["degraded", "ok"], ["run degraded", "run ok"]),
        (["ok", "unusable", "unusable", "ok"], ["run ok"] * 3),
    ],
    ids=str,
)
async def test_changes_are_told_and_routine_is_not(
    tmp_path: Path, script: list[str], said: list[str]
) -> None:
    """Its first run, and each that goes otherwise than the one before it."""
    async with site(tmp_path) as here:
        await here.start(SCRIPTED, params={"script": script})

        await here.ran(6)

        assert shown(here) == said
        assert len(here.ended()) == 6


async def test_a_failure_is_told_ever_more_rarely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first, the second, the fourth and so on, and the run that is well again."""
    monkeypatch.setattr(collector, "BACKOFF", Backoff(first=1.0, longest=2.0))
    failing = """
        from pathlib import Path
        async def run(*, well, **_):
            if not Path(well).exists():
                raise OSError("no route to host")
            return {"readings": [(1, "level", 1.0)]}
        """
    well = tmp_path / "well"
    async with site(tmp_path) as here:
        await here.start(failing, params={"well": str(well)})
        await here.ran(9)
        told = [each["failures"] for each in here.ended() if each["level"] == "warning"]
        well.touch()
        await here.until(lambda: here.ended()[-1]["event"] == "run ok")

        assert told == [1, 2, 4, 8]
        assert here.ended()[-1]["level"] == "info"


async def test_another_failure_is_told_at_once(tmp_path: Path) -> None:
    """What was wrong has changed, which an operator who mends it wants to see."""
    failing = """
        async def run(*, ctx, n=0, **_):
            number = ctx.shared(list)
            number.append(1)
            raise OSError("no route to host" if len(number) < 3 else "refused")
        """
    async with site(tmp_path) as here:
        await here.start(failing)
        await here.ran(3)

        told: list[dict[str, Any]] = [each for each in here.ended() if each["level"] == "warning"]
        assert [each["error"].rpartition(": ")[2] for each in told] == [
            "no route to host",
            "no route to host",
            "refused",
        ]


async def test_line_of_a_run_tells_what_became_of_it(tmp_path: Path) -> None:
    """Its number, time and readings, and what else there is to tell."""
    async with site(tmp_path) as here:
        await here.start(
            """
            async def run(*, ctx, **_):
                await ctx._clock.sleep(1.23456)
                return {"readings": [(1, "level", "x"), (2, "level", 1)], "script_error": "half"}
            """
        )
        await here.start("async def run(**_):\n    return {}", name="quiet")
        (record,) = await here.ran()
        (quiet,) = await here.ran(name="quiet")

        assert here.ended()[0] == {
            "level": "info",
            "event": "run degraded",
            "collector": "probe",
            "run": record.id,
            "seconds": 1.235,
            "readings": 2,
            "unusable": {"value": 1},
            "degraded": "half",
        }
        assert here.ended("quiet")[0] == {
            "level": "info",
            "event": "run ok",
            "collector": "quiet",
            "run": quiet.id,
            "seconds": 0.0,
            "readings": 0,
        }


async def test_line_of_a_failure_tells_why_and_for_how_long(tmp_path: Path) -> None:
    """With what the run gave before."""
    async with site(tmp_path) as here:
        await here.start(
            """
            async def run(**_):
                yield {"readings": [(1, "level", 1)]}
                raise OSError("no route")
            """
        )
        (record,) = await here.ran()

        assert here.ended()[0] == {
            "level": "warning",
            "event": "run failed",
            "collector": "probe",
            "run": record.id,
            "seconds": 0.0,
            "readings": 1,
            "error": "OSError: no route",
            "failures": 1,
        }


async def test_late_series_are_told_when_they_become_late(tmp_path: Path) -> None:
    """In the record a few of them by name, in the line how many, at once and not again."""
    async with site(tmp_path) as here:
        collector = await here.start(
            """
            async def run(*, ctx, n=0, **_):
                await ctx._clock.sleep(100 if n else 0)
                names = ["attic"] if n else ["attic", *(f"room {k}" for k in range(25))]
                return {"readings": [(None, name, n) for name in names], "n": n + 1}
            """,
            cadence=10.0,
        )
        _, late, still = await here.ran(3)

        assert [each.get("late") for each in here.ended()] == [None, 25, 25]
        assert [each["level"] for each in here.ended()] == ["info", "info", "debug"]
        assert (late.late, len(late.late_series), still.late) == (25, 20, 25)
        assert set(late.late_series) <= {f"room {k}" for k in range(25)}
        assert len(collector.facts().late) == 25


async def test_record_of_a_run_has_no_secrets(tmp_path: Path) -> None:
    """Neither in what the plugin says nor in the names of its series; a long error is cut."""
    async with site(tmp_path) as here:
        here.services.redactor.add(["t0ken"], owner="probe")
        await here.start(
            """
            async def run(*, ctx, n=0, **_):
                await ctx._clock.sleep(100 if n else 0)
                ctx.note("of t0ken")
                yield {
                    "readings": [(None, "t0ken" if n == 0 else "level", 1), (1, "a", "t0ken")],
                    "script_error": "half t0ken",
                    "n": n + 1,
                }
                if n:
                    raise OSError("t0ken " * 1000)
            """,
            cadence=10.0,
        )
        first, second = await here.ran(2)

        assert (first.samples, first.degraded, first.notes) == (
            ["a: expected a number, got '***'"],
            "half ***",
            ["of ***"],
        )
        assert second.late_series == ["***"]
        assert len(second.error) == 1000
        assert second.error.startswith("OSError: *** *** ")
        assert "t0ken" not in second.details
        assert "***" in second.details


async def test_metrics_count_runs_by_how_they_ended(tmp_path: Path) -> None:
    """For each collector."""
    async with site(tmp_path) as here:
        await here.start(SCRIPTED, params={"script": ["ok", "degraded", "ok"]})
        await here.ran(3)

        counted = {
            outcome: here.metric("ingestd_runs_total", collector="probe", outcome=outcome)
            for outcome in ("ok", "degraded", "failed")
        }
        assert counted == {"ok": 2, "degraded": 1, "failed": 0}
