"""``ingestd runs start``, ``runs cancel`` and what ``runs`` shows of runs that were asked for."""

import json

import pytest

from tests.support.cli import CommandLine
from tests.support.daemonprocess import DaemonProcess, eventually

pytestmark = pytest.mark.slow  # a daemon and commands are processes

FIT = """
    import asyncio
    async def run(*, project=None, trace=None, input=None, fail="", hang=False, token="", n=0, **_):
        print("fitting")
        if fail:
            raise ValueError(f"no fit: {fail}")
        while hang:
            await asyncio.sleep(3600)
        readings = [(1_700_000_000 + n, f"fit_{trace}", 1)]
        return {"readings": readings, "n": n + 1, "result": {"of": [project, trace, input]}}
"""


@pytest.fixture
def fits(daemon: DaemonProcess) -> DaemonProcess:
    """Give a daemon, not started, with a collector that hardly runs by itself."""
    daemon.plugin("fit", FIT)
    fit = {"plugin": "fit", "every": "876000h", "targets": {"house": ["gas"]}}
    daemon.configure(collectors={"fit": fit})
    return daemon


def test_a_run_is_asked_for_and_waited_for(fits: DaemonProcess, cli: CommandLine) -> None:
    """What it gave is printed, and is found again by its number."""
    fits.start()
    said = cli("runs", "start", "fit", "--trace", "gas", "--wait")
    shown = cli("runs", "r-1")
    record = cli("runs", "1")
    listed = cli("runs", "--requested")

    assert said.code == 0
    assert said.lines[0].startswith("fit: r-1 SUCCESS after ")
    assert said.lines[0].endswith(", 1 reading")
    assert json.loads("\n".join(said.lines[1:])) == {"of": ["house", "gas", None]}
    assert "SUCCESS" in shown.out
    assert "house" in shown.out
    assert "ingestd runs 1" in shown.out
    assert '"gas"' in shown.out
    assert "requested  r-1" in record.out
    assert listed.lines[0].split() == [
        "id", "collector", "status", "about", "asked", "for", "readings", "error",
    ]  # fmt: skip
    assert listed.lines[1].split()[:5] == ["r-1", "fit", "SUCCESS", "house", "gas"]


def test_a_failure_is_an_exit_code(fits: DaemonProcess, cli: CommandLine) -> None:
    """The reason is on standard error, and the run among those that failed."""
    fits.start()
    said = cli("runs", "start", "fit", "-p", "fail=too hot", "--wait", "--json")
    failed = cli("runs", "--failed", "--json")
    requested = cli("runs", "--status", "failed", "--text", "hot", "--json")
    none = cli("runs", "--requested", "--text", "cold", "--json")
    unknown = cli("runs", "start", "fit", "-p", "project=1", "-p", "nosuch=1")

    assert said.code == 1
    assert json.loads(said.out)["failure_message"] == "ValueError: no fit: too hot"
    assert [each["requested"] for each in json.loads(failed.out)] == ["r-1"]
    assert [each["id"] for each in json.loads(requested.out)] == ["r-1"]
    assert json.loads(none.out) == []
    assert unknown.code != 0
    assert "'nosuch'" in unknown.err


def test_a_run_is_given_up(fits: DaemonProcess, cli: CommandLine) -> None:
    """Left to the daemon, it ends when it is cancelled."""
    fits.start()
    asked = cli("runs", "start", "fit", "-p", "hang=true", "--key", "monday")
    eventually(lambda: fits.get("runs/r-1")["status"] == "RUNNING")
    again = cli("runs", "start", "fit", "-p", "hang=true", "--key", "monday")
    cancelled = cli("runs", "cancel", "r-1")
    late = cli("runs", "start", "fit", "-p", "hang=true", "--key", "monday", "--wait")
    missing = cli("runs", "cancel", "r-9")

    assert (asked.code, asked.lines) == (0, ["fit: r-1 is PENDING; see: ingestd runs r-1"])
    assert again.lines == ["fit: r-1 is RUNNING; see: ingestd runs r-1"]
    assert (cancelled.code, cancelled.lines) == (0, ["fit: r-1 is CANCELLED"])
    assert late.code == 1
    assert missing.code == 1
    assert "no requested run r-9" in missing.err


def test_without_a_daemon_the_command_makes_the_run(fits: DaemonProcess, cli: CommandLine) -> None:
    """What a killed daemon had under way waits, can be given up, and goes first."""
    fits.start()
    for hang in ("true", "false", "false"):
        cli("runs", "start", "fit", "-p", f"hang={hang}")
    eventually(lambda: fits.get("runs/r-1")["status"] == "RUNNING")
    fits.kill()
    left = cli("runs", "start", "fit")
    waiting = cli("runs", "--status", "pending", "--json")
    cancelled = cli("runs", "cancel", "r-1")
    made = cli("runs", "start", "fit", "--input", "-", "--wait", stdin='{"x": 1}')
    shown = cli("runs", "--requested", "--json")
    one = cli("runs", "r-4", "--json")

    assert left.code == 1
    assert "expected --wait" in left.err
    found = json.loads(waiting.out)
    assert [each["id"] for each in found] == ["r-3", "r-2", "r-1"]
    assert {each["status"] for each in found} == {"PENDING"}
    assert cancelled.lines == ["fit: r-1 is CANCELLED"]
    result = made.out.partition(", 1 reading\n")[2]  # plugins print, too
    assert (made.code, json.loads(result)) == (0, {"of": [None, None, {"x": 1}]})
    statuses = {each["id"]: each["status"] for each in json.loads(shown.out)}
    assert statuses == {
        "r-1": "CANCELLED", "r-2": "SUCCESS", "r-3": "SUCCESS", "r-4": "SUCCESS",
    }  # fmt: skip
    assert json.loads(one.out)["status"] == "SUCCESS"


@pytest.mark.parametrize(
    "args",
    [
        ("runs", "start", "fit", "-p", "fail"),
        ("runs", "start", "fit", "-p", "fail=2026-01-01"),
        ("runs", "start", "fit", "--input", "-"),
        ("runs", "17x"),
        ("runs", "--status", "perhaps"),
    ],
)
def test_what_is_not_understood_is_refused(
    fits: DaemonProcess, cli: CommandLine, args: tuple[str, ...]
) -> None:
    """A mistake on the command line is one, before anything is asked for."""
    assert fits.folder
    assert cli(*args, stdin="{").code == 2
