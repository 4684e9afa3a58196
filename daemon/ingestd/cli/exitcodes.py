"""How a command ends: its exit code, and one clear line for what went wrong."""

import os
import sys
from collections.abc import Callable
from typing import Any, Final

import click

from ingestd.errors import ConfigError, IngestError, NotNow, StateDirectoryBusy, StoreUnavailable

FAILURE: Final = 1
UNAVAILABLE: Final = 69  # EX_UNAVAILABLE of sysexits.h, and so on
TRY_LATER: Final = 75
CONFIG: Final = 78
INTERRUPTED: Final = 130  # as shells have it: 128 and SIGINT


class CommandError(IngestError):
    """What was asked for cannot be done."""


class ApiError(CommandError):
    """A running daemon refused, or did not answer.

    Attributes:
        status: The HTTP status, or 0 for no answer.
    """

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


def ended(command: Callable[[], Any]) -> int:
    """Call a command and return the exit code; say on standard error what went wrong."""
    try:
        code = command()
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except IngestError as error:
        return complain(error)
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:  # as in `ingestd runs | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    return code if isinstance(code, int) else 0


def complain(error: IngestError) -> int:
    """Print an error and return its exit code."""
    # Without a priority the journal would take it for information.
    mark = "<3>" if "JOURNAL_STREAM" in os.environ and _is_journal() else ""
    for line in str(error).splitlines():
        click.echo(f"{mark}{line}", err=True)
    return exit_code(error)


def _is_journal() -> bool:
    from ingestd.logs import suited_format  # noqa: PLC0415 -- takes its time

    return suited_format(sys.stderr, os.environ) == "journal"


def exit_code(error: IngestError) -> int:
    """Return the exit code for an error."""
    match error:
        case ApiError(status=409 | 503):
            return TRY_LATER
        case ConfigError():
            return CONFIG
        case StateDirectoryBusy() | NotNow():
            return TRY_LATER
        case StoreUnavailable():
            return UNAVAILABLE
    return FAILURE
