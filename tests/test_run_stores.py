"""A run delivers to the stores that were configured when it began, or its position stays.

Each test holds a run under way, reloads another set of stores, and lets it end. What the
stores hold and the positions are read from their files.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import ondisk
from tests.support.daemon import DaemonFolder, RunningDaemon
from tests.support.deadline import WITHIN

pytestmark = pytest.mark.slow

# Each call leaves a mark when it begins, and gives its result when the other mark is there.
TURN = """
    import asyncio
    from pathlib import Path

    async def turn(folder):
        number = len(list(Path(folder).glob("began-*")))
        (Path(folder) / f"began-{number}").touch()
        while not (Path(folder) / f"go-{number}").exists():
            await asyncio.sleep(0.005)
"""
SHAPES = {
    "returned": f"""{TURN}
    async def run(*, folder, n=0, **_):
        await turn(folder)
        return {{"readings": [(1_700_000_000 + n, "level", n)], "n": n + 1}}
    """,
    "yielded": f"""{TURN}
    async def run(*, folder, n=0, **_):
        await turn(folder)
        yield {{"readings": [(1_700_000_000 + n, "level", n)], "n": n + 1}}
    """,
    "stream": f"""{TURN}
    async def run(*, folder, n=0, **_):
        while True:
            await turn(folder)
            yield {{"readings": [(1_700_000_000 + n, "level", n)], "n": n + 1}}
            n += 1
    """,
    "window": f"""{TURN}
    async def run(*, folder, start=None, end=None, **_):
        if start is None:
            return {{}}
        await turn(folder)
        return {{"readings": [(start.timestamp(), "level", 0)]}}
    """,
}
START = 1_700_000_000.0


@dataclass(frozen=True)
class Case:
    """A change of the stores.

    Attributes:
        before: The stores that the run begins with, name to options.
        after: Those of the reload.
        takes: The files, by their stem, that get what the run gives.
        moves: Whether its position moves.
    """

    before: dict[str, Any]
    after: dict[str, Any]
    takes: set[str] = field(default_factory=set)
    moves: bool = False


def store(stem: str, **options: str) -> dict[str, str]:
    """Return an embedded store; its file is relative to the configuration."""
    return {"type": "embedded", "path": f"{stem}.db", **options}


CASES = {
    "untouched": Case({"one": store("a")}, {"one": store("a")}, {"a"}, moves=True),
    "added": Case({"one": store("a")}, {"one": store("a"), "two": store("b")}, {"a"}, moves=True),
    "replaced": Case({"one": store("a")}, {"one": store("b")}, {"b"}, moves=True),
    "removed": Case({"one": store("a"), "two": store("b")}, {"one": store("a")}, {"a"}),
    "renamed": Case({"one": store("a")}, {"two": store("b")}),
    "all removed": Case({"one": store("a"), "two": store("b")}, {}),
}


def values(path: Path) -> set[float]:
    """Return what a store has, by value."""
    found = ondisk.embedded(path)()["level"]
    return {value for each in found.values() for value in each}


class Held:
    """A daemon whose plugin waits for a mark before it gives anything."""

    def __init__(self, folder: DaemonFolder, path: Path, shape: str) -> None:
        self.folder, self.marks, self.shape = folder, path / "marks", shape
        self.marks.mkdir()
        folder.plugin("held", SHAPES[shape])

    def config(self, stores: dict[str, Any]) -> str:
        """Return a configuration with some stores."""
        held: dict[str, Any] = {"plugin": "held", "params": {"folder": str(self.marks)}}
        if self.shape != "stream":
            held["every"] = "1d" if self.shape == "window" else "100ms"
        return yaml.safe_dump({"stores": stores, "collectors": {"held": held}})

    async def began(self, number: int) -> None:
        """Return once a call of that number has begun."""
        await self._until((self.marks / f"began-{number}").exists)

    def release(self, number: int) -> None:
        """Let a call give its result."""
        (self.marks / f"go-{number}").touch()

    def position(self) -> float:
        """Return the position on disk."""
        if self.shape != "window":
            return float(ondisk.cursors(self.folder.state_dir).get("held", {}).get("n", 0))
        with closing(sqlite3.connect(self.folder.state_dir / "state.db")) as db:
            (record,) = db.execute("SELECT record FROM backfills").fetchone()
            return float(yaml.safe_load(record)["position"]) - START

    def stored(self) -> dict[str, set[float]]:
        """Return what each file has, without those that have nothing."""
        files = [
            *self.folder.config_path.parent.glob("?.db"),
            self.folder.state_dir / "readings.db",
        ]
        return {each.stem: found for each in files if (found := values(each))}

    async def until(self, condition: Callable[[], Any]) -> None:
        """Return once something has come true on disk."""
        await self._until(condition)

    async def _until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(WITHIN):
            while not condition():  # noqa: ASYNC110 -- files have no event
                await asyncio.sleep(0.01)


async def begin(held: Held, it: RunningDaemon) -> None:
    """Have the first call begin."""
    if held.shape == "window":
        await it.daemon.backfills.ask("held", [(START, START + 2)], chunk=1.0)
    await held.began(0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("case", CASES)
async def test_readings_go_where_the_run_began_or_nowhere(
    daemon_folder: DaemonFolder, tmp_path: Path, case: str, shape: str
) -> None:
    """The next run, which begins with the new stores, reads again what went nowhere."""
    change, held = CASES[case], Held(daemon_folder, tmp_path, shape)
    async with daemon_folder.daemon(held.config(change.before)) as it:
        await begin(held, it)
        daemon_folder.config(held.config(change.after))
        await it.daemon.reload()
        cut_short = shape == "stream" and not change.moves
        if not cut_short:
            held.release(0)
        await held.began(1)  # so the first one has ended
        if change.moves:
            await held.until(lambda: held.position() == 1)
        takes = set() if cut_short else change.takes
        await held.until(lambda: set(held.stored()) == takes)

        assert held.position() == (1 if change.moves else 0)
        assert all(found == {0.0} for found in held.stored().values())

        held.release(1)
        again = 2 if change.moves else 1
        await held.until(lambda: held.position() == again)
        newly = {Path(each["path"]).stem for each in change.after.values()} or {"readings"}
        await held.until(lambda: newly <= set(held.stored()))


@pytest.mark.parametrize("shape", ["returned", "yielded"])
async def test_the_record_of_a_run_says_that_its_store_has_gone(
    daemon_folder: DaemonFolder, tmp_path: Path, shape: str
) -> None:
    """It has failed, by name of the store, and the collector is no worse off for it."""
    held = Held(daemon_folder, tmp_path, shape)
    async with daemon_folder.daemon(held.config({"one": store("a")})) as it:
        await begin(held, it)
        daemon_folder.config(held.config({"two": store("b")}))
        await it.daemon.reload()
        held.release(0)
        await held.began(1)

        (record,) = await it.get("runs", collector="held", limit=1)
        assert record["outcome"] == "failed"
        assert record["error"].startswith("stores: one removed or renamed while this ran")
        assert record["readings"] == 1
        held.release(1)
        await held.until(lambda: held.position() == 1)


async def test_secrets_of_a_result_that_goes_nowhere_are_kept(
    daemon_folder: DaemonFolder, tmp_path: Path
) -> None:
    """A token that the run renewed depends on no readings, and the old one is used up."""
    held = Held(daemon_folder, tmp_path, "returned")
    daemon_folder.plugin(
        "held",
        f"""{TURN}
    async def run(*, folder, token="first", **_):
        await turn(folder)
        Path(folder, f"token-{{token}}").touch()
        return {{"readings": [(1_700_000_000, "level", 0)], "hidden": {{"token": "second"}}}}
    """,
    )
    async with daemon_folder.daemon(held.config({"one": store("a")})) as it:
        await begin(held, it)
        daemon_folder.config(held.config({"two": store("b")}))
        await it.daemon.reload()
        held.release(0)
        await held.began(1)
        held.release(1)

        await held.until((held.marks / "token-second").exists)
