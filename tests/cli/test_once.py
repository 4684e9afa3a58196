"""``ingestd once``: for real, with a daemon and without, and as a dry run."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import CommandLine
from tests.support.daemonprocess import DaemonProcess
from tests.support.ports import free_port

pytestmark = pytest.mark.slow

METER = '''
"""A meter with a cursor, a secret and some bad readings."""

def run(*, password, step=1, last=0, token=None, **_):
    print("token was", token, "password is", password)
    return {
        "readings": [
            (1_700_000_000 + last, "level", last),
            (1_700_000_000, "level", "rubbish"),
            (1_700_000_000_000, "level", 1),
        ],
        "last": last + step,
        "hidden": {"token": "geheimnis"},
    }
'''


@pytest.fixture
def meter(daemon: DaemonProcess) -> DaemonProcess:
    """Give a daemon with one collector that does not run by itself."""
    daemon.plugin("meter", METER)
    params = {"password": "kennwort"}
    daemon.configure(collectors={"m": {"plugin": "meter", "every": "365d", "params": params}})
    return daemon


def fingerprint(folder: Path) -> dict[str, str]:
    """Return every file below a folder with a mark of its content.

    Not those that SQLite makes for readers.
    """
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    }


def test_a_dry_run_shows_readings_and_state_and_changes_nothing(
    meter: DaemonProcess, cli: CommandLine
) -> None:
    """It leaves no trace on an empty state directory, nor on one that is in use."""
    said = cli("once", "m", "--dry-run")

    assert said.code == 0, said.err
    assert not meter.state_dir.exists()
    assert "  + last: 1" in said.lines
    assert "  ~ hidden: 1 key, changed, not shown" in said.lines
    assert "m: ok" in said.out
    assert "3 readings, unusable: 1 value, 1 milliseconds; nothing was stored" in said.out
    assert said.out.splitlines()[1].split()[:2] == ["level", "0"]

    cli("once", "m")
    before = fingerprint(meter.state_dir)
    again = cli("once", "m", "-n", "--with-secrets")

    assert "  ~ last: 1 -> 2" in again.lines
    assert fingerprint(meter.state_dir) == before


def test_a_dry_run_spares_what_the_collector_keeps_secret(
    meter: DaemonProcess, cli: CommandLine
) -> None:
    """A token that each use renews would be lost, and with it the authorization."""
    cli("once", "m")
    said = cli("once", "m", "--dry-run")

    assert said.code == 1
    assert "m: keeps something secret between its runs" in said.err
    assert "--with-secrets" in said.err


def test_secrets_do_not_appear(meter: DaemonProcess, cli: CommandLine) -> None:
    """They are masked in all that the plugin prints of its params and hidden state."""
    cli("once", "m")

    dry = ["once", "m", "-n", "--with-secrets"]
    for args in (dry, [*dry, "--json"], ["once", "m"], ["runs", "1"]):
        said = cli(*args)
        assert "token was" in said.out
        assert "geheimnis" not in said.out + said.err
        assert "kennwort" not in said.out + said.err


def test_params_of_the_command_line_win(meter: DaemonProcess, cli: CommandLine) -> None:
    """They are YAML: a number is a number."""
    found = cli.json("once", "m", "-n", "--param", "step=10")

    assert found["after"]["state"] == {"last": 10}
    assert found["before"]["state"] == {}
    assert [each["series"] for each in found["readings"]] == ["level"]


def test_a_param_that_the_plugin_does_not_know_is_told(
    meter: DaemonProcess, cli: CommandLine
) -> None:
    """A plugin with ``**_`` takes it and does nothing with it; another cannot take it."""
    said = cli("once", "m", "-n", "-p", "x=1")
    meter.plugin("strict", "def run(*, url=''):\n    return {}\n")
    meter.configure(collectors={"m": {"plugin": "strict", "every": "365d"}})
    refused = cli("once", "m", "-n", "-p", "x=1")

    assert said.code == 0
    assert said.err.startswith("warning: ")
    assert "'x' is not declared" in said.err
    assert (refused.code, "unknown parameter 'x'" in refused.err) == (78, True)


def test_without_a_daemon_state_follows_the_stored_readings(
    meter: DaemonProcess, cli: CommandLine
) -> None:
    """Each run goes on where the one before it ended."""
    codes = [cli("once", "m").code for _ in range(3)]
    latest = cli.json("latest", "--within", "36500d")

    assert codes == [0, 0, 0]
    assert [(each["series"], each["value"]) for each in latest] == [("level", 2.0)]
    assert cli.json("state", "show", "m")["state"] == {"last": 3}
    assert len(cli.json("runs")) == 3


def test_with_a_daemon_it_runs_there(meter: DaemonProcess, cli: CommandLine) -> None:
    """The record is the daemon's own."""
    meter.start()
    record = cli.json("once", "m")

    assert record["outcome"] == "ok"
    assert record["id"] == meter.newest_run("m")["id"]
    assert cli("once", "m", "--param", "step=10").err.startswith(
        "m: a running daemon takes no --param"
    )


def test_a_store_that_is_away_gives_69_and_keeps_the_readings(
    meter: DaemonProcess, cli: CommandLine
) -> None:
    """The readings are in its spool, so the state may go on."""
    url = f"http://127.0.0.1:{free_port()}"
    sections: dict[str, Any] = dict(meter.config)
    meter.configure(**sections, stores={"away": {"type": "victoriametrics", "url": url}})

    said = cli("once", "m")

    assert said.code == 69
    assert said.err.startswith(f"away: unavailable, the readings wait in its spool: {url}")
    assert [each["points"] for each in cli.json("spool")] == [1]
    assert cli.json("state", "show", "m")["state"] == {"last": 1}


def test_a_run_that_fails_is_one_line_and_gives_1(daemon: DaemonProcess, cli: CommandLine) -> None:
    """A dry run does so, too; the traceback is there for those who ask."""
    daemon.plugin("bad", "def run(**_):\n    print('trying')\n    raise OSError('no route')\n")
    daemon.configure(collectors={"b": {"plugin": "bad", "every": "365d"}})

    for args in (["once", "b", "-n"], ["once", "b"]):
        said = cli(*args)
        (first,) = (line for line in said.lines if line.startswith("b: failed"))
        assert said.code == 1
        assert first.endswith(": OSError: no route")
        assert "Traceback" not in said.out
        assert said.err == "--verbose (-v) shows the traceback\n"
        whole = cli(*args, "-v")
        assert "  OSError: no route" in whole.lines
        assert "  Traceback (most recent call last):" in whole.lines

    assert "Traceback" not in cli("runs", "1").out
    assert "OSError: no route" in cli("runs", "1").out
    assert "Traceback" in cli("runs", "1", "-v").out


def test_a_stream_is_only_run_dry(daemon: DaemonProcess, cli: CommandLine) -> None:
    """A dry run listens for a while."""
    daemon.plugin(
        "ticker",
        """
        import asyncio

        async def run(*, count=0, **_):
            while True:
                count += 1
                yield {"readings": [(None, "ticks", count)], "count": count}
                await asyncio.sleep(0.01)
        """,
    )
    daemon.configure(collectors={"t": {"plugin": "ticker"}})

    found = cli.json("once", "t", "-n", "--listen-for", "300ms")
    real = cli("once", "t")

    assert found["run"]["outcome"] == "ok"
    assert len(found["readings"]) == found["after"]["state"]["count"] > 1
    assert (real.code, "try --dry-run" in real.err) == (1, True)


def test_names_what_may_be_meant(meter: DaemonProcess, cli: CommandLine) -> None:
    """A collector that is not there is told in one line."""
    said = cli("once", "mm")

    assert (said.code, said.err) == (1, "no collector 'mm'; did you mean 'm'?\n")


def test_ctx_query_reads_the_first_store(daemon: DaemonProcess, cli: CommandLine) -> None:
    """A dry run of a derived series sees what is stored."""
    daemon.plugin("one", "def run(**_):\n    return {'readings': [(1_700_000_000, 'a', 20)]}\n")
    daemon.plugin(
        "twice",
        """
        from datetime import datetime, UTC

        async def run(*, ctx, **_):
            stored = await ctx.query("a", start=datetime(2020, 1, 1, tzinfo=UTC))
            return {"readings": [(t, "b", 2 * v) for t, _, v, _ in stored]}
        """,
    )
    schedule = {"every": "365d"}
    daemon.configure(
        collectors={"one": {"plugin": "one", **schedule}, "twice": {"plugin": "twice", **schedule}}
    )

    empty = cli.json("once", "twice", "-n")
    cli("once", "one")
    found = cli.json("once", "twice", "-n")

    assert empty["readings"] == []
    assert [(each["series"], each["value"]) for each in found["readings"]] == [("b", 40.0)]


def test_a_dry_run_moves_no_files(daemon: DaemonProcess, cli: CommandLine) -> None:
    """What it reads is stored nowhere; a run moves it."""
    path = daemon.folder / "in" / "a.csv"
    path.parent.mkdir()
    path.write_text("time,kwh\n2026-07-01T00:00:00Z,5\n")
    params = {"path": f"{path.parent}/*", "settle": "0s", "time": "time", "values": {"kwh": "kwh"}}
    params |= {"after": "move", "move_to": f"{daemon.folder}/done"}
    daemon.configure(collectors={"m": {"plugin": "files", "every": "1d", "params": params}})

    assert [each["value"] for each in cli.json("once", "m", "-n")["readings"]] == [5.0]
    assert path.exists()
    cli("once", "m")
    assert not path.exists()
    assert (daemon.folder / "done" / "a.csv").exists()
