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
