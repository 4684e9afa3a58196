"""``ingestd check``: what it finds, and its exit codes."""

import urllib.parse
import urllib.request

import pytest

from tests.support.cli import CommandLine
from tests.support.daemonprocess import DaemonProcess
from tests.support.ports import free_port

pytestmark = pytest.mark.slow


def test_is_content_with_a_good_configuration(daemon: DaemonProcess, cli: CommandLine) -> None:
    """It says so, connects to nothing and leaves no files."""
    away = {"type": "influxdb", "url": "http://127.0.0.1:1", "org": "o", "bucket": "b"}
    daemon.configure(
        stores={"away": {**away, "token": "t"}},
        collectors={"s": {"plugin": "system", "every": "5s"}},
    )

    said = cli("check")

    assert (said.code, said.err) == (0, "")
    fine, workers = said.out.splitlines()
    assert fine == f"{daemon.config_path}: fine, 1 collector, 1 store"
    assert workers.startswith("worker processes: ")
    assert not daemon.state_dir.exists()


def test_finds_plugins_that_are_missing_do_not_import_or_take_other_params(
    daemon: DaemonProcess, cli: CommandLine
) -> None:
    """Everything is told at once, and the exit code is 78."""
    daemon.plugin("broken", "import nothing_of_that_name\n\ndef run(**_):\n    return {}\n")
    daemon.plugin("picky", "def run(*, url):\n    return {}\n")
    daemon.configure(
        collectors={
            "a": {"plugin": "nowhere", "every": "5s"},
            "b": {"plugin": "broken", "every": "5s"},
            "c": {"plugin": "picky", "every": "5s", "params": {"urll": "x"}},
        }
    )

    said = cli("check")

    assert said.code == 78
    assert "collectors.a.plugin: no plugin 'nowhere'" in said.err
    assert "collectors.b.plugin: " in said.err
    assert "nothing_of_that_name" in said.err
    assert "collectors.c.params: unknown parameter 'urll'; did you mean 'url'?" in said.err


def test_only_warns_of_what_looks_odd(daemon: DaemonProcess, cli: CommandLine) -> None:
    """A param that only ``**_`` takes may be meant."""
    daemon.plugin("meter", "def run(*, interval=1, **_):\n    return {}\n")
    collector = {"plugin": "meter", "every": "5s", "params": {"intervall": 2}}
    daemon.configure(collectors={"m": collector})

    said = cli("check")

    assert said.code == 0
    assert said.err.startswith("warning: ")
    assert "did you mean 'interval'?" in said.err


def test_tells_what_plugins_find(daemon: DaemonProcess, cli: CommandLine) -> None:
    """What is no problem is told besides, and the exit code is 0."""
    daemon.plugin(
        "meter", "def run(**_):\n    return {}\n\ndef check(**_):\n    yield 'note: 2 files'\n"
    )
    daemon.configure(collectors={"m": {"plugin": "meter", "every": "5s"}})

    said = cli("check")

    assert said.code == 0
    assert said.err.startswith("note: ")
    assert said.err.endswith("collectors.m.params: 2 files\n")


def test_a_param_that_is_required_must_be_given_or_remembered(
    daemon: DaemonProcess, cli: CommandLine
) -> None:
    """A daemon that starts cannot know what its state will hold; ``check`` looks."""
    daemon.plugin("meter", "def run(*, url, **_):\n    return {'url': 'http://next/'}\n")
    collector = {"plugin": "meter", "every": "365d"}
    daemon.configure(collectors={"m": collector})
    missing = cli("check")
    daemon.configure(collectors={"m": {**collector, "params": {"url": "http://first/"}}})
    given = cli("check")
    cli("once", "m")
    daemon.configure(collectors={"m": collector})
    remembered = cli("check")

    assert (missing.code, given.code, remembered.code) == (78, 0, 0)
    assert "collectors.m.params: 'url' is required\n" in missing.err
    assert remembered.err == ""


def test_warns_of_folders_that_are_not_there(daemon: DaemonProcess, cli: CommandLine) -> None:
    """Plugins are searched in some of them, and readings would be kept in another."""
    path = daemon.folder / "tpyo" / "readings.db"
    folders = [str(daemon.folder / "plugins"), str(daemon.folder / "pulgins")]
    daemon.configure(
        stores={"here": {"type": "embedded", "path": str(path)}}, daemon={"plugin_dirs": folders}
    )

    said = cli("check")

    assert said.code == 0
    first, second = said.err.splitlines()
    assert first.startswith(f"warning: {daemon.config_path}: daemon.plugin_dirs: ")
    assert folders[1] in first
    assert "stores.here.path: the folder" in second
    assert "tpyo" in second


def test_tries_the_stores_if_asked_to(
    daemon: DaemonProcess, cli: CommandLine, influxdb_url: str, unique: str
) -> None:
    """One that cannot be reached gives 69; secrets are not shown."""
    away = f"http://127.0.0.1:{free_port()}"
    query = urllib.parse.urlencode({"q": f"CREATE DATABASE {unique}"})
    urllib.request.urlopen(f"{influxdb_url}/query", data=query.encode()).close()
    login = {"username": "reader", "password": "geheimnis"}
    daemon.configure(
        stores={
            "here": {"type": "embedded"},
            "away": {"type": "victoriametrics", "url": away, **login},
            "there": {
                "type": "influxdb",
                "version": 1,
                "url": influxdb_url,
                "database": unique,
            },
        }
    )

    said = cli("check", "--connect")

    assert said.code == 69
    assert any(line.startswith("there: answers: InfluxDB 1.") for line in said.lines)
    assert f"away: {away}" in said.err
    assert "geheimnis" not in said.out + said.err
    assert not daemon.state_dir.exists()


def test_credentials_of_the_service_are_left_open(daemon: DaemonProcess, cli: CommandLine) -> None:
    """By hand they cannot be read; it says so, and checks all else."""
    daemon.configure(
        stores={
            "v": {
                "type": "victoriametrics",
                "url": "http://127.0.0.1:1",
                "token": "${credential:store-token}",
            }
        },
        collectors={
            "m": {
                "plugin": "okofen",
                "every": "1m",
                "params": {
                    "url": "http://127.0.0.1:1",
                    "password": "${credential:boiler}",
                    "timezone": "Europe/Vienna",
                },
            }
        },
    )

    said = cli("check", "--connect")

    assert said.code == 0, said
    assert "stores.v.token: the credential 'store-token' is known to the service only" in said.err
    assert "collectors.m.params.password: the credential 'boiler' is known to" in said.err
    assert "v: not tried" in said.err

    daemon.configure(**{**daemon.config, "buffer": {"pionts": 5}})

    assert cli("check").code == 78


def test_all_mistakes_are_told_at_once(daemon: DaemonProcess, cli: CommandLine) -> None:
    """A misspelt plugin and a wrong param stand beside a wrong option, at their lines."""
    daemon.plugin("broken", "import nothing_of_that_name\n\ndef run(**_):\n    return {}\n")
    daemon.configure(
        buffer={"points": "many"},
        collectors={
            "a": {"plugin": "sistem", "every": "5s"},
            "b": {"plugin": "broken", "every": "5s"},
            "c": {"plugin": "http_json", "every": "5s", "params": {"url": "h", "value": "a["}},
            "d": {"plugin": "system"},
        },
    )

    said = cli("check")

    assert said.code == 78
    for told in (
        "buffer.points: expected a whole number",
        "collectors.a.plugin: no plugin 'sistem'",
        "nothing_of_that_name",
        "collectors.c.params.url: expected http",
        "collectors.d.every: expected every or cron",
    ):
        assert told in said.err
    # The daemon says the same of what it refuses.
    assert "sistem" in cli("run").err
