"""A disk that does not take what it must is tried again with pauses, and never without."""

from pathlib import Path
from typing import TypeVar

import pytest

from ingestd.disk.database import Action, Database
from ingestd.disk.writer import OnFull
from ingestd.errors import StoreUnavailable
from tests.support.answering import AnsweringSink
from tests.support.disk import refusing_writes
from tests.support.influx2 import Influx2
from tests.support.pipeline import Pipeline, influx, points, running, until

T = TypeVar("T")

NEVER = 1e6  # seconds; a pause that does not end during a test
ROUNDS = 50


class Attempts:
    """Counts what a database is asked to write."""

    def __init__(self, database: Database, patch: pytest.MonkeyPatch) -> None:
        self.number = 0
        self._write = database.write
        patch.setattr(database, "write", self.write)

    async def write(self, action: Action[T], *, on_full: OnFull = "fail") -> T:
        """Write as the database does."""
        self.number += 1
        return await self._write(action, on_full=on_full)

    async def are_few(self, pipe: Pipeline) -> bool:
        """Say whether no more than a few come while a loop without pauses would make dozens."""
        before = self.number
        for _ in range(ROUNDS):  # each takes as long as a write that fails
            await pipe.database.read(lambda db: db.execute("SELECT 1").fetchall())
        return self.number - before < 5


async def test_dead_letters_of_a_delivery_that_ends(
    server: Influx2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reload that replaces a store while the disk fails must not take all of a core."""
    server.refuse = lambda _line: "no such field"
    sinks = {"main": influx(server.url)}
    async with running(tmp_path, sinks, disk_retry=NEVER) as pipe:
        attempts = Attempts(pipe.database, monkeypatch)
        with refusing_writes():
            await pipe.put(points(1))
            await until(lambda: attempts.number > 0)

            pipe.only.cancel()

            assert await attempts.are_few(pipe)


async def test_points_in_flight_of_a_delivery_that_ends(
    server: Influx2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its store is up, and is not sent any more."""
    sinks = {"main": influx(server.url)}
    async with running(tmp_path, sinks, disk_retry=NEVER) as pipe:
        attempts = Attempts(pipe.database, monkeypatch)
        with refusing_writes():
            pipe.only.cancel()
            await pipe.put(points(1))
            await until(lambda: attempts.number > 0)

            assert await attempts.are_few(pipe)
            assert pipe.only.outage.up


async def test_what_may_correct_the_spool_of_a_store_that_is_up(
    sink: AnsweringSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can neither go ahead nor be spooled for as long as suspect points are there."""

    def fails_over_one(seconds: list[int]) -> StoreUnavailable | None:
        failure = StoreUnavailable("500", answered=True, perhaps_body=True)
        return failure if 50 in seconds else None

    sink.answer = fails_over_one
    async with running(tmp_path, {"main": sink}, disk_retry=NEVER, suspect_pause=NEVER) as pipe:
        await pipe.safe(points(50))
        await until(lambda: pipe.only.outage.failures > 1)
        await pipe.safe(points(60))
        await until(lambda: pipe.only.sender.suspects.points == 1 and pipe.only.outage.up)
        attempts = Attempts(pipe.database, monkeypatch)
        with refusing_writes():
            await pipe.put(points(20))
            await until(lambda: attempts.number > 0)

            assert await attempts.are_few(pipe)
            assert pipe.only.outage.up
        sink.answer = lambda _seconds: None
