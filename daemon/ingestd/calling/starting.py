"""How the daemon starts a worker process, and what it asks of one."""

import os
import sys
from collections.abc import Collection
from typing import Any

from ingestd.worker import Source


def worker_command(channel: int) -> list[str]:
    """Return the command line that starts a worker.

    Without ``-B`` it would write bytecode next to the plugins, and without
    ``-P`` it would import whatever lies in the current directory.
    """
    return [
        sys.executable,
        "-P",
        "-B",
        "-m",
        "ingestd.worker",
        str(channel),
        str(os.getpid()),
    ]


def worker_environment(withheld: Collection[str]) -> dict[str, str]:
    """Return our environment as a worker sees it.

    Args:
        withheld: Names of variables that hold what is none of a plugin's business.
    """
    return {name: value for name, value in os.environ.items() if name not in withheld}


def worker_request(source: Source, do: str, **more: Any) -> dict[str, Any]:
    """Return what to send to a worker."""
    plugin = (str(source.path), source.module, dict(source.files))
    return {"do": do, "plugin": plugin, **more}
