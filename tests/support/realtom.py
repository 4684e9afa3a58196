"""A real TOM Toolkit, as `tests/tom.sh` has made it: a site to copy, and a server for it.

Where that was not run, the test is skipped, but fails where ``CI`` is set.
"""

import os
import shutil
import urllib.request
from pathlib import Path
from typing import Final

import pytest

from tests.support.deadline import WITHIN
from tests.support.ports import free_port
from tests.support.servers import RealServer

CHECKOUT: Final = Path(__file__).parents[2]
RELEASE: Final = "3.1.0"
ADMIN: Final = {"username": "admin", "password": "s3cret-admin"}


def tom_folder() -> Path:
    """Return where it was made; skip the test, or fail it in CI."""
    folder = Path(os.environ.get("INGESTD_TEST_TOM") or CHECKOUT / ".venv-tom")
    if not (folder / f"made-{RELEASE}").exists():
        reason = "there is no TOM Toolkit (run tests/tom.sh once)"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


def tom_site(folder: Path) -> tuple[Path, Path]:
    """Copy the site into a folder; return its Python and the folder of `manage.py`."""
    made = tom_folder()
    shutil.copytree(made / "mytom", folder / "mytom")
    return made / "bin" / "python", folder / "mytom"


def tom_server(python: Path, site: Path) -> RealServer:
    """Return a server of a site, not yet started."""
    port = free_port()
    argv = [str(python), str(site / "manage.py"), "runserver", "--noreload", f"127.0.0.1:{port}"]
    return RealServer(argv, url=f"http://127.0.0.1:{port}", folder=site, ready=answers)


def answers(url: str) -> bool:
    """Whether the API answers."""
    try:
        with urllib.request.urlopen(f"{url}/api/targets/", timeout=WITHIN) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False
