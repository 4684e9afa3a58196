"""A store that is renamed or removed: what waits for it is adopted, told, moved or dropped."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from ingestd.app import Daemon
from ingestd.errors import NotNow, NotPossible
from ingestd.model import Priority
from tests.support.daemon import DaemonFolder, RunningDaemon
from tests.support.influx2 import HANG, Influx2, answer
from tests.support.pipeline import BUCKET, held, points

pytestmark = pytest.mark.slow


@pytest.fixture
def server(influx2: Influx2) -> Influx2:
    """Give a server with the bucket that the stores write to."""
    influx2.make_bucket(BUCKET)
    return influx2


def stores(server: Influx2, *names: str, **former: str) -> str:
    """Return a configuration with stores of these names, all at one server."""

    def store(name: str) -> dict[str, Any]:
        options = {"former": former[name]} if name in former else {}
        return {
            "type": "influxdb", "url": server.url, "org": "campus", "bucket": BUCKET,
            "token": "secret", "batch": {"linger": "10ms"}, "retry_max": "100ms", **options,
        }  # fmt: skip

    return yaml.safe_dump({"stores": {name: store(name) for name in names}})


async def give(daemon: Daemon, *times: int, value: float) -> None:
    """Give readings to all stores, as a collector does, and wait until they are safe."""
    receipt = await daemon.buffer.put(points(*times, value=value), priority=Priority.SOURCE_KEEPS)
    await receipt.wait()


async def reload(it: RunningDaemon, folder: DaemonFolder, text: str) -> list[str]:
    """Have another configuration read; return what is suspicious in it."""
    folder.config(text)
    await it.daemon.reload()
    return it.daemon.warnings


async def spooled(it: RunningDaemon) -> dict[str, int]:
    """Return how many readings wait, by the name of the store."""
    return {each["store"]: each["points"] for each in await it.get("spool") if each["points"]}


async def test_a_new_name_adopts_what_waits_for_the_former(
    server: Influx2, daemon_folder: DaemonFolder
) -> None:
    """With its dead letters, and a correction that comes meanwhile stays behind it."""
    async with daemon_folder.daemon(stores(server, "old")) as it:
        await give(it.daemon, 8, value=1.0)  # it takes readings, so what it refuses is bad
        server.always = answer(400)
        await give(it.daemon, 9, value=1.0)
        server.always = answer(503)
        await give(it.daemon, 1, 2, value=1.0)

        warnings = await reload(it, daemon_folder, stores(server, "new", new="old"))
        await it.until(it.daemon.deliveries.by_store["new"].recovered.is_set)
        await give(it.daemon, 1, value=2.0)
        waiting, dead = await spooled(it), it.daemon.deliveries.by_store["new"].dead.count
        server.always = None
        await it.until(lambda: not it.daemon.deliveries.by_store["new"].spooled)

        assert warnings == []
        assert (waiting, dead) == ({"new": 3}, 1)
        assert held(server) == {("level", 8): 1.0, ("level", 1): 2.0, ("level", 2): 1.0}
        assert not it.daemon.deliveries.by_store["new"].balance.off_by


async def test_a_new_name_adopts_after_a_restart(
    server: Influx2, daemon_folder: DaemonFolder
) -> None:
    """The operator may rename a store while no daemon runs."""
    async with daemon_folder.daemon(stores(server, "old")) as it:
        server.always = answer(503)
        await give(it.daemon, 1, 2, value=1.0)
    server.always = None
    async with daemon_folder.daemon(stores(server, "new", new="old")) as it:
        await it.until(lambda: len(held(server)) == 2)
        # What was stored is taken out of the spool then.
        await it.until(lambda: not it.daemon.deliveries.by_store["new"].spooled)

        assert await spooled(it) == {}


async def test_what_is_left_behind_is_told(server: Influx2, daemon_folder: DaemonFolder) -> None:
    """By the reload, the next start, and the status, each with the command that mends it."""
    hint = "ingestd spool move old STORE sends them, ingestd spool drop old deletes them"
    async with daemon_folder.daemon(stores(server, "old")) as it:
        server.always = answer(503)
        await give(it.daemon, 1, 2, value=1.0)
        (warning,) = await reload(it, daemon_folder, stores(server, "new"))
        status = {each["name"]: each["error"] for each in (await it.get("status"))["stores"]}
    async with daemon_folder.daemon(stores(server, "new")) as it:
        (again,) = it.daemon.warnings

    assert warning == f"stores: old: no longer in the configuration; 2 readings left; {hint}"
    assert again == warning
    assert status["old"] in warning


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("by", ["return", "move", "former"])
async def test_an_old_value_never_overwrites_a_newer_one(
    server: Influx2, daemon_folder: DaemonFolder, by: str, *, restarts: bool
) -> None:
    """What may be older than what was stored under the new name is kept back, and told."""
    async with daemon_folder.daemon(stores(server, "old")) as it:
        server.always = answer(503)
        await give(it.daemon, 1, value=1.0)
        await give(it.daemon, 50, value=1.0)
        await reload(it, daemon_folder, stores(server, "new"))
        server.always = None
        await it.until(lambda: it.daemon.deliveries.by_store["new"].outage.up)
        await give(it.daemon, 50, value=2.0)
        assert held(server) == {("level", 50): 2.0}
        after = {
            "return": stores(server, "old"),
            "move": stores(server, "new"),
            "former": stores(server, "new", new="old"),
        }[by]
        if not restarts:
            await take_over(it, daemon_folder, after, by)
            await check_kept_back(it, server)
    if restarts:
        async with daemon_folder.daemon(after) as it:
            await take_over(it, daemon_folder, after, by)
            await check_kept_back(it, server)


async def take_over(it: RunningDaemon, folder: DaemonFolder, after: str, by: str) -> None:
    """Bring what waits for the former name to a store in one of three ways."""
    if by == "move":
        found = await it.post("spool/move", {"store": "old", "to": "new"})
        assert found == {"points": 1, "dead_letters": 0, "kept_back": 1}
    else:
        await reload(it, folder, after)


async def check_kept_back(it: RunningDaemon, server: Influx2) -> None:
    """Check that the older value was kept back, and that it goes when it is told to."""
    await it.until(lambda: ("level", 1) in held(server))
    ((name, delivery),) = it.daemon.deliveries.by_store.items()
    await it.until(lambda: not delivery.spool.holds.points)  # it is taken out behind the store
    assert await spooled(it) == {"old@older": 1}
    assert held(server) == {("level", 1): 1.0, ("level", 50): 2.0}

    with pytest.raises(NotPossible, match="expected to be told to overwrite"):
        await it.daemon.deliveries.move("old@older", name)
    await it.daemon.deliveries.move("old@older", name, overwrite=True)
    await it.until(lambda: held(server)["level", 50] == 1.0)


async def test_what_is_newer_than_all_that_waits_keeps_nothing_back(
    server: Influx2, daemon_folder: DaemonFolder
) -> None:
    """Most sources give each reading once, so that a spool can be moved whole."""
    async with daemon_folder.daemon(stores(server, "old")) as it:
        server.always = answer(503)
        await give(it.daemon, 1, 2, value=1.0)
        await reload(it, daemon_folder, stores(server, "new"))
        server.always = None
        await it.until(lambda: it.daemon.deliveries.by_store["new"].outage.up)
        await give(it.daemon, 3, value=1.0)

        found = await it.post("spool/move", {"store": "old", "to": "new"})

        assert found == {"points": 2, "dead_letters": 0, "kept_back": 0}
        await it.until(lambda: len(held(server)) == 3)
        assert not it.daemon.deliveries.by_store["new"].balance.off_by


async def test_another_store_moves_no_mark(server: Influx2, daemon_folder: DaemonFolder) -> None:
    """One that was there beside it is no new name of it, whatever it is sent meanwhile."""
    async with daemon_folder.daemon(stores(server, "old", "other")) as it:
        server.always = answer(503)
        await give(it.daemon, 1, value=1.0)
        await reload(it, daemon_folder, stores(server, "other"))
        await give(it.daemon, 1, value=2.0)
        await reload(it, daemon_folder, stores(server, "other", "old"))

        await it.until(it.daemon.deliveries.by_store["old"].recovered.is_set)
        assert await spooled(it) == {"old": 1, "other": 2}


async def test_what_waits_is_dropped(server: Influx2, daemon_folder: DaemonFolder) -> None:
    """Of a former store only."""
    async with daemon_folder.daemon(stores(server, "old")) as it:
        server.always = answer(503)
        await give(it.daemon, 1, 2, value=1.0)
        await reload(it, daemon_folder, stores(server, "new"))

        assert await it.post("spool/drop", {"store": "old"}) == {"points": 2}
        assert await spooled(it) == {}
        with pytest.raises(NotPossible, match="expected a former store"):
            await it.daemon.deliveries.drop("new")
        with pytest.raises(NotNow, match="expected a configured store, known: new"):
            await it.daemon.deliveries.move("old", "nowhere")


async def test_a_spool_of_another_kind_is_not_moved(
    server: Influx2, daemon_folder: DaemonFolder, tmp_path: Path
) -> None:
    """It stays where it is, and can be moved to a store that it was made for."""
    embedded = yaml.safe_dump(
        {"stores": {"new": {"type": "embedded", "path": str(tmp_path / "x.db"), "former": "old"}}}
    )
    async with daemon_folder.daemon(stores(server, "old")) as it:
        server.always = answer(503)
        await give(it.daemon, 1, 2, value=1.0)
        await reload(it, daemon_folder, embedded)
        await it.until(it.daemon.deliveries.by_store["new"].recovered.is_set)

        assert await spooled(it) == {"old": 2}
        with pytest.raises(NotPossible, match="got that of another kind"):
            await it.daemon.deliveries.move("old", "new")


async def test_a_run_goes_on_under_the_new_name(
    server: Influx2, daemon_folder: DaemonFolder
) -> None:
    """A store that was renamed with ``former:`` is the store that the run began with."""
    daemon_folder.plugin(
        "held",
        """
        import asyncio
        async def run(*, ctx, n=0, **_):
            if not n:
                await ctx.shared(asyncio.Event).wait()
            return {"readings": [(1 + n, "level", 1.0)], "n": n + 1}
        """,
    )
    collectors = "collectors: {held: {plugin: held, every: 1d}}\n"
    async with daemon_folder.daemon(stores(server, "old") + collectors) as it:
        asked = asyncio.ensure_future(it.daemon.collectors.by_name["held"].run_now())
        await it.until(lambda: it.daemon.collectors.by_name["held"].running is not None)
        await reload(it, daemon_folder, stores(server, "new", new="old") + collectors)
        it.daemon.shared.get(asyncio.Event).set()
        record = await asked

        assert record.outcome == "ok"
        await it.until(lambda: held(server) == {("level", 1): 1.0})


async def test_a_store_that_comes_back_at_once_keeps_nothing_back(
    server: Influx2, daemon_folder: DaemonFolder
) -> None:
    """What its own delivery was still bringing to the spool corrects nothing."""
    async with daemon_folder.daemon(stores(server, "old")) as it:
        server.always = HANG
        putting = [asyncio.ensure_future(give(it.daemon, time, value=1.0)) for time in (3, 2, 1)]
        await it.until(lambda: it.daemon.deliveries.by_store["old"].in_memory == 3)
        await reload(it, daemon_folder, stores(server, "new"))
        await reload(it, daemon_folder, stores(server, "old"))
        server.always = None
        await asyncio.gather(*putting)

        await it.until(lambda: len(held(server)) == 3)
        await it.until(lambda: not it.daemon.deliveries.by_store["old"].spooled)
        assert await spooled(it) == {}
