"""What may go wrong at a DCS server, told apart by what it means for the rest of the run."""

from collections.abc import Mapping
from typing import Final

TOLD: Final = 5


class ReadError(Exception):
    """Something that keeps us from readings; what came before it counts."""


class DcsError(ReadError):
    """The server is of no use for now, whichever source is asked for."""


class ListRefused(DcsError):
    """The server does not let this account see this list."""


class SourceRefused(ReadError):
    """The server will not give this source, however often it is asked."""


class SourceFailed(ReadError):
    """The server could not give this source this time."""


class LateAnswer(DcsError):
    """The server was reached, and did not begin to answer in time."""


class WindowRefused(ReadError):
    """The server refuses a window, and does not say whether that is for its length."""


class RangeTooLong(WindowRefused):
    """The window holds more than the server gives at once."""


class BodyLost(ReadError):
    """The answer ended in its middle."""


def summary(problems: Mapping[str, str]) -> str:
    """Tell the problems of sources in a bounded text, or nothing if there are none."""
    told = [f"{name}: {problem}" for name, problem in list(problems.items())[:TOLD]]
    if more := len(problems) - len(told):
        told.append(f"and {more} more")
    return "; ".join(told)
