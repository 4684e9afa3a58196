"""What the page of ``files`` shows is what it reads."""

import gzip
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from ingestd.plugins import files
from ingestd.testing import collect, context

PAGE: Final = (Path(__file__).parents[2] / "docs" / "plugins" / "files.md").read_text()
RECIPE: Final = re.compile(
    r"^### (?P<title>[^\n]*)\n(?:(?!^#|```)[^\n]*\n)*"
    r"```yaml\n(?P<params>.*?)```\n+```(?:csv|json)\n(?P<file>.*?)```\n+"
    r"```text\n(?P<readings>.*?)```",
    re.MULTILINE | re.DOTALL,
)
RECIPES: Final = [found.groupdict() for found in RECIPE.finditer(PAGE)]
PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")


def test_the_page_has_the_recipes_that_are_looked_for() -> None:
    """What is not tried does not stay true."""
    assert len(RECIPES) == 5


@pytest.mark.parametrize("recipe", RECIPES, ids=[each["title"] for each in RECIPES])
async def test_a_recipe_reads_what_its_file_has(recipe: dict[str, str], tmp_path: Path) -> None:
    """Each gives the readings below it, and nothing is wrong with its params."""
    params = yaml.safe_load(recipe["params"])
    put(params, tmp_path, recipe["file"])

    assert files.check(**params)[0].startswith("note: 1 file, ")
    assert await lines_of(params) == recipe["readings"].splitlines()


async def test_the_example_is_what_the_plugin_emits(tmp_path: Path) -> None:
    """The configuration at the top makes the example's output of its file."""
    (collector,) = yaml.safe_load(PAGE.partition("```yaml\n")[2].partition("```")[0])[
        "collectors"
    ].values()
    example = PAGE.partition("## Example output")[2]
    params = collector["params"] | {"timezone": collector["timezone"]}
    (tmp_path / "attic.csv").write_text(example.partition("```csv\n")[2].partition("```")[0])
    params["path"] = str(tmp_path / Path(params["path"]).name)

    assert await lines_of(params) == example.partition("```text\n")[2].partition("\n```")[0].split(
        "\n"
    )


def put(params: dict[str, Any], folder: Path, text: str) -> None:
    """Write a file that fits the path of some params, and have them look for it there."""
    name = PLACEHOLDER.sub(r"\1", Path(params["path"]).name).replace("*", "x")
    data = text.encode(params.get("charset", "utf-8"))
    (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    params |= {"path": str(folder / Path(params["path"]).name)}
    if "move_to" in params:
        params["move_to"] = str(folder / "read")


async def lines_of(params: dict[str, Any]) -> list[str]:
    """Return the readings of a run as lines."""
    settle = {} if params.get("follow") else {"settle": "0s"}
    async with context() as ctx:
        results = await collect(files.run, ctx=ctx, **params, **settle)
    assert [each for each in results if "script_error" in each] == []
    return [
        f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M:%SZ}  {series}  {value}"
        for each in results
        for time, series, value in each["readings"]
    ]
