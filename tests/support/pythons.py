"""Other interpreters: environments of this one, and other versions if this machine has any."""

import os
import shutil
import sys
import venv
from pathlib import Path
from typing import Final

import pytest

# The oldest that workers run in, and one that may be newer than the daemon's.
OTHERS: Final = ("3.9", "3.13")
TOO_OLD: Final = ("3.8", "3.7", "3.6")


class Environment:
    """A virtual environment without anything installed, and without pip."""

    def __init__(self, path: Path) -> None:
        venv.EnvBuilder(symlinks=True).create(path)
        self.path, self.python = path, path / "bin" / "python"

    @property
    def packages(self) -> Path:
        """The folder of what is installed in it."""
        version = ".".join(map(str, sys.version_info[:2]))
        return self.path / "lib" / f"python{version}" / "site-packages"

    def install(self, name: str, text: str) -> None:
        """Put a module into it, as pip would: beside what describes it."""
        (self.packages / f"{name}.py").write_text(text)
        (self.packages / f"{name}-{len(text)}.dist-info").mkdir(exist_ok=True)


def interpreter(version: str) -> Path:
    """Return where an interpreter is; skip the test where there is none."""
    kept = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv", "versions")
    found = [*kept.glob(f"{version}.*/bin/python3"), shutil.which(f"python{version}")]
    path = next((Path(each) for each in found if each), None)
    if path is None:
        pytest.skip(f"needs Python {version}, and there is none here")
    return path


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """Give an environment of the interpreter that runs the tests."""
    return Environment(tmp_path / "environment")
