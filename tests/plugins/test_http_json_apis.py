"""The recipes for public APIs: what they ask, and what they read of recorded answers."""

import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from ingestd.plugins.http_json import check
from tests.support.recorded import line, recorded, run_of, shown

ROOT: Final = Path(__file__).parents[2]
BLOCK: Final = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGE: Final = (ROOT / "docs" / "recipes.md").read_text()
RECIPES: Final[dict[str, Any]] = {
    name: collector
    for block in BLOCK.findall(PAGE)
    for name, collector in yaml.safe_load(re.sub(r"\$\{\w+\}", "made-up", block))[
        "collectors"
    ].items()
}
RECORDINGS: Final = sorted((ROOT / "tests" / "samples" / "apis").glob("*.yaml"))


def test_every_recipe_has_a_recording() -> None:
    """What is not tried does not stay true."""
    assert sorted(RECIPES) == sorted(each.stem for each in RECORDINGS)


@pytest.mark.parametrize("file", RECORDINGS, ids=lambda file: file.stem)
async def test_a_recipe_reads_what_its_api_gives(file: Path) -> None:
    """It asks what was recorded, reads each value at its time, and goes on from there."""
    recipe = RECIPES[file.stem]
    params = recipe["params"]
    state: dict[str, Any] = {}

    assert check(**params) == []
    async with recorded() as server:
        for each in yaml.safe_load(file.read_text())["runs"]:
            zone = recipe.get("timezone")
            done = await run_of(server, each, {**params, **state}, zone=zone)
            state |= done.hidden
            if "backfill" not in each:
                state["newest"] = done.newest(state.get("newest"))

            assert server.asked == server.wanted()
            found = [line(reading) for result in done.results for reading in result["readings"]]
            assert found == each["readings"].splitlines()
            assert [r["script_error"] for r in done.results if "script_error" in r] == []
            assert done.notes == each.get("notes", [])
            assert "backfill" in each or shown(state.get("newest")) == shown(each.get("newest"))
