"""What is built has everything in it, installs anywhere, and runs from there."""

import os
import shutil
import site
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path
from typing import Final

import pytest

import ingestd

pytestmark = [pytest.mark.slow(20), pytest.mark.xdist_group("packaging")]

ROOT: Final = Path(__file__).parent.parent
NOT_SOURCE: Final = shutil.ignore_patterns(
    ".git",
    ".venv*",
    ".state",
    ".*_cache",
    ".hypothesis",
    "__pycache__",
    "*.egg-info",
    "build",
    "dist",
)


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist, and the wheel from the sdist, without the network."""
    source = tmp_path_factory.mktemp("build") / "source"
    shutil.copytree(ROOT, source, symlinks=True, ignore=NOT_SOURCE)
    built = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(built)]
    done = subprocess.run(command, cwd=source, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return built


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    """Return the wheel."""
    (path,) = dist.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def wheel_names(wheel: Path) -> set[str]:
    """Return the names of the files in the wheel."""
    return set(zipfile.ZipFile(wheel).namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into a fresh virtualenv, beside our own dependencies."""
    path = tmp_path_factory.mktemp("venv")
    venv.create(path, with_pip=False, symlinks=True)
    (packages,) = path.glob("lib/python*/site-packages")
    # Named in a file of its own, a directory comes last, and its .pth files are not
    # read: of our editable install nothing is seen.
    dependencies = sysconfig.get_path("purelib")
    assert dependencies in site.getsitepackages()
    (packages / "dependencies.pth").write_text(dependencies + "\n")
    pip = [sys.executable, "-m", "pip", "--python", str(path / "bin" / "python")]
    install = [*pip, "install", "--quiet", "--no-index", "--no-deps", str(wheel)]
    subprocess.run(install, check=True)
    return path


def files_below(path: Path) -> set[str]:
    """Return the relative names of all source files, links followed."""
    return {
        os.path.relpath(os.path.join(where, name), path)  # noqa: PTH118 - Path.walk is of 3.12
        for where, _, names in os.walk(path, followlinks=True)
        for name in names
        if "__pycache__" not in where
    }


def test_every_file_of_the_package_is_in_the_wheel(wheel_names: set[str]) -> None:
    """Modules, plugins, pages and the marker for type checkers are installed."""
    missing = {f"ingestd/{name}" for name in files_below(ROOT / "daemon" / "ingestd")} - wheel_names

    assert sorted(missing) == []
    assert "ingestd/py.typed" in wheel_names
    assert "ingestd/plugins/system.py" in wheel_names


def test_the_package_is_the_only_top_level_name(wheel_names: set[str]) -> None:
    """Installing it takes no name from another package."""
    version = ingestd.__version__

    tops = {name.partition("/")[0] for name in wheel_names}

    assert tops == {"ingestd", f"ingestd-{version}.dist-info", f"ingestd-{version}.data"}


def test_what_an_operator_needs_is_shared(wheel_names: set[str]) -> None:
    """The unit with its drop-in, the sample configs and the dashboards are installed."""
    prefix = f"ingestd-{ingestd.__version__}.data/data/share/ingestd/"
    shared = {name.removeprefix(prefix) for name in wheel_names if name.startswith(prefix)}
    wanted = files_below(ROOT / "conf") | {f"systemd/{n}" for n in files_below(ROOT / "systemd")}

    assert sorted(wanted - shared) == []
    assert {"ingestd.yaml", "systemd/ingestd.service", "systemd/before-253.conf"} <= shared


def test_the_sdist_can_be_built_and_tested(dist: Path) -> None:
    """A distribution that packages from it finds tests, docs and licence."""
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert {
        "LICENSE",
        "Makefile",
        "CHANGELOG.md",
        "plugins/system.py",
        "tests/conftest.py",
        "tests/test_packaging.py",
        "docs/configuration.md",
        "conf/demo.yaml",
    } <= names


def test_the_installed_command_knows_its_version(installed: Path) -> None:
    """It runs from where it was installed, with nothing of the checkout."""
    answer = subprocess.run(
        [installed / "bin" / "ingestd", "--version"],
        check=True,
        capture_output=True,
        text=True,
        cwd="/",
    )

    assert ingestd.__version__ in answer.stdout


def test_the_installed_package_is_the_wheels(installed: Path) -> None:
    """The plugins are found beside it, and the unit under share."""
    where = "import ingestd.plugins.system as it; print(it.__file__)"
    answer = subprocess.run(
        [installed / "bin" / "python", "-c", where],
        check=True,
        capture_output=True,
        text=True,
        cwd="/",
    )

    assert Path(answer.stdout.strip()).is_relative_to(installed)
    assert (installed / "share" / "ingestd" / "systemd" / "ingestd.service").is_file()
