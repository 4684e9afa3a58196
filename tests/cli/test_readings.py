"""``ingestd latest``: what is said of readings, and of none."""

import re

import pytest

from tests.support.cli import CommandLine
from tests.support.daemonprocess import DaemonProcess

pytestmark = pytest.mark.slow


def test_nothing_to_show_is_said_in_a_sentence(site: DaemonProcess, cli: CommandLine) -> None:
    """The sentence goes to standard error, so that a pipe gets nothing."""
    runs, latest = cli("runs"), cli("latest", "--within", "90m")
    site.start()
    awaited = cli("latest", "--series", "x*")

    assert (runs.code, runs.out, runs.err) == (0, "", "no runs yet\n")
    assert (latest.code, latest.out, latest.err) == (0, "", "no readings in the last 90m\n")
    assert (awaited.code, awaited.out) == (0, "")
    assert re.match(
        r"no readings of x\* in the last 24h; the next run of '\w+' is in ", awaited.err
    )


def test_times_are_local_with_their_offset(site: DaemonProcess, cli: CommandLine) -> None:
    """Readings and runs are told in the zone of the terminal, not in UTC."""
    cli.environ["TZ"] = "America/Anchorage"
    cli("once", "good")

    assert "2023-11-14 13:13:20-09:00" in cli("latest", "--within", "36500d").out
    assert re.search(r"started +[\d-]+ [\d:]+-0[89]:00, ", cli("runs", "1").out)
