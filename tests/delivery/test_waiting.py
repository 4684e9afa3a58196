"""Every pause of the collectors ends by itself, whichever way it can end."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from ingestd.delivery.spool import Spool
from ingestd.errors import DiskFull
from tests.support.disk import fill, refusing_writes
from tests.support.influx2 import Influx2, answer
from tests.support.pipeline import Pipeline, influx, noise, points, running, until

FULL_DISK = "disk full"
FAILING_DISK = "failing disk"
FULL_SPOOL = "full spool"
LETTER = "dead letter on a full disk"

End = Callable[["Scene"], Awaitable[None]]


class Scene:
    """A store that is away, a disk that is full or fails, and a pipeline that waits.

    Attributes:
        path: The state directory, for a full disk on one that is small.
        disk: Mends what is wrong with the disk when it is closed.
    """

    def __init__(self, server: Influx2, pipe: Pipeline, path: Path) -> None:
        self.server, self.pipe, self.path = server, pipe, path
        self.disk = ExitStack()

    async def begin(self, pause: str) -> None:
        """Have collectors wait for that reason."""
        if pause == LETTER:
            self.server.refuse = lambda _line: "no such field"
        else:
            self.server.always = answer(500)
        if pause in {FULL_DISK, LETTER}:
            self.disk.callback(fill(self.path).unlink)
        elif pause == FAILING_DISK:
            self.disk.enter_context(refusing_writes())
        some = noise(1, 400) if pause == FULL_SPOOL else points(1)
        await self.pipe.put(some)
        await until(lambda: bool(self.pipe.buffer.paused))


async def store_is_back(scene: Scene) -> None:
    """The store takes everything; the disk stays as it is."""
    scene.server.always = None


async def disk_is_back(scene: Scene) -> None:
    """The disk takes everything; the store stays away."""
    scene.disk.close()


async def limit_is_raised(scene: Scene) -> None:
    """As a reload does it."""
    scene.pipe.only.spool.limit_bytes = 10_000_000
    scene.pipe.only.space.try_now()


async def limit_is_raised_and_nothing_tells(scene: Scene) -> None:
    """Only the clock is left to find it out."""
    scene.pipe.only.spool.limit_bytes = 10_000_000


ENDS = [
    (FULL_DISK, store_is_back),
    (FULL_DISK, disk_is_back),
    (FAILING_DISK, store_is_back),
    (FAILING_DISK, disk_is_back),
    (FULL_SPOOL, store_is_back),
    (FULL_SPOOL, limit_is_raised),
    (FULL_SPOOL, limit_is_raised_and_nothing_tells),
    (LETTER, disk_is_back),
]


@asynccontextmanager
async def scene_of(server: Influx2, state: Path) -> AsyncIterator[Scene]:
    """Give a scene, and end it with a disk and a store that are well."""
    sinks = {"main": influx(server.url)}
    async with running(state, sinks, spool_bytes=2000, disk_retry=0.05) as pipe:
        scene = Scene(server, pipe, state)
        with scene.disk:
            yield scene
        server.always = None
        await until(lambda: not pipe.buffer.held)


@pytest.fixture
def disk_for(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Path]:
    """Give what gives the folder for a pause: what is full is a disk that is small."""

    def folder(pause: str) -> Path:
        if pause in {FULL_DISK, LETTER}:
            small: Path = request.getfixturevalue("small_disk")
            return small
        return tmp_path

    return folder


@pytest.mark.parametrize(("pause", "end"), ENDS)
async def test_a_pause_ends(
    server: Influx2, disk_for: Callable[[str], Path], pause: str, end: End
) -> None:
    """Collectors go on as soon as what they wait for has come."""
    async with scene_of(server, disk_for(pause)) as scene:
        await scene.begin(pause)
        await end(scene)

        await until(lambda: not scene.pipe.buffer.paused)
        assert scene.pipe.balanced()


@pytest.mark.parametrize("pause", [FULL_DISK, FAILING_DISK, FULL_SPOOL, LETTER])
async def test_a_pause_lasts(server: Influx2, disk_for: Callable[[str], Path], pause: str) -> None:
    """As long as nothing has ended it, a person who wants to know changes nothing."""
    async with scene_of(server, disk_for(pause)) as scene:
        await scene.begin(pause)
        for _ in range(3):
            scene.pipe.only.hurry()
            await scene.pipe.database.read(lambda db: db.execute("SELECT 1").fetchone())

        assert scene.pipe.buffer.paused == {"main"}


async def test_a_pause_lasts_until_all_that_needs_the_disk_has_it(
    server: Influx2, tmp_path: Path
) -> None:
    """One that has got through ends the pause for none of the others."""
    failing = {"first", "second"}

    async def act(name: str) -> str:
        if name in failing:
            raise DiskFull("state.db: as the test wants it")
        return name

    async with scene_of(server, tmp_path) as scene:
        space = scene.pipe.only.space
        acts = [asyncio.create_task(space.persist(partial(act, name))) for name in sorted(failing)]
        await until(lambda: bool(scene.pipe.buffer.paused))
        failing.discard("first")
        first = await acts[0]
        paused = scene.pipe.buffer.paused
        third = await space.persist(partial(act, "third"))
        paused_still = scene.pipe.buffer.paused
        failing.clear()
        second = await acts[1]

        assert (first, second, third) == ("first", "second", "third")
        assert paused == paused_still == {"main"}
        assert scene.pipe.buffer.paused == set()


async def test_a_disk_that_fails_is_not_called_full(server: Influx2, tmp_path: Path) -> None:
    """The log has the disk's own words, under a name that sends nobody to make room."""
    async with scene_of(server, tmp_path) as scene:
        await scene.begin(FAILING_DISK)

        events = [each["event"] for each in scene.pipe.events]
        assert "spool fails: collectors wait until the state database can be written" in events
        assert not [each for each in events if each.startswith("spool full")]


async def test_a_backoff_ends_when_a_person_asks(server: Influx2, tmp_path: Path) -> None:
    """What SIGUSR1 and a reload do: the store is tried at once, whatever it asked for."""
    server.always = answer(503, retry_after="99999999999")
    async with running(tmp_path, {"main": influx(server.url)}) as pipe:
        await pipe.safe(points(1))
        assert 60 < pipe.only.outage.retry_in <= 900
        server.always = None
        pipe.only.hurry()

        await until(lambda: pipe.only.account.stored == 1)


async def test_a_touch_is_written(tmp_path: Path) -> None:
    """Whether the disk is well is found out by writing, not by asking."""
    async with running(tmp_path, {"main": influx("http://127.0.0.1:9")}) as pipe:
        spool: Spool = pipe.only.spool
        await spool.try_disk()

        def tried(db: sqlite3.Connection) -> int:
            return len(db.execute("SELECT 1 FROM meta WHERE key = 'disk_tried'").fetchall())

        assert await pipe.database.read(tried) == 1
