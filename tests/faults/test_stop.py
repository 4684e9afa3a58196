"""SIGTERM at the worst moments, and the exit codes that systemd looks at."""

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ingestd.app import FLUSH
from tests.support import ondisk
from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.ingestdprocess import AS_USERS_DO
from tests.support.proxy import Mode, Proxy
from tests.support.servers import victoria_metrics
from tests.support.source import SHAPES, MeterServer, readings

pytestmark = pytest.mark.slow


def test_stopping_while_it_reads_leaves_nothing_behind(
    daemon: DaemonProcess, meters: MeterServer
) -> None:
    """What was read is stored, and the positions stand exactly behind it."""
    daemon.configure(collectors=meters.install(daemon))
    meters.head = 100_000
    daemon.start()
    eventually(lambda: min(meters.asked[name] for name in SHAPES) > 3)

    assert daemon.stop() == 0

    found = ondisk.embedded(daemon.state_dir / "readings.db")()
    for name, state in ondisk.cursors(daemon.state_dir).items():
        assert found[name] == {time: [value] for time, value in readings(state["last"]).items()}
    assert ondisk.count(daemon.state_dir, "spool") == 0


@pytest.mark.parametrize(("terms", "patience"), [(1, FLUSH), (2, 1e6)])
def test_stopping_while_a_store_hangs(
    daemon: DaemonProcess, meters: MeterServer, tmp_path: Path, terms: int, patience: float
) -> None:
    """It ends in good order; a second signal saves the waiting, and no reading.

    Without that it would wait for the store so long that its end shows that it does not.
    """
    with victoria_metrics(tmp_path / "vm") as server, Proxy(server.port) as proxy:
        store = {"type": "victoriametrics", "url": proxy.url, "timeout": "10m"}
        daemon.configure(stores={"main": store}, collectors=meters.install(daemon))
        impatient = f"from ingestd import app, cli; app.FLUSH = {patience}; cli.main()"
        daemon.start(program=[sys.executable, "-c", impatient])
        proxy.set(Mode.HANGING)
        meters.head = 200
        eventually(lambda: daemon.store("main")["in_memory"] == 600)
        began = time.monotonic()
        for _ in range(terms):
            daemon.send(signal.SIGTERM)
            daemon.wait_for("stopping")
        assert daemon.ended() == 0
        took = time.monotonic() - began

        assert terms > 1 or took >= FLUSH
        positions = {
            name: state["last"] for name, state in ondisk.cursors(daemon.state_dir).items()
        }
        assert positions == dict.fromkeys(SHAPES, 200)
        proxy.set(Mode.UP)
        daemon.start()
        eventually(lambda: not daemon.store("main")["spool"]["points"], what="an empty spool")
        daemon.assert_balanced()
        assert daemon.stop() == 0
        found = ondisk.victoriametrics(server.url)()

    for series in SHAPES:
        assert found[series].keys() == readings(200).keys()


def test_stopping_while_it_starts(daemon: DaemonProcess, tmp_path: Path) -> None:
    """A daemon that is still loading its plugins stops as soon as it has."""
    importing = tmp_path / "importing"
    daemon.plugin(
        "sluggish",
        f"""
        import pathlib, time
        pathlib.Path({str(importing)!r}).touch()
        time.sleep(1)
        async def run(**_):
            return {{}}
        """,
    )
    daemon.configure(collectors={"sluggish": {"plugin": "sluggish", "every": "1h"}})
    daemon.start(ready=False)
    eventually(importing.exists)

    assert daemon.stop() == 0


def loads(daemon: DaemonProcess, library: str) -> bool:
    """Say whether a process has loaded a library."""
    return library in Path(f"/proc/{daemon.pid}/maps").read_text()


@pytest.mark.parametrize(
    "begun",
    [
        lambda _: True,
        lambda daemon: loads(daemon, "/python3"),
        lambda daemon: loads(daemon, "_asyncio"),
        lambda daemon: loads(daemon, "_sqlite3"),
        lambda daemon: daemon.state_dir.exists(),
        lambda daemon: (daemon.state_dir / "lock").exists(),
        lambda daemon: (daemon.state_dir / "state.db").exists(),
    ],
    ids=["process", "python", "asyncio", "sqlite", "directory", "lock", "state"],
)
def test_stopping_before_it_has_begun(
    daemon: DaemonProcess, begun: Callable[[DaemonProcess], bool]
) -> None:
    """Before its handlers are in place the signal ends the process as it would any other.

    Each time it has got a little farther. What it leaves does not keep the next one from
    its work.
    """
    daemon.configure()
    daemon.start(ready=False, program=AS_USERS_DO)
    eventually(lambda: begun(daemon))
    # systemd takes both for a clean exit.
    assert daemon.stop() in (0, -signal.SIGTERM)

    daemon.start()
    assert daemon.stop() == 0


def test_a_run_under_way_may_finish(daemon: DaemonProcess, tmp_path: Path) -> None:
    """The readings of a run that ends within the grace period are kept."""
    (tmp_path / "notes").mkdir()  # a function makes no files beside the configuration
    began, end = tmp_path / "notes" / "began", tmp_path / "notes" / "end"
    for name, asynchronous, pause in (("function", "", "time"), ("coroutine", "async ", "asyncio")):
        daemon.plugin(
            name,
            f"""
            import asyncio, pathlib, time
            {asynchronous}def run(**_):
                pathlib.Path({f"{began}-{name}"!r}).touch()
                while not pathlib.Path({str(end)!r}).exists():
                    {"await " if asynchronous else ""}{pause}.sleep(0.01)
                return {{"readings": [(1_600_000_000, {name!r}, 1)], "done": True}}
            """,
        )
    collectors = {name: {"plugin": name, "every": "100ms"} for name in ("function", "coroutine")}
    daemon.configure(collectors=collectors)
    daemon.start()
    eventually(lambda: all(Path(f"{began}-{name}").exists() for name in collectors))

    daemon.send(signal.SIGTERM)
    daemon.wait_for("stopping")
    end.touch()
    assert daemon.ended() == 0

    found = ondisk.embedded(daemon.state_dir / "readings.db")()
    assert found.keys() == {"function", "coroutine"}
    assert ondisk.cursors(daemon.state_dir) == {name: {"done": True} for name in collectors}


def test_a_wrong_configuration_is_78(daemon: DaemonProcess) -> None:
    """All that is wrong is told, with its lines, and nothing was made on disk."""
    daemon.configure(stores={"main": {"type": "influx"}}, collectors={"a": {"evry": "5s"}})
    daemon.start(ready=False)

    assert daemon.ended() == 78
    told = " ".join(line["text"] for line in daemon.logged("unreadable"))
    assert "stores.main.type" in told
    assert "collectors.a.evry" in told
    assert not daemon.state_dir.exists()


def test_a_second_daemon_is_75(daemon: DaemonProcess, tmp_path: Path) -> None:
    """A state directory belongs to one daemon, which the other one names and leaves in peace."""
    daemon.configure()
    daemon.start()
    (tmp_path / "other").mkdir()
    other = DaemonProcess(tmp_path / "other")
    other.configure(daemon={"state_dir": str(daemon.state_dir)})
    other.start(ready=False)

    assert other.ended() == 75
    (told,) = other.logged("unreadable")
    assert f"in use by process {daemon.pid}" in told["text"]
    assert daemon.stop() == 0
