"""``ingestd check`` with paths that lead nowhere, or to what never answers."""

import os

import pytest

from tests.support.cli import CommandLine
from tests.support.daemonprocess import DaemonProcess

pytestmark = pytest.mark.slow

PIPE = "expected a regular file, got a named pipe"


def test_pipes_behind_every_path_are_told_and_none_is_waited_for(
    daemon: DaemonProcess, cli: CommandLine
) -> None:
    """All of them in one go, each at its line."""
    folder = daemon.config_path.parent
    os.mkfifo(folder / "pipe")
    daemon.config_path.write_text(
        f"daemon: {{state_dir: {daemon.state_dir}, token_file: pipe}}\n"
        "series_file: pipe\n"
        "stores:\n"
        "  v: {type: victoriametrics, url: 'http://h', username: u, password_file: pipe}\n"
        "collectors:\n"
        "  a: {plugin: system, every: 1m, tags: {x: '${file:pipe}'}}\n"
    )

    said = cli("check")

    assert said.code == 78
    told = [line for line in said.err.splitlines() if PIPE in line]
    assert [line.partition("yaml:")[2].partition(": ")[0] for line in told] == ["1", "2", "4", "6"]


def test_pipes_in_the_place_of_plugins_and_files_beside_the_configuration(
    daemon: DaemonProcess, cli: CommandLine
) -> None:
    """A plugin is a file or a folder with one; a drop-in is a file."""
    folder = daemon.config_path.parent
    os.mkfifo(folder / "pipe.py")
    (folder / "bare").mkdir()
    daemon.configure(
        collectors={
            "a": {"plugin": "./pipe.py", "every": "5s"},
            "b": {"plugin": "./bare", "every": "5s"},
            "c": {"plugin": "/", "every": "5s"},
        }
    )

    said = cli("check")

    assert said.code == 78
    assert f"collectors.a.plugin: {folder}/pipe.py: cannot be read: {PIPE}" in said.err
    assert f"collectors.b.plugin: {folder}/bare: expected a file, or a folder with" in said.err
    assert "collectors.c.plugin: /: expected a file, or a folder with" in said.err

    (folder / "conf.d").mkdir()
    os.mkfifo(folder / "conf.d" / "x.yaml")

    said = cli("check")

    assert said.code == 78
    assert f"{folder}/conf.d/x.yaml: cannot be read: {PIPE}" in said.err


def test_a_reload_with_a_pipe_changes_nothing(daemon: DaemonProcess, cli: CommandLine) -> None:
    """The daemon goes on with the configuration that it has, and can be stopped."""
    folder = daemon.config_path.parent
    daemon.configure(collectors={"a": {"plugin": "system", "every": "5s"}})
    daemon.start()
    good = daemon.config_path.read_text()
    os.mkfifo(folder / "pipe")
    daemon.config_path.write_text(f"{good}\nseries_file: pipe\n")

    assert PIPE in cli("reload").err
    assert daemon.stop() == 0
