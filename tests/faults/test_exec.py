"""Commands below a real daemon: what is left of them when it ends, what they see, what is told."""

import os
import signal
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.commands import Marked, Script
from tests.support.daemonprocess import DaemonProcess, eventually

pytestmark = pytest.mark.slow  # a daemon starts, and Python for each command

READINGS: Final = 'ingestd_readings_total{collector="deaf"}'
# A child that hears no signal, an orphan in a session of its own, and one without environment.
FAMILY: Final = """
    trap '' TERM HUP INT
    sleep $SECONDS &
    (setsid sh -c 'sleep $SECONDS & sleep $SECONDS' &)
    (env -i setsid sleep $SECONDS &)
    touch $READY
    wait
"""


def configure(
    daemon: DaemonProcess, collectors: dict[str, Any], section: dict[str, Any] | None = None
) -> None:
    """Have a daemon run commands."""
    path = str(daemon.folder / "readings.db")
    usual = {"plugin": "exec", "every": "1h"}
    every = {
        name: {key: value for key, value in {**usual, **each}.items() if value}
        for name, each in collectors.items()
    }
    daemon.configure(
        stores={"main": {"type": "embedded", "path": path}}, collectors=every, daemon=section or {}
    )


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_nothing_outlives_the_daemon(
    daemon: DaemonProcess, script: Script, marked: Marked, how: str
) -> None:
    """Nor what has left its parents, its session and its environment behind."""
    ready = daemon.folder / "scripts" / "ready"
    text = FAMILY.replace("$SECONDS", marked.seconds).replace("$READY", str(ready))
    configure(
        daemon,
        {
            "family": {
                "every": "100ms",
                "params": {"command": script(text), "env": marked.env, "format": "none"},
            }
        },
        {"grace": "100ms"},
    )
    daemon.start()
    eventually(ready.exists, what="a command that runs")
    eventually(lambda: marked.names().count("sleep") == 4, what="its family")
    if how == "kill":
        daemon.kill()
    else:
        daemon.stop()

    eventually(lambda: not marked.processes(), what="nothing left")


def test_limits_and_confinement_are_those_of_the_collector(
    daemon: DaemonProcess, script: Script
) -> None:
    """Its memory, its variables, and the files of the daemon."""
    memory = script("b'x' * (512 << 20)", python=True)
    environment = script("echo ${SECRET:-none} ${GIVEN:-none} $TZ")
    state = ["sh", "-c", f"cat {daemon.state_dir}/state.db"]
    configure(
        daemon,
        {
            "memory": {"memory_limit": "128MiB", "params": {"command": memory, "format": "none"}},
            "variables": {
                "environment": ["GIVEN"],
                "timezone": "Asia/Tokyo",
                "params": {"command": environment, "format": "none"},
            },
            "state": {"params": {"command": state, "format": "none"}},
        },
    )
    os.environ |= {"SECRET": "x", "GIVEN": "y"}
    try:
        daemon.start()
    finally:
        del os.environ["SECRET"], os.environ["GIVEN"]
    runs = {name: record(daemon, name) for name in ("memory", "variables", "state")}

    assert "MemoryError" in runs["memory"]["error"]
    assert runs["variables"]["output"] == "none y Asia/Tokyo\n"
    assert "Permission denied" in runs["state"]["error"]


def test_a_script_among_the_daemons_own_files_can_be_read(
    daemon: DaemonProcess, tmp_path: Path
) -> None:
    """The operator has named it, in a folder that is kept from all others."""
    drop_ins = daemon.folder / "conf.d"
    drop_ins.mkdir()
    (drop_ins / "script").write_text("print(5)\n")
    (drop_ins / "other").write_text("print(6)\n")
    collectors = {
        name: {"params": {"command": command, "format": "value", "series": name}}
        for name, command in {
            "named": [sys.executable, str(drop_ins / "script")],
            "unnamed": ["sh", "-c", f"cat {drop_ins}/other"],
        }.items()
    }
    configure(daemon, collectors)
    daemon.start()

    assert record(daemon, "named")["outcome"] == "ok"
    assert "Permission denied" in record(daemon, "unnamed")["error"]


def test_what_a_command_hides_is_in_no_argument(daemon: DaemonProcess, script: Script) -> None:
    """Everyone on the machine could read it there; its input has it."""
    command = script("""
        import json, sys
        given = json.load(sys.stdin)
        print(json.dumps({"hidden": {"token": "s3cret-w0rd"}, "seen": given.get("token", "none"),
                          "word": "s3cret-" + "w0rd", "readings": [[None, "a", 1]]}))
    """, python=True)  # fmt: skip
    params = {"command": [*command, "{word}"], "format": "run", "initial": {"word": "none"}}
    configure(daemon, {"careful": {"params": params}})
    daemon.start()
    first, second = record(daemon, "careful"), record(daemon, "careful")

    assert first["outcome"] == "ok"
    assert "command[2]: expected no secret" in second["error"]
    assert "s3cret" not in str(second)


def record(daemon: DaemonProcess, name: str) -> dict[str, Any]:
    """Return the record of a run that is asked for."""
    found: dict[str, Any] = daemon.post(f"collectors/{name}/run", {})
    return found


def test_a_stop_lets_a_command_end(daemon: DaemonProcess, script: Script) -> None:
    """It has the daemon's grace, as any run has."""
    ready = daemon.folder / "scripts" / "ready"
    command = script(f"touch {ready}; while [ ! -e {ready}.go ]; do sleep 0.01; done; echo 5")
    configure(
        daemon,
        {
            "slow": {
                "every": "100ms",
                "params": {"command": command, "format": "value", "series": "s"},
            }
        },
    )
    daemon.start()
    eventually(ready.exists, what="a command that runs")
    daemon.send(signal.SIGTERM)
    daemon.wait_for("stopping")
    ready.with_suffix(".go").touch()

    assert daemon.ended() == 0
    assert any(line.get("readings") == 1 for line in daemon.lines)


def test_a_command_that_should_go_on_is_started_again(
    daemon: DaemonProcess, script: Script
) -> None:
    """Each of its lives is a run with a record; the pause between the first two is a second."""
    command = script("echo 'a value=1'; echo 'it broke' >&2; exit 3")
    configure(daemon, {"again": {"plugin": "execd", "every": None, "params": {"command": command}}})
    daemon.start()
    first = daemon.wait_for("run failed")
    daemon.wait_for("run failed", after=daemon.lines.index(first) + 1)
    runs = daemon.get("runs?collector=again")

    assert [run["readings"] for run in runs] == [1] * len(runs)
    assert {run["output"] for run in runs} == {"it broke\n"}
    assert all("sh ended with status 3: it broke" in run["error"] for run in runs)


def test_a_stop_waits_for_a_command_that_goes_on(daemon: DaemonProcess, script: Script) -> None:
    """As long as it may take, and no longer: one that hears nothing has three seconds."""
    command = script("trap '' TERM; while :; do echo 'a value=1'; sleep 0.05; done")
    configure(daemon, {"deaf": {"plugin": "execd", "every": None, "params": {"command": command}}})
    daemon.start()
    eventually(lambda: daemon.metrics()[READINGS] > 0, what="a reading")

    assert daemon.stop() == 0
    assert not [line for line in daemon.lines if line["level"] == "error"]
