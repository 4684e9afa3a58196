"""``ingestd runs``: what is shown of a run."""

import pytest

from tests.support.cli import CommandLine
from tests.support.daemonprocess import DaemonProcess

pytestmark = pytest.mark.slow


def test_the_end_of_long_output_is_shown(daemon: DaemonProcess, cli: CommandLine) -> None:
    """The rest is shown on demand."""
    text = "for n in range(100):\n        print('line', n)\n    return {}"
    daemon.plugin("loud", f"def run(**_):\n    {text}\n")
    daemon.configure(collectors={"loud": {"plugin": "loud", "every": "365d"}})
    cli("once", "loud")

    cut, full = cli("runs", "1"), cli("runs", "1", "--full")

    assert "... 60 lines before these; --full shows all" in cut.out
    assert "line 59" not in cut.out
    assert "line 60" in cut.out
    assert next(line for line in full.lines if "line" in line).split()[-2:] == ["line", "0"]
