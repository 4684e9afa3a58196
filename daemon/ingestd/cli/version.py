"""Which version runs, in a line."""

import sys

from ingestd import __version__


def version() -> str:
    """Return the version of ingestd, and of the Python that runs it."""
    return f"ingestd {__version__}, Python {sys.version.partition(' ')[0]}"
