"""``ingestd state``, with a daemon and without."""

import pytest

from tests.support.cli import CommandLine
from tests.support.daemonprocess import DaemonProcess

pytestmark = pytest.mark.slow

COUNTER = """
def run(*, extra=None, count=0, **_):
    return {"count": count + 1, "hidden": {"token": "geheimnis"}, "delete_params": ["extra"]}
"""


@pytest.fixture(params=["daemon", "files"])
def counter(
    request: pytest.FixtureRequest, daemon: DaemonProcess, cli: CommandLine
) -> DaemonProcess:
    """Give a collector that has run once, in a daemon that still runs or that does not."""
    daemon.plugin("counter", COUNTER)
    collector = {"plugin": "counter", "every": "365d", "params": {"extra": 1}}
    daemon.configure(collectors={"c": collector, "unused": {"plugin": "counter", "every": "365d"}})
    if request.param == "daemon":
        daemon.start()
    assert cli("once", "c").code == 0
    return daemon


def test_a_state_is_forgotten_when_that_is_confirmed(
    counter: DaemonProcess, cli: CommandLine
) -> None:
    """State and hidden go, masks only if they are meant."""
    refused = cli("state", "reset", "c", stdin="n\n")
    silent = cli("state", "reset", "c")
    assert (refused.code, cli.json("state", "show", "c")["state"]) == (130, {"count": 1})
    assert silent.code == 130
    assert silent.err.endswith("\nc: not confirmed, nothing was forgotten\n")

    confirmed = cli("state", "reset", "c", stdin="y\n")
    after = cli.json("state", "show", "c")
    cli("state", "reset", "c", "--masks", "--yes")
    at_last = cli.json("state", "show", "c")

    assert (confirmed.code, confirmed.out) == (0, "c: forgotten\n")
    assert after == {"collector": "c", "state": {}, "masks": ["extra"], "hidden": {"keys": 0}}
    assert at_last["masks"] == []


def test_state_shows_what_is_hidden_only_as_a_number(
    counter: DaemonProcess, cli: CommandLine
) -> None:
    """It names the params that are masked."""
    shown = cli("state", "show", "c")

    assert shown.lines == [
        "state          count: 1",
        "hidden         1 key",
        "masked params  extra",
    ]


def test_an_unknown_collector_is_told(counter: DaemonProcess, cli: CommandLine) -> None:
    """One that has never run has an empty state."""
    assert cli("state", "show", "unused").out == "state          empty\n"
    for args in (["show", "nowhere"], ["reset", "nowhere", "--yes"]):
        said = cli("state", *args)
        assert said.code == 1
        assert "no collector 'nowhere'" in said.err
