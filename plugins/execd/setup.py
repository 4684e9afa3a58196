"""What a run is made of: its params, read and checked before anything is started.

The functions take all params as attributes of one object, so that a run and ``check`` read them
alike.
"""

import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ingestd.plugins._commands import (
    NAMING,
    Command,
    RunReader,
    check_unused,
    check_words,
    command_of,
)
from ingestd.plugins._params import duration, whole, zone_of
from ingestd.plugins._problems import Gathering, Problems
from ingestd.plugins._shapes import OPTIONS as OF_SHAPES
from ingestd.plugins._times import notation

from .lines import Lines, lines_of

RUN: Final = "run"
FORMATS: Final = ("influx", "json", "ndjson", RUN)
NONE, STDIN = "none", "stdin"
SIGNALS: Final[Mapping[str, int]] = {
    "sigusr1": signal.SIGUSR1,
    "sigusr2": signal.SIGUSR2,
    "sighup": signal.SIGHUP,
}
LONGEST_STOP: Final = 3.0  # seconds; the daemon waits five for a run that is to end


@dataclass(frozen=True, slots=True)
class Asking:
    """How a command is asked for readings.

    Attributes:
        way: ``none``, ``stdin``, or one of ``SIGNALS``.
        interval: How often, in seconds.
        stop_within: How long it has to end once its input is closed, in seconds.
    """

    way: str
    interval: float
    stop_within: float


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Setup:
    """What the params say; never shown, because secrets travel in it.

    Attributes:
        command: What is started.
        asking: How it is asked for readings.
        max_line: How long a line may be, in bytes.
        lines: What finds readings in lines; None: they are results of a run.
        results: What reads those.
    """

    command: Command
    asking: Asking
    max_line: int
    lines: Lines | None
    results: RunReader


def setup_of(params: Any, around: str | None = None) -> Setup:
    """Read all params.

    Args:
        params: All of them.
        around: The name of the collector's zone, or None.

    Raises:
        ValueError: Says which is wrong.
    """
    with Gathering() as wrong:
        wrong.read(lambda: look_at_words(params))
        return Setup(
            command=wrong.read(
                lambda: command_of(
                    params.command, cwd=params.cwd, env=params.env, stdin=params.stdin
                )
            ),
            asking=wrong.read(lambda: asking_of(params)),
            max_line=wrong.read(lambda: whole(params.max_line, "max_line", least=1)),
            lines=wrong.read(lambda: found_by(params, around)),
            results=RunReader(
                notation(params.time_format, wrong.read(lambda: zone_of(params.timezone, around)))
            ),
        )


def found_by(params: Any, around: str | None) -> Lines | None:
    """Return what finds readings in lines, unless these are results of a run.

    Raises:
        ValueError: Says which param is wrong.
    """
    told = params.format
    if told not in FORMATS:
        raise ValueError(f"format: expected one of {', '.join(FORMATS)}, got {told!r:.80}")
    with Gathering() as wrong:
        if told == RUN:
            wrong.read(lambda: check_unused(params, OF_SHAPES - {"time_format"}, "format: run"))
            return None
        wrong.problems += [
            f"{name}: means nothing but with format: run"
            for name in ("params", "initial")
            if getattr(params, name)
        ]
        return wrong.read(lambda: lines_of(params, around))


def asking_of(params: Any) -> Asking:
    """Read the options that say how a command is asked, and how it is to end.

    Raises:
        ValueError: Says which is wrong.
    """
    known = (NONE, STDIN, *SIGNALS)
    with Gathering() as wrong:
        if params.signal not in known:
            text = f"signal: expected one of {', '.join(known)}, got {params.signal!r:.80}"
            wrong.problems.append(text)
        interval = wrong.read(lambda: duration(params.interval, "interval"))
        within = wrong.read(lambda: duration(params.stop_within, "stop_within"))
        if interval is not None and not interval:
            wrong.problems.append("interval: expected more than 0s")
        if within is not None and within > LONGEST_STOP:
            got = f"got {params.stop_within!r:.20}"
            wrong.problems.append(f"stop_within: expected at most {LONGEST_STOP:g}s, {got}")
    return Asking(params.signal, interval, within)


def is_shaped(params: Mapping[str, Any]) -> bool:
    """Say whether the operator says where things are in the lines."""
    told = params.get("format", "influx")
    if told == "influx":
        return any(params.get(name) is not None for name in NAMING)
    return told in FORMATS and told != RUN


def look_at_words(params: Any) -> None:
    """Look at the words of the command, and at what stands in braces.

    Raises:
        ValueError: Says what is wrong with them.
    """
    command = command_of(params.command, cwd=None, env=None)
    beside = {"env": params.env, "params": params.params, "stdin": params.stdin}
    problems = check_words(command.words, known=tuple(params.initial or ()), beside=beside)
    if found := list(problems):
        raise Problems(found)
