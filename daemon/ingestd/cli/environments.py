"""Makes environments below the state directory: an interpreter with packages of its own.

Each is made whole before it takes the place of the one before it, so that a failure leaves that
as it was. ``environments/NAME`` is a link to the folder that was made last.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ingestd.cli.exitcodes import CommandError

FOLDER: Final = "environments"
MODE: Final = 0o700


def make_environment(state_dir: Path, name: str, requirements: Path, python: Path | None) -> Path:
    """Make an environment and return its interpreter.

    Args:
        state_dir: The state directory, which may have yet to be made.
        name: The environment's.
        requirements: What is to be installed, as pip reads it.
        python: The interpreter that it is made from, or None for the one that made ours.

    Raises:
        CommandError: It cannot be made; one of that name stays as it was.
    """
    folder = state_dir / FOLDER
    for each in (state_dir, folder):
        each.mkdir(mode=MODE, parents=True, exist_ok=True)
    place = folder / name
    if place.exists() and not place.is_symlink():
        raise CommandError(f"{place}: expected a link that was made here, got something else")
    made = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=folder))
    try:
        _fill(made, requirements, python or Path(sys.executable))
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    _put(made, place)
    return place / "bin" / "python"


def _fill(made: Path, requirements: Path, python: Path) -> None:
    _run([str(python), "-I", "-m", "venv", str(made)], f"{python}: makes no environment")
    pip = [str(made / "bin" / "python"), "-I", "-m", "pip", "--disable-pip-version-check"]
    wanted = [*pip, "--no-input", "install", "--quiet", "--requirement", str(requirements)]
    _run(wanted, f"{requirements}: cannot be installed")


def _run(command: Sequence[str], failure: str) -> None:
    """Run a command whose output is shown as it comes.

    Raises:
        CommandError: It cannot be started, or fails.
    """
    try:
        code = subprocess.run(command, stdout=2, check=False).returncode  # noqa: S603 (an operator's)
    except OSError as error:
        raise CommandError(f"{command[0]}: {error.strerror}") from None
    if code:
        raise CommandError(f"{failure}; the reason is above")


def _put(made: Path, place: Path) -> None:
    """Have a link lead to what was made, and remove what it led to before."""
    before = place.resolve() if place.is_symlink() else None
    link = made.with_name(f"{made.name}.link")
    link.symlink_to(made.name)
    os.replace(link, place)  # noqa: PTH105 (at once, whatever is there)
    if before is not None and before.parent == made.parent.resolve():
        shutil.rmtree(before, ignore_errors=True)
