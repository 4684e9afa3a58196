"""Commands for people and scripts; ``ingestd --help`` lists them."""

import _signal  # type: ignore[import-not-found]  # signal takes longer to import than a start so far
import sys

from ingestd.cli.version import version

__all__ = ["main"]


def main() -> None:
    """Run the command line and end the process."""
    if sys.argv[1:] == ["--version"]:  # scripts ask for it often, and it needs nothing else
        sys.stdout.write(f"{version()}\n")
        return
    if "run" in sys.argv[1:]:  # a signal must not end a daemon that is not there yet
        # Held until there is what takes them.
        _signal.pthread_sigmask(_signal.SIG_BLOCK, {_signal.SIGHUP, _signal.SIGUSR1})
        from ingestd.signals import SIGNALS  # noqa: PLC0415

        SIGNALS.install()
    from ingestd.cli import commands  # noqa: PLC0415 -- takes its time

    sys.exit(commands.main())
