"""The ``files`` plugin, run as the daemon runs it, with the state that it has left."""

import os
import time
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

from ingestd.plugins import files
from ingestd.testing import TestContext, collect, results

NO_READINGS: Final = frozenset({"readings", "script_error"})


class FilesRuns:
    """Runs of one collector, one after the other.

    Attributes:
        folder: Where files can be put.
        params: Of the collector.
        state: What the last run has left.
        ctx: The context of all of them.
        problems: What the last run said was wrong.
    """

    def __init__(self, folder: Path, ctx: TestContext, **params: Any) -> None:
        self.folder, self.ctx = folder, ctx
        self.params = {"path": f"{folder}/*", "settle": "0s", "time": "time", **params}
        if not {"value", "values"} & set(params):
            self.params["values"] = {"kwh": "kwh"}
        self.state: dict[str, Any] = {}
        self.problems: list[str] = []

    async def run(self, **window: Any) -> list[tuple[Any, ...]]:
        """Return the readings of one more run."""
        results = await collect(files.run, ctx=self.ctx, **self.params, **self.state, **window)
        self.problems = [each["script_error"] for each in results if "script_error" in each]
        if not window:
            for each in results:
                self.remember(each)
        return [tuple(reading) for each in results for reading in each["readings"]]

    async def cut_off(self) -> list[tuple[Any, ...]]:
        """Return the readings of the first result of a run that gets no further."""
        async with aclosing(results(files.run, ctx=self.ctx, **self.params)) as found:
            first = await anext(found)
        self.remember(first)
        return list(first["readings"])

    def remember(self, result: Mapping[str, Any]) -> None:
        """Take over the state of a result."""
        self.state |= {name: each for name, each in result.items() if name not in NO_READINGS}

    async def values(self) -> list[float]:
        """Return the values of one more run."""
        return [value for _, _, value, *_ in await self.run()]

    def write(self, name: str, *values: float, start: int = 0, header: bool = True) -> Path:
        """Write a CSV of so many hours since midnight."""
        path = self.folder / name
        path.write_text(("time,kwh\n" if header else "") + lines(*values, start=start))
        return path

    def add(self, name: str, *values: float, start: int) -> None:
        """Add lines to a file."""
        with (self.folder / name).open("a") as file:
            file.write(lines(*values, start=start))


def lines(*values: float, start: int = 0) -> str:
    """Return lines of CSV, an hour apart."""
    return "".join(f"2026-07-01T{start + at:02}:00:00Z,{each}\n" for at, each in enumerate(values))


def hour(at: int) -> float:
    """Return the time of a line, in Unix seconds."""
    return 1782864000.0 + 3600 * at


def age(path: Path, seconds: float) -> None:
    """Have a file be written so long ago; its change time cannot be set, and is now."""
    then = time.time() - seconds
    os.utime(path, (then, then))
