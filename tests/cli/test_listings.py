"""The commands that only look: beside a daemon, over its API, and without one."""

import json
import re
from typing import Any, Final

import pytest

from ingestd.statedir import StateDirectory
from tests.support.cli import CommandLine
from tests.support.daemonprocess import DaemonProcess
from tests.support.ports import free_port

pytestmark = pytest.mark.slow

LISTINGS = (
    ["status"],
    ["collectors"],
    ["runs"],
    ["runs", "1"],
    ["spool"],
    ["latest", "--within", "36500d"],
    ["plugins"],
    ["state", "show", "good"],
    ["dead-letters", "list"],
)

ANSI: Final = re.compile(r"\x1b\[[0-9;]*m")

GOOD = """
def run(*, count=0, **_):
    return {"readings": [(1_700_000_000, "level", 4.25, {"site": "here"})], "count": count + 1}
"""


@pytest.fixture
def site(daemon: DaemonProcess) -> DaemonProcess:
    """Give a daemon with some history: two runs, one of which failed, a stored reading."""
    daemon.plugin("good", GOOD)
    daemon.plugin("bad", "def run(**_):\n    raise OSError('no route')\n")
    away = {"type": "victoriametrics", "url": f"http://127.0.0.1:{free_port()}"}
    daemon.configure(
        stores={"here": {"type": "embedded"}, "there": away},
        collectors={
            "good": {"plugin": "good", "every": "365d"},
            "bad": {"plugin": "bad", "cron": "0 0 1 1 *", "timezone": "UTC"},
        },
        series={"level": {"unit": "m"}},
    )
    return daemon


def shape(value: Any) -> Any:
    """Return the keys of a JSON value, as deep as they go; what may be null counts as null."""
    match value:
        case dict():
            return {key: shape(each) for key, each in value.items()}
        case list():
            return [shape(each) for each in value[:1]]
    return None


def test_say_the_same_with_a_daemon_and_without(site: DaemonProcess, cli: CommandLine) -> None:
    """The JSON has the same keys, whoever answers."""
    cli("once", "good")
    cli("once", "bad")
    offline = {" ".join(args): cli.json(*args) for args in LISTINGS}
    site.start()
    online = {" ".join(args): cli.json(*args) for args in LISTINGS}

    for name in offline.keys() - {"status", "spool"}:
        assert shape(offline[name]) == shape(online[name]), name
    assert offline["status"].keys() == online["status"].keys()
    assert [s.keys() for s in offline["status"]["stores"]] == [
        s.keys() for s in online["status"]["stores"]
    ]
    assert [s.keys() for s in offline["spool"]] == [s.keys() for s in online["spool"]]
    assert offline["latest --within 36500d"] == online["latest --within 36500d"]
    assert offline["runs"] == online["runs"]
    assert offline["plugins"] == online["plugins"]
    assert offline["state show good"] == online["state show good"]


def test_without_a_daemon_the_files_tell(site: DaemonProcess, cli: CommandLine) -> None:
    """Runs, states, spools and readings can be looked at."""
    assert cli.json("runs") == []
    cli("once", "good")
    cli("once", "bad")

    status = cli("status")
    assert status.code == 1
    assert status.lines[0].split() == ["daemon", "not", "running"]
    assert [(r["collector"], r["outcome"]) for r in cli.json("runs")] == [
        ("bad", "failed"),
        ("good", "ok"),
    ]
    assert [(s["store"], s["points"]) for s in cli.json("spool")] == [("here", 0), ("there", 1)]
    (reading,) = cli.json("latest", "--within", "36500d", "--series", "lev*")
    assert (reading["value"], reading["unit"], reading["tags"]) == (4.25, "m", {"site": "here"})
    assert cli.json("latest", "--within", "36500d", "--series", "x*") == []
    failed = cli("runs", "2")
    assert any(line.startswith("error") and "OSError: no route" in line for line in failed.lines)
    assert cli("runs", "77").err == "no run 77 on record; old ones are forgotten\n"
    assert "no store 'nowhere'" in cli("latest", "--store", "nowhere").err


def test_a_daemon_without_api_is_looked_at_and_left_alone(
    site: DaemonProcess, cli: CommandLine
) -> None:
    """With ``listen: off`` reading works, and changes say who is in the way."""
    cli("once", "good")
    site.configure(**site.config, daemon={"listen": "off"})
    site.start()

    assert cli.json("status")["pid"] == site.pid
    assert len(cli.json("runs")) == 1
    assert cli("state", "show", "good").code == 0
    reset = cli("state", "reset", "good", "--yes")
    assert (reset.code, f"in use by process {site.pid}" in reset.err) == (75, True)
    assert "send it SIGHUP" in cli("reload").err


def test_a_broken_configuration_does_not_hide_the_running_daemon(
    site: DaemonProcess, cli: CommandLine
) -> None:
    """Its status tells of the refusal; reload prints every problem and gives 78."""
    site.start()
    good = site.config_path.read_text()
    for broken in ("stores: {here: {type: nonsense}}\n", "collectors: [\n"):
        site.config_path.write_text(good + broken)
        reload = cli("reload")
        status = cli("status")

        assert reload.code == 78
        assert str(site.config_path) in reload.err
        assert status.code == 0, status
        assert "refused" in status.out

    site.config_path.write_text(good)
    assert cli("reload").out == "nothing changed\n"
    site.configure(**{**site.config, "series": {}})
    assert cli("reload").out.startswith("collectors: unchanged; stores: unchanged; series: changed")


def test_without_a_daemon_a_broken_configuration_is_told(
    site: DaemonProcess, cli: CommandLine
) -> None:
    """With all its problems."""
    site.config_path.write_text("collectors: {a: {plugin: x, evry: 1}}\n")

    assert cli("status").code == 78
    assert cli("reload").code == 78


def test_presents_the_token_and_finds_a_unix_socket(site: DaemonProcess, cli: CommandLine) -> None:
    """Whatever the daemon listens on."""
    sections = dict(site.config)
    site.configure(**sections, daemon={"token": "geheimnis"})
    site.start()
    assert cli.json("status")["pid"] == site.pid
    site.configure(**sections, daemon={"token": "another"})
    assert "wants a token" in cli("status").err
    assert site.stop() == 0

    site.configure(**sections, daemon={"listen": f"unix:{site.folder}/api.sock"})
    site.start()

    assert cli.json("status")["pid"] == site.pid


def test_a_daemon_that_does_not_answer_is_told_in_a_line(
    site: DaemonProcess, cli: CommandLine
) -> None:
    """No traceback for a daemon that is about to listen, or no longer does."""
    with StateDirectory.open(site.state_dir, ballast_bytes=1) as directory:
        directory.announce(f"http://127.0.0.1:{free_port()}")
        said = cli("status")

    assert said.code == 1
    assert said.err.count("\n") == 1
    assert "the daemon does not answer" in said.err


def test_on_a_terminal_tables_fit_and_have_colours(site: DaemonProcess, cli: CommandLine) -> None:
    """Unless NO_COLOR is set; in a pipe there are neither."""
    cli("once", "good")
    cli("once", "bad")

    coloured = cli.on_terminal("runs")
    plain = cli.on_terminal("runs", NO_COLOR="1")
    piped = cli("runs")

    assert "\x1b[" in coloured
    assert "\x1b[3" not in plain  # bold may stay
    assert max(len(ANSI.sub("", line)) for line in plain.splitlines()) <= 80
    assert "\x1b" not in piped.out
    assert all(line == line.rstrip() for line in piped.lines)


def test_json_is_for_programs(site: DaemonProcess, cli: CommandLine) -> None:
    """Nothing but JSON goes to standard output, on a terminal too."""
    cli("once", "good")

    shown = cli.on_terminal("runs", "--json")

    assert json.loads(shown)[0]["collector"] == "good"
