"""``ingestd new-plugin``: what it writes runs, and its tests pass."""

import subprocess
import sys

import pytest

from tests.support.cli import CommandLine
from tests.support.daemonprocess import DaemonProcess, eventually

pytestmark = pytest.mark.slow


@pytest.mark.slow(10)
@pytest.mark.parametrize("options", [(), ("--stream",)])
def test_writes_a_plugin_that_runs_and_a_test_that_passes(
    daemon: DaemonProcess, cli: CommandLine, options: tuple[str, ...]
) -> None:
    """A newcomer follows its advice: paste, try, run the test."""
    daemon.configure()
    said = cli("new-plugin", "boiler", *options)
    snippet = said.out.partition("\n\n")[2].partition("\n\n")[2].partition("\n\n")[0]
    text = daemon.config_path.read_text()
    daemon.config_path.write_text(f"{text}collectors:\n{snippet}\n")

    assert said.code == 0, said.err
    assert cli("check").code == 0
    tried = cli.json("once", "boiler", "--dry-run", "--listen-for", "500ms")
    assert tried["readings"][0]["series"] == "boiler_load"
    tests = daemon.folder / "plugins" / "tests"
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests)]
    done = subprocess.run(argv, cwd=tests, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout
    assert [each["name"] for each in cli.json("plugins") if "boiler" in each["path"]] == ["boiler"]


def test_its_advice_can_be_followed_as_it_stands(daemon: DaemonProcess, cli: CommandLine) -> None:
    """The shell that follows it knows nothing of the virtualenv."""
    daemon.configure()
    said = cli("new-plugin", "boiler")
    snippet = said.out.partition("\n\n")[2].partition("\n\n")[2].partition("\n\n")[0]
    text = daemon.config_path.read_text()
    daemon.config_path.write_text(f"{text}collectors:\n{snippet}\n")
    lines = [line for line in said.lines if line.startswith(("Then try it", "run its test"))]
    tried, test = (line.partition(":  ")[2].strip() for line in lines)
    environ = {**cli.environ, "PATH": "/usr/bin:/bin"}

    for command in (tried, test):
        done = subprocess.run(command, shell=True, env=environ, capture_output=True, check=False)
        assert done.returncode == 0, (command, done)


def test_is_taken_up_by_a_running_daemon(daemon: DaemonProcess, cli: CommandLine) -> None:
    """A reload is all it takes."""
    daemon.configure()
    daemon.start()
    cli("new-plugin", "boiler")
    daemon.configure(collectors={"boiler": {"plugin": "boiler", "every": "365d"}})

    assert cli("reload").out.startswith("collectors: +boiler")
    assert cli("once", "boiler").code == 0
    assert eventually(lambda: cli.json("latest"))[0]["series"] == "boiler_load"


def test_overwrites_nothing(daemon: DaemonProcess, cli: CommandLine) -> None:
    """A file that is there already stays as it is."""
    daemon.configure()
    daemon.plugin("boiler", "mine")

    said = cli("new-plugin", "boiler")

    assert (said.code, "is there already" in said.err) == (1, True)
    assert (daemon.folder / "plugins" / "boiler.py").read_text() == "mine"


def test_works_before_there_is_a_configuration(daemon: DaemonProcess, cli: CommandLine) -> None:
    """The advice then names the plugin by its path."""
    folder = daemon.folder / "elsewhere"

    said = cli("new-plugin", "boiler", "--dir", str(folder))

    assert said.code == 0
    assert f"    plugin: {folder}/boiler.py" in said.lines
    assert cli("new-plugin", "not-a-name").code == 1
