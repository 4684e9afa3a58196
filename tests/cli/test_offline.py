"""What the files tell where no daemon serves an API."""

import pytest

from tests.support.cli import CommandLine
from tests.support.daemonprocess import DaemonProcess

pytestmark = pytest.mark.slow


def test_without_a_daemon_the_files_tell(site: DaemonProcess, cli: CommandLine) -> None:
    """Runs, states, spools and readings can be looked at."""
    assert cli.json("runs") == []
    cli("once", "good")
    cli("once", "bad")

    status = cli("status")
    assert status.code == 1
    assert status.lines[0].startswith("no daemon runs; 1 of 2 collectors needs attention: bad has")
    assert "daemon      not running" in status.lines
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
