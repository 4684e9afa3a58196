"""What the status means with which a command ends."""

import signal
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from ingestd.plugins._problems import Problems

TEMPORARY_FAILURE: Final = 75  # EX_TEMPFAIL of sysexits.h
LONGEST_LINE: Final = 300  # characters
MOST: Final = 255


class CommandError(Exception):
    """A command has failed, or has written what is no good."""


class Ending(StrEnum):
    """What an operator may say that a status means."""

    OK = "ok"
    DEGRADED = "degraded"
    FAILED = "failed"
    LATER = "later"


USUAL: Final[Mapping[int, Ending]] = {0: Ending.OK, TEMPORARY_FAILURE: Ending.LATER}


def endings_of(exit_codes: Any) -> dict[int, Ending]:
    """Read the option ``exit_codes``: what is not in it means what it usually does.

    Raises:
        ValueError: Says what is wrong.
    """
    if exit_codes is None:
        return dict(USUAL)
    if not isinstance(exit_codes, Mapping):
        raise ValueError(  # noqa: TRY004 -- what an operator wrote is a value
            f"exit_codes: expected a mapping such as {{3: later}}, got {exit_codes!r:.80}"
        )
    known = [each.value for each in Ending]
    wrong = [
        f"exit_codes.{code}: expected a status from 0 to {MOST}, and one of {', '.join(known)}, "
        f"got {code!r:.20}: {meaning!r:.40}"
        for code, meaning in exit_codes.items()
        if type(code) is not int or not 0 <= code <= MOST or meaning not in known
    ]
    if wrong:
        raise Problems(wrong)
    return {**USUAL, **{code: Ending(meaning) for code, meaning in exit_codes.items()}}


def told(status: int, printed: str) -> str:
    """Say how a command ended, with the last line that it wrote to standard error.

    Args:
        status: Its status, or the number of a signal below 0.
        printed: The end of what it wrote there.
    """
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    last = f": {lines[-1][:LONGEST_LINE]}" if lines else ""
    if status < 0:
        name = signal.Signals(-status).name if -status in set(signal.Signals) else f"{-status}"
        return f"was ended by {name}{last}"
    return f"ended with status {status}{last}"
