"""What answers a command: a daemon, wherever it listens, or else its files."""

import re

import pytest

from ingestd.disk.directory import StateDirectory
from tests.support.cli import CommandLine
from tests.support.daemonprocess import DaemonProcess
from tests.support.ports import free_port

pytestmark = pytest.mark.slow


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
        assert len(status.lines) <= 15

    site.config_path.write_text(good)
    assert cli("reload").out == "nothing changed\n"
    site.configure(**{**site.config, "series": {}})
    assert cli("reload").out.startswith("collectors: unchanged; stores: unchanged; series: changed")


def test_without_a_daemon_a_broken_configuration_is_told(
    site: DaemonProcess, cli: CommandLine
) -> None:
    """All of its problems are on standard error."""
    site.config_path.write_text("collectors: {a: {plugin: x, evry: 1}}\n")

    assert cli("status").code == 78
    assert cli("reload").code == 78


def test_presents_the_token_and_finds_a_unix_socket(site: DaemonProcess, cli: CommandLine) -> None:
    """The daemon is found through its state directory, on TCP and on a socket file."""
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
