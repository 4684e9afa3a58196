"""A worker process in another interpreter, which has nothing of ours installed.

Started as ``PYTHON -E -B elsewhere.py CHANNEL``, confined already, below a supervisor of our own
interpreter. Without a channel it says ``ready`` if it could serve.

What is imported here and in `worker.__main__` is understood by Python 3.9, this file by any
Python 3, so that one that is too old can say so.
"""

import importlib.util
import os
import sys
from pathlib import Path

OLDEST = (3, 9)
READY = "ready"
OURS = "ingestd"


def main() -> None:
    """Serve the daemon until it closes the channel, or say that this is possible."""
    if sys.version_info < OLDEST:
        oldest, this = (".".join(map(str, each)) for each in (OLDEST, sys.version_info[:3]))
        sys.exit(f"expected Python {oldest} or later, got {this}")
    del sys.path[0]  # this folder, whose modules are not to be found by their short names
    forget_variables()
    provide(Path(__file__).parents[1])
    from ingestd.worker.__main__ import main as serve  # noqa: PLC0415 (it is there from here on)

    if len(sys.argv) > 1:
        sys.argv.append("-")
        serve()
    else:
        sys.stdout.write(READY)


def forget_variables() -> None:
    """Keep from what runs here, and what it starts, variables that are for our own interpreter."""
    for name in [each for each in os.environ if each.startswith("PYTHON")]:
        del os.environ[name]
    os.environ.pop("VIRTUAL_ENV", None)


def provide(folder: Path) -> None:
    """Make our package known, and nothing else that is installed beside it."""
    spec = importlib.util.spec_from_file_location(
        OURS, str(folder / "__init__.py"), submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        sys.exit(f"{folder}: holds no package")
    module = importlib.util.module_from_spec(spec)
    sys.modules[OURS] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    main()
