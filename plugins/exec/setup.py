"""What a run is made of: its params, read and checked before anything is started.

The functions take all params as attributes of one object, so that a run and ``check`` read them
alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ingestd.plugins._commands import (
    NAMING,
    Command,
    Ending,
    Output,
    RunReader,
    check_unused,
    check_words,
    command_of,
    endings_of,
    output_of,
)
from ingestd.plugins._documents import FORMATS as OF_DOCUMENTS
from ingestd.plugins._params import whole, zone_of
from ingestd.plugins._places import ENDS
from ingestd.plugins._problems import Gathering, Problems
from ingestd.plugins._shapes import OPTIONS as OF_SHAPES
from ingestd.plugins._times import notation

from .asking import RUN, Asking, asking_of, places_of

NONE: Final = "none"
OF_COMMANDS: Final = (RUN, "value", "prometheus", NONE)
FORMATS: Final = (*OF_DOCUMENTS, *OF_COMMANDS)
OF_RUNS: Final = ("params", "initial", "backfills")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Setup:
    """What the params say; never shown, because secrets travel in it.

    Attributes:
        command: What is started.
        endings: What the status means with which it ends.
        max_bytes: How much it may write.
        output: What finds readings in that; None: nothing is looked for, or the command says all.
        results: What reads the results of a command that says all.
        asking: What is asked for.
    """

    command: Command
    endings: Mapping[int, Ending]
    max_bytes: int
    output: Output | None
    results: RunReader
    asking: Asking

    def ending(self, status: int) -> Ending:
        """Return what a status means."""
        return self.endings.get(status, Ending.FAILED)


def setup_of(params: Any, around: str | None = None) -> Setup:
    """Read all params.

    Args:
        params: All of them.
        around: The name of the collector's zone, or None.

    Raises:
        ValueError: Says which is wrong.
    """
    most = whole(params.max_bytes, "max_bytes", least=1)
    with Gathering() as wrong:
        wrong.read(lambda: look_at_words(params))
        wrong.read(lambda: check_kind(params))
        return Setup(
            command=wrong.read(
                lambda: command_of(
                    params.command, cwd=params.cwd, env=params.env, stdin=params.stdin
                )
            ),
            endings=wrong.read(lambda: endings_of(params.exit_codes)),
            max_bytes=most,
            output=wrong.read(lambda: found_by(params, around, most)),
            results=RunReader(
                notation(params.time_format, wrong.read(lambda: zone_of(params.timezone, around)))
            ),
            asking=wrong.read(lambda: asking_of(params, around)),
        )


def found_by(params: Any, around: str | None, most_bytes: int) -> Output | None:
    """Return what finds readings in the output, if anything is to find them.

    Raises:
        ValueError: Says which param is wrong.
    """
    if format_in(params.format) in {RUN, NONE}:
        return None
    return output_of(params, around, most_bytes=most_bytes)


def format_in(format: Any) -> str:  # noqa: A002 -- the option's name
    """Return the format.

    Raises:
        ValueError: There is none of this name.
    """
    if format not in FORMATS:
        raise ValueError(f"format: expected one of {', '.join(FORMATS)}, got {format!r:.80}")
    return str(format)


def is_shaped(params: Mapping[str, Any]) -> bool:
    """Say whether the operator says where things are in the output."""
    told = params.get("format", "auto")
    if told == "influx":
        return any(params.get(name) is not None for name in NAMING)
    return told in OF_DOCUMENTS


def check_kind(params: Any) -> None:
    """Refuse options that mean nothing with the format.

    Raises:
        ValueError: There are some.
    """
    told = params.format
    with Gathering() as wrong:
        if told != RUN:
            wrong.problems += [
                f"{name}: means nothing but with format: run"
                for name in OF_RUNS
                if getattr(params, name)
            ]
        if told in {RUN, NONE}:
            unused = OF_SHAPES - ({"time_format"} if told == RUN else set())
            wrong.read(lambda: check_unused(params, unused, f"format: {told}"))


def look_at_words(params: Any) -> None:
    """Look at the words of the command, and at what stands in braces.

    Raises:
        ValueError: Says what is wrong with them.
    """
    known = tuple(params.initial or ()) if params.format == RUN else ENDS
    command = command_of(params.command, cwd=None, env=None)
    beside = {"env": params.env, "params": params.params, "stdin": params.stdin}
    problems = list(check_words(command.words, known=known, beside=beside))
    if problems:
        raise Problems(problems)
    for where, place in places_of(params, known=known):
        if params.format == RUN and place.pattern is not None:
            raise ValueError(f"{where}: expected {{{place.name}}} without a notation")


def check_window(params: Any) -> None:
    """Refuse a window of the past that could not be asked for.

    Raises:
        ValueError: The command cannot be told from when on to read.
    """
    if params.start is None:
        return
    if params.format == RUN and not params.backfills:
        raise ValueError("backfills: expected true, from a command that reads from start to end")
    if params.format != RUN and not asking_of(params).moves:
        raise ValueError("command: expected {since} in it for a backfill, or in stdin, got none")
