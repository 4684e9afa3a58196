"""The commands that only look: beside a daemon, over its API, and without one."""

import json
import re
from typing import Any, Final

import pytest

from ingestd.disk.directory import StateDirectory
from tests.support.cli import CommandLine
from tests.support.daemonprocess import DaemonProcess, eventually
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

STREAM = """
import asyncio

async def run(*, count=0, **_):
    yield {"readings": [(1_700_000_000, "level", 4.25)]}
    await asyncio.sleep(3600)
"""

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
        assert re.search(r"refused .*, the running one stays: \d problems?; see ing", status.out)
        assert len(status.lines) < 15

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
    assert "did not accept this configuration's daemon.token" in cli("status").err
    site.configure(**sections)
    assert "the daemon wants a token" in cli("status").err
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


def test_nothing_to_show_is_said_in_a_sentence(site: DaemonProcess, cli: CommandLine) -> None:
    """On standard error, so that a pipe gets nothing."""
    runs, latest = cli("runs"), cli("latest", "--within", "90m")
    site.start()
    awaited = cli("latest", "--series", "x*")

    assert (runs.code, runs.out, runs.err) == (0, "", "no runs yet\n")
    assert (latest.code, latest.out, latest.err) == (0, "", "no readings in the last 90m\n")
    assert (awaited.code, awaited.out) == (0, "")
    assert re.match(
        r"no readings of x\* in the last 24h; the next run of '\w+' is in ", awaited.err
    )


def test_a_collector_that_backs_off_is_awaited(daemon: DaemonProcess, cli: CommandLine) -> None:
    """Its next run lies ahead, however often it has failed."""
    daemon.plugin("bad", "def run(**_):\n    raise OSError('no route')\n")
    daemon.configure(collectors={"bad": {"plugin": "bad", "every": "1s"}})
    daemon.start()
    daemon.wait_for("run failed", failures=2)

    row = cli("collectors").lines[1]

    assert re.search(r" in \d+s ", row), row


def test_a_stream_that_was_stopped_has_no_error(daemon: DaemonProcess, cli: CommandLine) -> None:
    """The end of the daemon is nothing to complain of."""
    daemon.plugin("s", STREAM)
    daemon.configure(collectors={"s": {"plugin": "s"}})
    daemon.start()
    eventually(lambda: cli.json("latest", "--within", "36500d"))
    assert daemon.stop() == 0
    daemon.start()

    said = cli("collectors")

    assert "stopped it" not in said.out
    assert cli.json("collectors")[0]["last_run"]["outcome"] == "cancelled"


def test_the_end_of_long_output_is_shown(daemon: DaemonProcess, cli: CommandLine) -> None:
    """The rest on demand."""
    text = "for n in range(100):\n        print('line', n)\n    return {}"
    daemon.plugin("loud", f"def run(**_):\n    {text}\n")
    daemon.configure(collectors={"loud": {"plugin": "loud", "every": "365d"}})
    cli("once", "loud")

    cut, full = cli("runs", "1"), cli("runs", "1", "--full")

    assert "... 60 lines before these; --full shows all" in cut.out
    assert "line 59" not in cut.out
    assert "line 60" in cut.out
    assert next(line for line in full.lines if "line" in line).split()[-2:] == ["line", "0"]


def test_times_are_local_with_their_offset(site: DaemonProcess, cli: CommandLine) -> None:
    """In whatever command."""
    cli.environ["TZ"] = "America/Anchorage"
    cli("once", "good")

    assert "2023-11-14 13:13:20-09:00" in cli("latest", "--within", "36500d").out
    assert re.search(r"started +[\d-]+ [\d:]+-0[89]:00, ", cli("runs", "1").out)


def test_json_is_for_programs(site: DaemonProcess, cli: CommandLine) -> None:
    """Nothing but JSON goes to standard output, on a terminal too."""
    cli("once", "good")

    shown = cli.on_terminal("runs", "--json")

    assert json.loads(shown)[0]["collector"] == "good"
