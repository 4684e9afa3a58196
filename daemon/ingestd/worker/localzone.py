"""The zone in which a plugin's ``datetime.now()`` and ``date.today()`` are."""

from __future__ import annotations

import os
import time
from importlib.resources import files
from pathlib import Path
from typing import Final

VARIABLE: Final = "TZ"
SYSTEMS: Final = Path("/usr/share/zoneinfo")
_AT_START: Final = os.environ.get(VARIABLE)


def set_local_zone(name: str | None) -> None:
    """Make a zone this process's local one.

    Args:
        name: Its IANA name; None for that of the machine.
    """
    wanted = _AT_START if name is None else _known_to_c(name)
    if os.environ.get(VARIABLE) == wanted:
        return
    if wanted is None:
        del os.environ[VARIABLE]
    else:
        os.environ[VARIABLE] = wanted
    time.tzset()


def _known_to_c(name: str) -> str:
    """Return a zone as the C library finds it; small machines have Python's package alone."""
    folder = Path(os.environ.get("TZDIR") or SYSTEMS)
    return name if (folder / name).is_file() else f":{files('tzdata') / 'zoneinfo' / name}"
