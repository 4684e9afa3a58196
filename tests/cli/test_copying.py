"""``ingestd copy``: between real stores, whole and in part."""

import re
from typing import Final

import pytest

from tests.support.cli import CommandLine
from tests.support.daemonprocess import DaemonProcess
from tests.support.ports import free_port

pytestmark = pytest.mark.slow

ANSI: Final = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
START = 1_700_000_000
WITHIN = ("--within", "36500d")

HISTORY = f"""
def run(**_):
    return {{"readings": [
        ({START} + i, f"series-{{i % 3}}", i / 8, {{"site": "hall 7"}}) for i in range(12_000)
    ]}}
"""


@pytest.fixture
def history(daemon: DaemonProcess, cli: CommandLine, victoriametrics_url: str) -> DaemonProcess:
    """Give a daemon with some history in its own file, and stores to copy it to."""
    daemon.plugin("history", HISTORY)
    collectors = {"h": {"plugin": "history", "every": "365d", "measurement": "water"}}
    daemon.configure(stores={"file": {"type": "embedded"}}, collectors=collectors)
    assert cli("once", "h").code == 0
    stores = {
        "file": {"type": "embedded"},
        "other": {"type": "embedded", "path": str(daemon.folder / "other.db")},
        "away": {"type": "victoriametrics", "url": f"http://127.0.0.1:{free_port()}"},
        "early": {"type": "embedded", "path": str(daemon.folder / "early.db")},
    }
    daemon.configure(stores=stores, collectors=collectors)
    return daemon


def test_copies_everything_and_again_without_doubling_it(
    history: DaemonProcess, cli: CommandLine
) -> None:
    """Series, tags, measurement, times and values arrive as they were."""
    first = cli("copy", "file", "other")
    again = cli("copy", "other", "file")

    assert (first.code, first.out) == (0, "12,000 readings copied from file to other\n")
    assert again.out == "12,000 readings copied from other to file\n"
    original = cli.json("latest", *WITHIN, "--store", "file")
    assert cli.json("latest", *WITHIN, "--store", "other") == original
    assert [each["measurement"] for each in original] == ["water"] * 3
    assert original[0]["tags"] == {"site": "hall 7"}


@pytest.mark.parametrize("beyond", [("--to", "2023-01-01"), ()])
def test_a_span_that_ends_before_it_begins_is_refused(
    history: DaemonProcess, cli: CommandLine, beyond: tuple[str, ...]
) -> None:
    """There can be nothing in it; one that begins in the future is no other."""
    said = cli("copy", "file", "other", "--from", "2024-01-01" if beyond else "9000-01-01", *beyond)

    assert (said.code, said.out) == (2, "")
    assert "--from" in said.err


def test_copies_a_part_beside_a_running_daemon(history: DaemonProcess, cli: CommandLine) -> None:
    """The part begins at the first time and ends just before the second."""
    history.start()
    window = ("--from", "2023-11-14T22:13:30+00:00", "--to", "2023-11-14T22:13:40Z")
    said = cli("copy", "file", "early", *window)

    assert (said.code, said.out) == (0, "10 readings copied from file to early\n")


def test_a_target_that_is_away_gives_69(
    history: DaemonProcess, cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried before anything is read; wrong names are told in a line."""
    said = cli("copy", "file", "away")

    assert said.code == 69
    assert said.err.startswith("away: http://127.0.0.1:")
    assert said.err.endswith("stopped after 0 readings; run it again\n")
    assert cli("copy", "file", "nowhere").err.startswith("no store 'nowhere'")
    assert cli("copy", "file", "file").err == "expected two stores, got 'file' twice\n"
    assert cli("copy", "file", "other", "--from", "soon").code == 2


def test_reports_readings_that_the_target_refuses(
    daemon: DaemonProcess, cli: CommandLine, victoriametrics_url: str
) -> None:
    """Its good neighbours get through; the exit code is 1."""
    daemon.plugin(
        "old", "def run(**_):\n    return {'readings': [(-5, 'a', 1), (1.7e9, 'a', 2)]}\n"
    )
    stores = {
        "file": {"type": "embedded"},
        "vm": {"type": "victoriametrics", "url": victoriametrics_url},
    }
    collectors = {"o": {"plugin": "old", "every": "365d"}}
    daemon.configure(stores={"file": stores["file"]}, collectors=collectors)
    cli("once", "o")
    daemon.configure(stores=stores, collectors=collectors)

    said = cli("copy", "file", "vm", "--from", "1960-01-01")

    assert (said.code, said.out) == (1, "1 reading copied from file to vm\n")
    assert said.err.startswith("1 reading refused by vm:\n  1: ")


def test_shows_its_progress_on_a_terminal(history: DaemonProcess, cli: CommandLine) -> None:
    """At the end it says what was copied."""
    shown = cli.on_terminal("copy", "file", "other")

    assert "readings, " in shown
    assert ANSI.sub("", shown.splitlines()[-1]) == "12,000 readings copied from file to other"
