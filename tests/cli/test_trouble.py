"""What is wrong comes first in every list, and can be asked for alone."""

import pytest

from tests.support.cli import CommandLine
from tests.support.daemonprocess import DaemonProcess, eventually

pytestmark = pytest.mark.slow  # a daemon starts, and each command is a process


@pytest.fixture
def cli(daemon: DaemonProcess) -> CommandLine:
    """Give commands beside a daemon with two collectors, the second of which fails."""
    daemon.plugin("good", "def run(**_): return {'readings': [(None, 'level', 1)]}")
    daemon.plugin("bad", "def run(**_): raise OSError('no route')")
    daemon.configure(
        collectors={
            "alpha": {"plugin": "good", "every": "1s"},
            "beta": {"plugin": "bad", "every": "1s"},
        }
    )
    daemon.start()
    eventually(lambda: len(daemon.get("runs")) > 3 and daemon.get("latest"))
    return CommandLine(daemon.config_path)


def names(cli: CommandLine, *args: str) -> list[str]:
    """Return which collectors a command lists."""
    key = "name" if args[0] == "collectors" else "collector"
    return list(dict.fromkeys(each[key] for each in cli.json(*args)))


def test_lists_begin_with_trouble_and_can_be_narrowed(cli: CommandLine) -> None:
    """By state, by plugin, and by a text that is found in them."""
    assert names(cli, "collectors") == ["beta", "alpha"]
    assert names(cli, "collectors", "--failing") == ["beta"]
    assert names(cli, "collectors", "--late") == []
    assert names(cli, "collectors", "--plugin", "good") == ["alpha"]
    assert names(cli, "collectors", "NO ROUTE") == ["beta"]
    assert names(cli, "runs", "--failing") == ["beta"]
    assert names(cli, "runs", "--plugin", "good") == ["alpha"]
    assert names(cli, "runs", "--text", "route", "--limit", "1") == ["beta"]
    assert all(each["id"] < 3 for each in cli.json("runs", "--before", "3"))
    assert names(cli, "latest", "ALPHA") == ["alpha"]
    assert names(cli, "latest", "--failing") == names(cli, "latest", "--late") == []
    assert names(cli, "latest", "--collector", "beta") == []
    assert cli("collectors", "--limit", "1").err == "and 1 more; --limit shows more of them\n"
    status = cli("status")
    assert status.lines[0].startswith("1 of 2 collectors needs attention: beta has failed")


def test_a_series_that_was_taken_away_is_forgotten(cli: CommandLine) -> None:
    """It is known until then, and a name that never was is told."""
    assert cli("state", "forget", "alpha", "level").out == "alpha: level forgotten\n"
    missing = cli("state", "forget", "alpha", "level", "--tag", "site=a")

    assert missing.code == 1
    assert "expected one of its series, got level (site=a)" in missing.err
