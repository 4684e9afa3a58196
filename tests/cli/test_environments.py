"""``ingestd plugins install``: an environment for plugins, made whole or not at all."""

import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.support.cli import CommandLine
from tests.support.daemon import DaemonFolder
from tests.support.pythons import Environment

# Makes environments with pip, which takes some seconds of processor time.
pytestmark = pytest.mark.slow(6)
NAMED = "Name: meters\n"
PURE = "Root-Is-Purelib: true\nTag: py3-none-any\n"


@pytest.fixture
def cli(daemon_folder: DaemonFolder) -> CommandLine:
    """Give commands with a configuration, whose daemon does not run."""
    return CommandLine(daemon_folder.config())


def wheel(folder: Path, version: str) -> Path:
    """Write a package ``meters`` with one module that knows its version."""
    path = folder / f"meters-{version}-py3-none-any.whl"
    info = f"meters-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("meters.py", f"VERSION = {version!r}\n")
        file.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: meters\nVersion: {version}\n"
        )
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", "")
    return path


def version_in(python: Path) -> str:
    """Return which version of the package an interpreter imports."""
    command = [str(python), "-c", "import meters; print(meters.VERSION)"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_one_takes_the_place_of_the_other(cli: CommandLine, tmp_path: Path) -> None:
    """It says what to write, is replaced as a whole, and a failure leaves it as it was."""
    environments = cli.config_path.parent / "state" / "environments"
    before = Environment(environments / "meters-before")
    before.install("meters", "VERSION = '1.0'\n")
    (environments / "meters").symlink_to(before.path.name)
    python = environments / "meters" / "bin" / "python"
    listed = tmp_path / "meters.txt"
    listed.write_text(f"{wheel(tmp_path, '2.0')}\n")
    cli.environ["PIP_NO_INDEX"] = "1"
    install = ("plugins", "install", "meters", "-r", str(listed))
    versions = [version_in(python)]
    said = []
    for options in ((), ("--python", "/bin/false")):
        said.append(cli(*install, *options))
        versions.append(version_in(python))

    assert [each.code for each in said] == [0, 1]
    assert versions == ["1.0", "2.0", "2.0"]
    assert f"    python: {python}" in said[0].lines
    assert said[0].lines[-1] == f"    ingestd {' '.join(install)}"
    assert said[1].err == "/bin/false: makes no environment; the reason is above\n"
    assert len(list(environments.iterdir())) == 2  # the link, and what it leads to


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("../meters", "-r", "meters.txt"), "expected a letter, and then letters, digits"),
        (("meters", "-r", "meters.txt", "--python", "/nowhere"), "/nowhere: No such file"),
        (("meters", "-r", "other.txt"), "'other.txt' does not exist"),
        (("meters",), "Missing option '--requirements' / '-r'"),
    ],
)
def test_what_cannot_be_made_leaves_nothing(
    cli: CommandLine, arguments: tuple[str, ...], text: str
) -> None:
    """The error says why, and no folder stays behind."""
    folder = cli.config_path.parent
    (folder / "meters.txt").write_text("meters\n")

    said = cli("plugins", "install", *arguments)

    assert said.code != 0
    assert text in said.err
    environments = folder / "state" / "environments"
    assert not environments.exists() or list(environments.iterdir()) == []
