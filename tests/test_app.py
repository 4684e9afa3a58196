"""The daemon as a whole: reloads that touch only what changed, and a stop during everything."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ingestd.app import Daemon
from ingestd.collecting.collector import Collector
from ingestd.collecting.collectors import Collectors
from ingestd.errors import ConfigError, NotNow, StateError
from tests.support.daemon import DaemonFolder, RunningDaemon
from tests.support.deadline import WITHIN
from tests.support.influx2 import HANG, Influx2, answer

TICKING = """
    async def run(*, n=0, **_):
        return {"readings": [(n + 1, "level", n + 1)], "n": n + 1}
"""
# Goes on until a file appears.
WAITING = """
    import asyncio
    from pathlib import Path
    async def run(*, until, n=0, **_):
        while not Path(until).exists():
            await asyncio.sleep(0.01)
        return {"readings": [(n + 1, "slow", n + 1)], "n": n + 1}
"""


@pytest.fixture
def folder(daemon_folder: DaemonFolder) -> DaemonFolder:
    """A folder with three plugins."""
    daemon_folder.plugin("ticking", TICKING)
    daemon_folder.plugin("waiting", WAITING)
    daemon_folder.plugin("strict", "async def run(*, url):\n    return {}\n")
    return daemon_folder


def ticking(name: str = "t", every: str = "100ms", **more: str) -> str:
    """Return a collector that reads quickly."""
    options = "".join(f", {key}: {value}" for key, value in more.items())
    return f"  {name}: {{plugin: ticking, every: {every}{options}}}\n"


def waiting(flag: Path, every: str = "100ms") -> str:
    """Return a collector whose run goes on until a file appears."""
    return f"  slow: {{plugin: waiting, every: {every}, params: {{until: {flag}}}}}\n"


def store(server: Influx2, name: str = "main", **more: str) -> str:
    """Return a store that sends quickly and is tried again quickly."""
    options = {"token": "secret", "batch": "{linger: 10ms}", "retry_max": "100ms", **more}
    said = "".join(f", {key}: {value}" for key, value in options.items())
    return f"  {name}: {{type: influxdb, url: {server.url}, org: campus, bucket: energy{said}}}\n"


async def reload(it: RunningDaemon, folder: DaemonFolder, text: str, **options: str) -> str:
    """Write a configuration and have it read."""
    folder.config(text, **options)
    return await it.daemon.reload()


def stored(path: Path, series: str) -> list[float]:
    """Return the values of a series in an embedded store, in time order."""
    with sqlite3.connect(path) as db:
        rows = db.execute("SELECT value FROM points WHERE series = ? ORDER BY time_us", (series,))
        return [value for (value,) in rows]


def balanced(it: RunningDaemon) -> bool:
    """Say whether every point of every store is accounted for."""
    return all(not each.balance.off_by for each in it.daemon.deliveries.by_store.values())


@pytest.mark.slow  # a daemon starts, collects and stops
async def test_readings_reach_the_embedded_store_without_any_configuration(
    folder: DaemonFolder,
) -> None:
    """The state behind them is on disk when the daemon has stopped."""
    async with folder.daemon(f"collectors:\n{ticking()}") as it:
        memory = it.daemon.collectors.by_name["t"].committer
        await it.until(lambda: memory.memory.state.get("n", 0) >= 3)
        it.daemon.stop()
        await it.done

    values = stored(folder.state_dir / "readings.db", "level")
    async with folder.daemon(f"collectors:\n{ticking(every='1h')}") as it:
        number = it.daemon.collectors.by_name["t"].committer.memory.state["n"]
        assert values[:number] == [float(n + 1) for n in range(number)]


@pytest.mark.slow  # a daemon starts, collects and stops
async def test_reload_adds_removes_and_changes_collectors(folder: DaemonFolder) -> None:
    """The others are the same objects as before."""
    text = f"collectors:\n{ticking('same')}{ticking('goes')}{ticking('changes')}"
    async with folder.daemon(text) as it:
        before = dict(it.daemon.collectors.by_name)
        state = before["changes"].committer
        await it.until(lambda: state.memory.state.get("n", 0) >= 2)

        text = (
            f"collectors:\n{ticking('same')}{ticking('changes', every='150ms')}{ticking('comes')}"
        )
        said = await reload(it, folder, text)
        await it.until(lambda: "goes" not in it.daemon.collectors.by_name)

        after = it.daemon.collectors.by_name
        assert said == "collectors: +comes ~changes -goes; stores: unchanged"
        assert sorted(after) == ["changes", "comes", "same"]
        assert after["same"] is before["same"]
        assert after["changes"] is not before["changes"]
        assert after["changes"].committer is state
        known = state.memory.state["n"]
        await it.until(lambda: state.memory.state["n"] > known)
        await it.until(lambda: bool(after["comes"].last))


@pytest.mark.slow  # a daemon starts, collects and stops
async def test_run_under_way_does_not_notice_the_reload_of_others(
    folder: DaemonFolder, tmp_path: Path
) -> None:
    """The others are a collector and a store."""
    flag = tmp_path / "flag"
    async with folder.daemon(f"collectors:\n{waiting(flag)}{ticking()}") as it:
        slow = it.daemon.collectors.by_name["slow"]
        await it.until(lambda: slow.running is not None)
        run = slow.running

        other = f"stores:\n  other: {{type: embedded, path: {tmp_path / 'o.db'}}}\n"
        await reload(it, folder, f"{other}collectors:\n{waiting(flag)}{ticking(every='200ms')}")

        assert it.daemon.collectors.by_name["slow"] is slow
        assert slow.running is run
        flag.touch()
        await it.until(lambda: slow.last is not None and slow.last.outcome == "ok")
        await it.daemon.collectors.by_name["slow"].committer.committed()
        assert stored(tmp_path / "o.db", "slow")[:1] == [1.0]


async def test_changed_catalogue_stops_no_run(folder: DaemonFolder, tmp_path: Path) -> None:
    """The run under way names its readings anew."""
    flag = tmp_path / "flag"
    async with folder.daemon(f"collectors:\n{waiting(flag)}") as it:
        slow = it.daemon.collectors.by_name["slow"]
        await it.until(lambda: slow.running is not None)
        run = slow.running

        said = await reload(
            it, folder, f"series: {{slow: {{scale: 10}}}}\ncollectors:\n{waiting(flag)}"
        )
        assert said == "collectors: unchanged; stores: unchanged; series: changed"
        assert slow.running is run

        flag.touch()
        await it.until(lambda: slow.last is not None and slow.last.outcome == "ok")
        await asyncio.wait_for(slow.committer.committed(), WITHIN)
        assert stored(folder.state_dir / "readings.db", "slow")[:1] == [10.0]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("collectors: {t: {plugin: ticking, evry: 1s}}", "evry"),
        ("collectors: {t: {plugin: strict, every: 1s, params: {ulr: x}}}", "ulr"),
        ("collectors: [", "ingestd.yaml"),
        ("stores: {main: {type: influxdb}}", "url"),
    ],
)
@pytest.mark.slow  # a daemon starts, collects and stops
async def test_refused_configuration_leaves_everything_running(
    folder: DaemonFolder, text: str, problem: str
) -> None:
    """The daemon says that it is refused until one is accepted."""
    async with folder.daemon(f"collectors:\n{ticking()}") as it:
        metrics = it.daemon.metrics.registry
        before, config = dict(it.daemon.collectors.by_name), it.daemon.config
        folder.config(text)

        with pytest.raises(ConfigError, match=problem):
            await it.daemon.reload()

        assert it.daemon.collectors.by_name == before
        assert it.daemon.config is config
        assert not it.daemon.config_ok
        assert it.daemon.last_reload.startswith("refused: ")
        assert metrics.get_sample_value("ingestd_config_last_reload_successful") == 0
        number = before["t"].committer.memory.state.get("n", 0)
        await it.until(lambda: before["t"].committer.memory.state.get("n", 0) > number)

        await reload(it, folder, f"collectors:\n{ticking()}")
        assert metrics.get_sample_value("ingestd_config_last_reload_successful") == 1


async def test_reload_that_cannot_be_prepared_touches_nothing_and_can_be_repeated(
    folder: DaemonFolder, tmp_path: Path
) -> None:
    """Half of a configuration must not run, at any step the way to it fails."""
    other = f"stores:\n  other: {{type: embedded, path: {tmp_path / 'o.db'}}}\n"
    async with folder.daemon(f"collectors:\n{ticking(every='1h')}") as it:
        metrics = it.daemon.metrics.registry
        stores, collectors = (
            dict(it.daemon.deliveries.by_store),
            dict(it.daemon.collectors.by_name),
        )
        config = it.daemon.config
        folder.config(f"{other}collectors:\n{ticking(every='2h')}{ticking('new', every='1h')}")

        with sqlite3.connect(folder.state_dir / "state.db") as db:
            db.execute("ALTER TABLE state RENAME TO away")
        with pytest.raises(StateError, match="state"):
            await it.daemon.reload()

        assert it.daemon.deliveries.by_store == stores
        assert it.daemon.collectors.by_name == collectors
        assert it.daemon.config is config
        assert not it.daemon.config_ok
        assert it.daemon.last_reload.startswith("failed: ")
        assert metrics.get_sample_value("ingestd_config_last_reload_successful") == 0

        with sqlite3.connect(folder.state_dir / "state.db") as db:
            db.execute("ALTER TABLE away RENAME TO state")
        said = await it.daemon.reload()
        assert said == "collectors: +new ~t; stores: +other -embedded"
        assert metrics.get_sample_value("ingestd_config_last_reload_successful") == 1
        assert list(it.daemon.deliveries.by_store) == ["other"]
        assert sorted(it.daemon.collectors.by_name) == ["new", "t"]


async def test_reload_that_meets_a_bug_half_way_is_taken_back(
    folder: DaemonFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was there is there again and works, and the next reload finds everything to do."""
    text = f"collectors:\n{ticking()}{ticking('goes', every='1h')}{ticking('same', every='1h')}"
    other = f"stores:\n  other: {{type: embedded, path: {tmp_path / 'o.db'}}}\n"
    start = Collectors.start

    def buggy(collectors: Collectors, collector: Collector) -> None:
        if collector.name == "t" and collector.config.every == 3600:
            raise KeyError("a bug")
        start(collectors, collector)

    async with folder.daemon(text) as it:
        same, config = it.daemon.collectors.by_name["same"], it.daemon.config
        folder.config(
            f"{other}series: {{level: {{scale: 10}}}}\ncollectors:\n"
            f"{ticking('new')}{ticking(every='1h')}{ticking('same', every='1h')}"
        )
        with monkeypatch.context() as patch:
            patch.setattr(Collectors, "start", buggy)
            await it.daemon.reload_and_tell()

        assert not it.daemon.config_ok
        assert it.daemon.config is config
        assert list(it.daemon.deliveries.by_store) == ["embedded"]
        assert sorted(it.daemon.collectors.by_name) == ["goes", "same", "t"]
        assert it.daemon.collectors.by_name["same"] is same
        committer = it.daemon.collectors.by_name["t"].committer
        number = committer.memory.state.get("n", 0)
        await it.until(lambda: committer.memory.state.get("n", 0) >= number + 2)
        await asyncio.wait_for(committer.committed(), WITHIN)
        values = stored(folder.state_dir / "readings.db", "level")
        assert values == [float(n + 1) for n in range(len(values))]

        said = await it.daemon.reload()
        assert said == "collectors: +new ~t -goes; stores: +other -embedded; series: changed"
        assert sorted(it.daemon.collectors.by_name) == ["new", "same", "t"]


@pytest.mark.slow  # a daemon starts, collects and stops
async def test_reload_during_the_start_waits_for_its_end(folder: DaemonFolder) -> None:
    """Two configurations at once would start collectors twice, or those of the older one."""
    folder.config(f"collectors:\n{ticking('old')}")
    daemon = folder.make()
    reloads: list[asyncio.Task[str]] = []

    @asynccontextmanager
    async def edited_at_once(daemon: Daemon) -> AsyncIterator[str]:
        folder.config(f"collectors:\n{ticking('new')}")
        reloads.append(asyncio.create_task(daemon.reload()))
        await asyncio.wait(reloads, timeout=0.3)
        assert not reloads[0].done()
        yield ""

    running = asyncio.create_task(daemon.run(edited_at_once))
    await asyncio.wait({running, asyncio.ensure_future(daemon.ready.wait())}, timeout=WITHIN,
                       return_when=asyncio.FIRST_COMPLETED)  # fmt: skip

    assert await asyncio.wait_for(reloads[0], WITHIN) == "collectors: +new -old; stores: unchanged"
    assert list(daemon.collectors.by_name) == ["new"]
    daemon.stop()
    await asyncio.wait_for(running, WITHIN)
    with pytest.raises(NotNow, match="is stopping"):
        await daemon.reload()


@pytest.mark.slow  # a daemon starts, collects and stops
async def test_store_that_changes_while_it_is_down_keeps_its_spool(
    folder: DaemonFolder, influx2: Influx2
) -> None:
    """What waits for it is sent by its new configuration, and nothing is counted twice."""
    influx2.make_bucket("energy")
    influx2.always = answer(401)
    collectors = f"collectors:\n{ticking()}"
    async with folder.daemon(f"stores:\n{store(influx2, token='old')}{collectors}") as it:
        await it.until(lambda: it.daemon.deliveries.by_store["main"].spooled >= 3)

        influx2.always = None
        await reload(it, folder, f"stores:\n{store(influx2)}{collectors}")
        main = it.daemon.deliveries.by_store["main"]
        await it.until(lambda: main.recovered.is_set() and not main.spooled)

        await it.until(lambda: len(influx2.values("energy")) >= 5)
        assert balanced(it)
    values = sorted(value for value in influx2.values("energy").values())
    assert values == [float(n + 1) for n in range(len(values))]


@pytest.mark.slow  # a daemon starts, collects and stops
async def test_buffer_opens_again_when_a_store_with_a_full_spool_is_replaced(
    folder: DaemonFolder, influx2: Influx2
) -> None:
    """Its collectors must not wait for a delivery that is gone."""
    influx2.make_bucket("energy")
    influx2.always = answer(401)

    def text(spool: str, **more: str) -> str:
        buffer = f"buffer: {{spool: {spool}}}\n"
        return f"{buffer}stores:\n{store(influx2, **more)}collectors:\n{ticking()}"

    async with folder.daemon(text("1MiB")) as it:
        it.daemon.deliveries.by_store["main"].spool.limit_bytes = 100
        await it.until(lambda: bool(it.daemon.buffer.paused))

        influx2.always = None
        await reload(it, folder, text("100MiB", timeout="20s"))

        await it.until(lambda: not it.daemon.buffer.paused)
        await it.until(lambda: len(influx2.values("energy")) >= 3)


@pytest.mark.slow  # a daemon starts, collects and stops
async def test_removed_store_holds_up_no_collector(
    folder: DaemonFolder, influx2: Influx2, tmp_path: Path
) -> None:
    """What was in memory for it goes to its spool, and states are committed without it."""
    influx2.make_bucket("energy")
    influx2.always = HANG
    embedded = f"  file: {{type: embedded, path: {tmp_path / 'f.db'}}}\n"
    collectors = f"collectors:\n{ticking()}"
    async with folder.daemon(f"stores:\n{store(influx2)}{embedded}{collectors}") as it:
        committer = it.daemon.collectors.by_name["t"].committer
        await it.until(lambda: committer.memory.state.get("n", 0) >= 2)

        await reload(it, folder, f"stores:\n{embedded}{collectors}")
        await it.until(lambda: "main" not in it.daemon.deliveries.by_store)

        await asyncio.wait_for(committer.committed(), WITHIN)
        assert balanced(it)


@pytest.mark.slow  # a daemon starts, collects and stops
async def test_store_that_comes_back_waits_for_the_end_of_the_delivery_it_had(
    folder: DaemonFolder, influx2: Influx2
) -> None:
    """What that still puts into the spool would otherwise lie there until the next start."""
    influx2.make_bucket("energy")
    influx2.always = HANG
    async with folder.daemon(f"stores:\n{store(influx2)}collectors:\n{ticking()}") as it:
        deliveries, config = it.daemon.deliveries, it.daemon.config
        await it.until(lambda: deliveries.by_store["main"].in_memory >= 3)

        deliveries.remove("main")
        deliveries.start(deliveries.make(config.stores["main"], config.buffer))
        influx2.always = None

        await it.until(lambda: len(influx2.values("energy")) >= 6)
        values = sorted(influx2.values("energy").values())
        assert values[:6] == [1, 2, 3, 4, 5, 6]
        assert balanced(it)


@pytest.mark.slow  # a daemon starts, collects and stops
async def test_stop_while_a_store_hangs_spools_what_is_in_memory(
    folder: DaemonFolder, influx2: Influx2
) -> None:
    """The next daemon sends it, and no state was ahead of its readings."""
    influx2.make_bucket("energy")
    influx2.always = HANG
    text = f"stores:\n{store(influx2)}collectors:\n{ticking()}"
    async with folder.daemon(text) as it:
        committer = it.daemon.collectors.by_name["t"].committer
        await it.until(lambda: committer.memory.state.get("n", 0) >= 3)
        it.daemon.stop()
        it.daemon.stop()  # skips the waiting, not the spooling
        await it.done

    influx2.always = None
    async with folder.daemon() as it:
        number = it.daemon.collectors.by_name["t"].committer.memory.state["n"]
        await it.until(lambda: len(influx2.values("energy")) >= number)
    values = sorted(influx2.values("energy").values())
    assert values == [float(n + 1) for n in range(len(values))]


async def test_stop_during_a_reload_ends_cleanly(folder: DaemonFolder, tmp_path: Path) -> None:
    """A collector that would be started after the stop is not."""
    flag = tmp_path / "flag"
    async with folder.daemon(f"collectors:\n{ticking()}") as it:
        folder.config(f"collectors:\n{ticking(every='150ms')}{waiting(flag)}")
        reloading = asyncio.create_task(it.daemon.reload_and_tell())
        await asyncio.sleep(0)

        it.daemon.stop()
        await asyncio.wait_for(it.done, WITHIN)

        await asyncio.wait_for(reloading, WITHIN)
        assert list(it.daemon.collectors.by_name) == ["t"]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.slow  # a daemon starts, collects and stops
async def test_stop_at_any_moment_of_a_reload_loses_nothing(
    folder: DaemonFolder, influx2: Influx2, seed: int
) -> None:
    """Collectors and stores come and go, and a run is under way."""
    influx2.make_bucket("energy")
    text = f"stores:\n{store(influx2)}collectors:\n{ticking()}"
    other = f"{store(influx2, timeout='9s')}collectors:\n{ticking(every='150ms')}{ticking('u')}"
    async with folder.daemon(text) as it:
        committer = it.daemon.collectors.by_name["t"].committer
        await it.until(lambda: committer.memory.state.get("n", 0) >= 1)
        reloads = [asyncio.create_task(it.daemon.reload_and_tell()) for _ in range(2)]
        folder.config(f"stores:\n{other}")
        await asyncio.sleep(seed * 0.004)
        it.daemon.stop()
        await asyncio.wait_for(it.done, WITHIN)
        await asyncio.wait(reloads)

    async with folder.daemon(text.replace("100ms", "1h")) as it:
        number = it.daemon.collectors.by_name["t"].committer.memory.state["n"]
        main = it.daemon.deliveries.by_store["main"]
        await it.until(lambda: main.recovered.is_set() and not main.spooled)
        assert balanced(it)
    values = sorted(influx2.values("energy").values())
    assert set(values) >= {float(n + 1) for n in range(number)}


async def test_watched_file_needs_no_signal(folder: DaemonFolder) -> None:
    """With `watch: true` an edit is a reload, and a broken one changes nothing."""
    async with folder.daemon(f"collectors:\n{ticking()}", watch="true") as it:
        folder.config("collectors: [", watch="true")
        await it.until(lambda: not it.daemon.config_ok)

        folder.config(f"collectors:\n{ticking('other')}", watch="true")

        await it.until(lambda: list(it.daemon.collectors.by_name) == ["other"])
        assert it.daemon.config_ok


async def test_reload_imports_no_plugin_again(folder: DaemonFolder) -> None:
    """Every import is another set of modules, and a daemon is reloaded for years."""
    text = f"collectors:\n{ticking(every='1h')}"
    async with folder.daemon(text) as it:
        plugin = it.daemon.checker.loader.load("ticking")

        await reload(it, folder, text, grace="7s")

        assert it.daemon.checker.loader.load("ticking") is plugin
