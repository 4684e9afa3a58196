"""Commands for people and scripts; ``ingestd --help`` lists them."""

import sys

from ingestd.cli.version import version

__all__ = ["main"]


def main() -> None:
    """Run the command line and end the process."""
    if sys.argv[1:] == ["--version"]:  # scripts ask for it often, and it needs nothing else
        sys.stdout.write(f"{version()}\n")
        return
    from ingestd.cli import commands  # noqa: PLC0415 -- takes its time

    sys.exit(commands.main())
