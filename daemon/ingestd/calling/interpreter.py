"""Another interpreter than the daemon's, whose packages some plugins need.

Nothing here starts it: it runs foreign code as soon as it starts, and so only in processes that
are confined.
"""

from pathlib import Path
from typing import Final

from ingestd.worker import Fingerprint

# What it has of its own may be changed by nobody but its owner anyway.
SYSTEMS: Final = frozenset(map(Path, ("/", "/usr", "/usr/local")))
PACKAGES: Final = "lib*/python3*/*-packages"


def folders_of(python: Path) -> tuple[Path, ...]:
    """Return the folders of an interpreter: its environment, and what that was made from."""
    found = (python.parent.parent, python.resolve().parent.parent)
    return tuple(each for each in dict.fromkeys(found) if each not in SYSTEMS)


def environment_fingerprint(python: Path) -> Fingerprint:
    """Look at an interpreter and the folders of its packages, which change with what is installed.

    Raises:
        OSError: It is not there.
    """
    places = [python, *sorted(python.parent.parent.glob(PACKAGES))]
    looks = [(str(each), each.stat()) for each in places]
    return tuple((name, look.st_mtime_ns, look.st_size) for name, look in looks)
