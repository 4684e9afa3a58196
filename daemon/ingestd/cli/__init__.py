"""Commands for people and scripts; ``ingestd --help`` lists them."""

import sys

from ingestd.cli.version import version

__all__ = ["main"]


def main() -> None:
    """Run the command line and end the process."""
    if sys.argv[1:] == ["--version"]:  # scripts ask for it often, and it needs nothing else
        sys.stdout.write(f"{version()}\n")
        return
    if "run" in sys.argv[1:]:  # a signal must not end a daemon that is not there yet
        from ingestd.signals import SIGNALS  # noqa: PLC0415

        SIGNALS.install()
    from ingestd.cli import commands  # noqa: PLC0415 -- takes its time

    sys.exit(commands.main())
