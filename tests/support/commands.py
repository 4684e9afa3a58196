"""Commands for the tests of what starts them: scripts in a folder, and what is left of them."""

import secrets
import sys
import textwrap
from pathlib import Path
from typing import Any, Protocol

import psutil  # type: ignore[import-untyped]  # ships no types
import pytest

from ingestd.plugins.exec import run
from ingestd.testing import TestContext, collect


class Script(Protocol):
    """Writes a script, and returns the command that runs it."""

    def __call__(self, text: str, *, python: bool = False) -> list[str]:
        """Write it, for a shell or for Python."""


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Give what writes scripts."""

    def write(text: str, *, python: bool = False) -> list[str]:
        folder = tmp_path / "scripts"  # what lies beside a configuration is kept from commands
        folder.mkdir(exist_ok=True)
        path = folder / f"script{len(list(folder.iterdir()))}"
        path.write_text(textwrap.dedent(text))
        return [sys.executable if python else "sh", str(path)]

    return write


class Marked:
    """Finds the processes of a test, also those that have cleared their environment.

    Attributes:
        env: Has what they are known by.
        seconds: Nobody else sleeps for so long.
    """

    def __init__(self) -> None:
        self.seconds = str(1_000_000 + secrets.randbelow(1_000_000))
        self._mark = f"INGESTD_TEST_{self.seconds}"
        self.env = {self._mark: "1"}

    def names(self) -> list[str]:
        """Return the names of those that are alive."""
        return [each.name() for each in self.processes()]

    def processes(self) -> list[psutil.Process]:
        """Return those that are alive."""
        return [each for each in psutil.process_iter() if self._is_one(each)]

    def _is_one(self, process: psutil.Process) -> bool:
        try:
            known = self._mark in process.environ() or self.seconds in process.cmdline()
            return known and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


@pytest.fixture
def marked() -> Marked:
    """Give what finds the processes that were started with its ``env``."""
    return Marked()


async def one(ctx: TestContext, command: list[str], **params: Any) -> dict[str, Any]:
    """Return the only result of a command."""
    (result,) = await collect(run, ctx=ctx, command=command, **params)
    return result
