"""What another interpreter imports of us: little, of its own language, with nothing installed."""

import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from ingestd.worker import ELSEWHERE, READY
from tests.support.pythons import OTHERS, interpreter

# Starting a process takes about a tenth of a second.
pytestmark = pytest.mark.slow
ROOT: Final = Path(__file__).parents[2]
LISTING: Final = """
import runpy, sys
sys.argv = [{path!r}]
sys.path.insert(0, "")
runpy.run_path({path!r}, run_name="__main__")
print()
for name, module in list(sys.modules.items()):
    print(name, getattr(module, "__file__", None) or "")
"""


@cache
def modules() -> dict[str, str]:
    """Return what the interpreter of these tests imports in order to serve: name -> file."""
    code = LISTING.format(path=str(ELSEWHERE))
    command = [sys.executable, "-I", "-S", "-c", code]
    told = subprocess.run(command, check=True, capture_output=True, text=True)
    ready, *lines = told.stdout.splitlines()
    assert ready == READY
    return dict(line.split(" ", 1) for line in lines)


def test_it_needs_nothing_that_is_installed() -> None:
    """Without the folders of packages it serves, by Python's own library alone."""
    assert [file for file in modules().values() if "-packages" in file] == []


def test_what_it_imports_is_held_to_the_oldest_language() -> None:
    """Ruff refuses what Python 3.9 would not understand in the files that it knows of."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]
    oldest = [
        file
        for pattern, version in settings["per-file-target-version"].items()
        if version == "py39"
        for each in expanded(pattern)
        for file in ROOT.glob(each)
    ]
    ours = {Path(file).resolve() for name, file in modules().items() if is_ours(name) and file}

    assert ours - {each.resolve() for each in oldest} == set()
    assert ELSEWHERE.with_name("__main__.py") in ours


def is_ours(name: str) -> bool:
    """Whether a module is one of this project."""
    return name.partition(".")[0] == "ingestd"


def expanded(pattern: str) -> list[str]:
    """Return the patterns that one with alternatives in braces stands for."""
    before, brace, rest = pattern.partition("{")
    if not brace:
        return [pattern]
    alternatives, _, after = rest.partition("}")
    return [f"{before}{each}{after}" for each in alternatives.split(",")]


@pytest.mark.parametrize("version", OTHERS)
def test_other_versions_are_ready(version: str) -> None:
    """They understand all that they import."""
    command = [str(interpreter(version)), "-E", "-B", str(ELSEWHERE)]

    assert subprocess.run(command, check=True, capture_output=True).stdout.decode() == READY
