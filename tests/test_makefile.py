"""`make` on a machine that lacks something says what to install, in one line."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a directory with just enough of a checkout."""
    for name in ("Makefile", "setup.cfg", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def make(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make there, as if not from a make that runs these tests."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", *arguments], cwd=checkout, env=env, check=False, capture_output=True, text=True
    )


def fake_python(path: Path, script: str) -> Path:
    """Make a command that stands for a Python of some kind."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("target", ["run", "test", "test-newest", "check"])
def test_an_old_python_is_named_as_the_reason(checkout: Path, target: str) -> None:
    """The reason is told of a Python that is too old, and where there is none at all."""
    old = fake_python(checkout / "python3", "exit 1")

    answer = make(checkout, target, f"PYTHON={old} {checkout}/none")

    first, *rest = answer.stderr.splitlines()
    assert answer.returncode != 0
    assert first.startswith("make: ingestd needs Python 3.11 or later: install it")
    assert all(re.match(r"make(\[1\])?: \*\*\*", line) for line in rest)


def test_a_python_without_venv_is_named_as_the_reason(checkout: Path) -> None:
    """Debian's Python is like this until python3-venv is installed."""
    bare = fake_python(checkout / "python3", 'case "$2" in *ensurepip*) exit 1;; esac')

    answer = make(checkout, "run", f"PYTHON={bare}")

    first, *rest = answer.stderr.splitlines()
    assert answer.returncode != 0
    assert first.endswith("install its venv module (Debian, Ubuntu: apt install python3-venv)")
    assert all(re.match(r"make(\[1\])?: \*\*\*", line) for line in rest)


def test_make_alone_says_what_there_is(checkout: Path) -> None:
    """Every target is listed."""
    answer = make(checkout)

    assert answer.returncode == 0
    targets = "run", "test", "test-bench", "test-newest", "check", "bench", "bench-quick", "clean"
    for target in targets:
        assert f"make {target} " in answer.stdout


def test_only_bounds_with_a_reason_stay_for_the_newest_releases(checkout: Path) -> None:
    """A release that has been tried, and does not do, is not tried again each week."""
    (checkout / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "newest.py", checkout / ".ci")
    (checkout / "setup.cfg").write_text(
        "[options]\ninstall_requires =\n    open>=1.2\n    guessed>=1,<3\n"
        "[options.extras_require]\n"
        "# tried 3 no longer does what tests want\n"
        "test =\n    tried>=2.1,<3\n    tried-too[more]>=2.1,<3\n    tried>=2.1,<4\n"
    )

    answer = subprocess.run(
        [sys.executable, checkout / ".ci" / "newest.py"], check=True, capture_output=True, text=True
    )

    assert answer.stdout.split() == [
        "open>=1.2",
        "guessed>=1",
        "tried>=2.1,<3",
        "tried-too[more]>=2.1",
        "tried>=2.1",
    ]


def test_the_script_of_the_ci_is_valid() -> None:
    """A slip in it would show only on a clean machine."""
    script = ROOT / ".ci" / "run"

    assert subprocess.run(["bash", "-n", script], check=False).returncode == 0
    assert os.access(script, os.X_OK)
