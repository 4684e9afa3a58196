"""Logs for a terminal, for the journal, or as JSON; all of them without secrets.

An event is a short phrase with keys and values, and is one line; only a terminal
shows tracebacks below it. What libraries log through ``logging`` goes the same
way, from warnings upwards.
"""

import json
import logging
import math
import os
import re
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from ingestd.redaction import Redactor

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
# What the journal reads at the start of a line.
PRIORITIES: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
# The journal cuts lines after 48 KiB, and what follows the cut has no priority.
LONGEST_LINE: Final = 12_000  # characters, of up to four bytes
LONGEST_TEXT: Final = 8_000  # characters of one value
DEEPEST_EVENT: Final = 8  # containers within containers
# The collector whose plugin wrote an event; it is not shown.
OF_PLUGIN: Final = "_of_plugin"
# Ours in every event, and in those that no plugin and no library wrote.
OUR_KEYS: Final = frozenset({"timestamp", "level"})
OUR_NAMES: Final = frozenset({"collector", "store", "plugin", "run", "backfill", "window"})
NO_KEY: Final = re.compile(r"[^\w.-]")

# How a terminal is told about colours.
BOLD, DIM, CYAN = "1", "2", "36"
STYLES: Final = {"info": "32", "warning": "33", "error": "31", "critical": "31", "debug": "2"}
STYLE: Final = re.compile(r"\x1b\[[0-9;]*m")

Event = dict[str, Any]


@dataclass(slots=True)
class Threshold:
    """The least level that is shown; it may be changed at any time."""

    level: str

    def __call__(self, _logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        """Drop what lies below."""
        if LEVELS[method] < LEVELS[self.level]:
            raise structlog.DropEvent
        return event


def configure(
    *,
    log_format: str,
    level: str,
    redactor: Redactor,
    stream: TextIO | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Threshold:
    """Send all logs of this process to one stream.

    Args:
        log_format: ``console``, ``journal``, ``json``, or ``auto`` to look at the stream.
        level: The least level to show: debug, info, warning, error or critical.
        redactor: Sees everything last, when it has become text.
        stream: Where to write, if not to standard error.
        environ: Says what the stream is, and whether colours are welcome.

    Returns:
        The threshold, to change the level later.
    """
    stream = stream or sys.stderr
    chosen = suited_format(stream, environ) if log_format == "auto" else log_format
    threshold = Threshold(level)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            threshold,
            structlog.processors.add_log_level,
            *time_stamps(chosen, stream),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            Finish(redactor, renderer(chosen, stream, environ)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
        logger_factory=Output(stream),
        cache_logger_on_first_use=False,
    )
    logging.captureWarnings(capture=True)
    root = logging.getLogger()
    root.handlers[:] = [Bridge()]
    root.setLevel(logging.WARNING)
    return threshold


def time_stamps(log_format: str, stream: TextIO) -> Sequence[Processor]:
    """Return what adds the time to an event, unless the journal adds its own."""
    if log_format == "journal":
        return []
    if log_format == "console" and stream.isatty():  # a person looks on, and wants the local time
        return [structlog.processors.TimeStamper("%H:%M:%S", utc=False)]
    return [structlog.processors.TimeStamper("iso", utc=True)]


def renderer(log_format: str, stream: TextIO, environ: Mapping[str, str]) -> Callable[[Event], str]:
    """Return what makes a line of an event."""
    if log_format != "console":
        return as_journal if log_format == "journal" else as_json
    colors = stream.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    return Console(colors=colors, columns=lambda: terminal_columns(stream))


def suited_format(stream: TextIO, environ: Mapping[str, str]) -> str:
    """Return the form that suits the reader of a stream: a terminal, the journal or a file."""
    if stream.isatty():
        return "console"
    with suppress(OSError):
        status = os.fstat(stream.fileno())
        if environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}":
            return "journal"
    return "json"


class Bridge(logging.Handler):
    """Takes what libraries log."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record as an event, with the name of its logger."""
        try:
            event = record.getMessage()
        except Exception:  # noqa: BLE001 -- the border: a library's own format and arguments
            event = f"{record.msg} {record.args!r}"
        level = max((n for n in LEVELS.values() if n <= record.levelno), default=logging.DEBUG)
        log = structlog.get_logger().bind(logger=record.name)
        log.log(level, event, exc_info=record.exc_info)


class Output:
    """Writes lines, as the one logger that structlog asks for."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def __call__(self, *_args: Any) -> "Output":
        """Return the logger."""
        return self

    def write(self, line: str) -> None:
        """Write a line; nothing happens if the reader has gone away."""
        text = f"{line}\n".encode(errors="backslashreplace").decode()  # lone surrogates
        with self._lock, suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()

    debug = info = warning = error = critical = write


@dataclass(frozen=True, slots=True)
class Finish:
    """The last step: an event becomes plain values, loses its secrets, and is a line."""

    redactor: Redactor
    render: Callable[[Event], str]

    def __call__(self, _logger: WrappedLogger, method: str, event: EventDict) -> str:
        """Return the line."""
        try:
            seen = masked(jsonable(event), self.redactor)
            return self.render({key: shortened(value) for key, value in seen.items()})
        except Exception as exc:  # noqa: BLE001 -- the border: plugins' values write themselves
            return self.render(
                {"level": method, "event": "a log line failed", "error": type(exc).__name__}
            )


def masked(event: Event, redactor: Redactor) -> Event:
    """Return an event without secrets.

    What a plugin or a library wrote is masked in full. Of our own events only texts
    among the values: a secret such as ``error`` or 1234 must not make them unreadable.
    """
    writer = event.pop(OF_PLUGIN, None)
    foreign = writer is not None or "logger" in event
    owner = writer or event.get("collector")
    owner = owner if isinstance(owner, str) else None
    seen: Event = {}
    for key, value in event.items():
        ours = key in OUR_KEYS or value == writer or (not foreign and key in OUR_NAMES)
        if ours or (not foreign and isinstance(value, int)):
            seen[key] = value
        elif key == "event" and not foreign:
            seen[key] = redactor.phrase(value, owner=owner)
        else:
            seen[key] = redactor.member(key, value, owner=owner)
    return seen


def jsonable(value: Any, depth: int = 0) -> Any:
    """Return a value made of what JSON knows."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, Mapping | list | tuple | set | frozenset) and depth == DEEPEST_EVENT:
        return "..."
    if isinstance(value, Mapping):
        return {str(key): jsonable(each, depth + 1) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(each, depth + 1) for each in value]
    return str(value) or repr(value)  # some exceptions have no words


def shortened(value: Any) -> Any:
    """Return a text without its middle if it is too long; of a traceback both ends matter."""
    if not isinstance(value, str) or len(value) <= LONGEST_TEXT:
        return value
    half = LONGEST_TEXT // 2
    return f"{value[:half]} ... ({len(value)} characters) ... {value[-half:]}"


def visible(text: str) -> str:
    """Return a text with line ends and the terminal's control characters spelt out."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def as_json(event: Event) -> str:
    """Return an event as a JSON object, its most important keys first."""
    first = {key: event[key] for key in ("timestamp", "level", "event") if key in event}
    return json.dumps(first | event, ensure_ascii=False)


def as_journal(event: Event) -> str:
    """Return an event as its phrase and ``key=value`` pairs, with its priority before them."""
    priority = PRIORITIES[event.pop("level")]
    phrase = visible(str(event.pop("event")))
    pairs = (f"{NO_KEY.sub('_', key)}={quoted(value)}" for key, value in event.items())
    return f"<{priority}>{' '.join([phrase, *pairs])}"[:LONGEST_LINE]


def quoted(value: Any) -> str:
    """Return a value for a ``key=value`` pair, in quotes if it would not end at a space."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if text and text.isprintable() and not set(text) & set(' "='):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{visible(escaped)}"'


class Console:
    """Renders events for people: the time, the level, the phrase, and ``key=value`` pairs.

    Args:
        colors: Whether they are welcome.
        columns: Returns how wide the terminal is, to break lines between pairs; 0 for a file.
    """

    def __init__(self, *, colors: bool, columns: Callable[[], int]) -> None:
        self._colors, self._columns = colors, columns

    def __call__(self, event: Event) -> str:
        """Return a line, and below it each text that has several lines itself."""
        below = {key for key, value in event.items() if isinstance(value, str) and "\n" in value}
        time, level = str(event.pop("timestamp", "")), str(event.pop("level"))
        below.discard("event")
        words = [
            self._styled(time, DIM),
            self._styled(level.ljust(5), STYLES.get(level, "")),
            self._styled(visible(str(event.pop("event"))), BOLD),
            *(self._pair(key, value) for key, value in event.items() if key not in below),
        ]
        line = broken(words, columns=self._columns(), indent=len(time) + 7)
        texts = [f"{visible(key)}:\n{indented(event[key])}" for key in event if key in below]
        return "\n".join([line, *texts])

    def _pair(self, key: str, value: Any) -> str:
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            value = ", ".join(value)
        return f"{self._styled(visible(key), CYAN)}={quoted(value)}"

    def _styled(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._colors and style else text


def broken(words: Sequence[str], *, columns: int, indent: int) -> str:
    """Return words in lines of so many columns at most; 0 for one line.

    A terminal would break them anywhere. Pairs stand apart, and only those that
    are too long for a line are broken at their spaces.
    """
    lines, width = [""], 0
    for at, word in enumerate(words):
        too_long = columns and _width(word) > columns - indent
        for number, part in enumerate(word.split(" ") if too_long else [word]):
            gap = "" if not width else " " if at < 3 or number else "  "
            if columns and width > indent and width + len(gap) + _width(part) > columns:
                lines.append(" " * indent)
                gap, width = "", indent
            lines[-1] += gap + part
            width += len(gap) + _width(part)
    return "\n".join(lines)


def _width(text: str) -> int:
    return len(STYLE.sub("", text))


def terminal_columns(stream: TextIO) -> int:
    """Return how wide a stream's terminal is, or 0 if it is none."""
    with suppress(OSError, ValueError):
        return os.get_terminal_size(stream.fileno()).columns
    return 0


def indented(text: str) -> str:
    """Return a text of several lines, each of them visible and moved to the right."""
    return "\n".join(f"  {visible(line)}" for line in text.expandtabs().splitlines())
