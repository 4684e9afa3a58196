"""The logs: a table for each day, in the boiler's local time, to which lines are added."""

import re
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from math import inf
from typing import Any, Final

from ingestd.plugins._answers import Answer
from ingestd.plugins._times import Notation, NoTime, notation, settle

from .boiler import ENCODING, Boiler

# A time that no clock has shown is handed on, because the daemon counts it.
Time = float | NoTime
Reading = tuple[Time, str, str]

JSON: Final = "json"
NONE: Final = "none"
PLACES: Final = {
    "touch": "logfiles/pelletronic/touch_%Y%m%d.csv",
    "classic": "csv/%Y-%m-%d_00-00.csv",
}
KEPT: Final = 4  # days that the JSON interface has logs of, today included

TITLE: Final = re.compile(r"(.*?)\s*(?:\[(.*)\])?\s*")
NUMBERED: Final = re.compile(r"(P\d{3})\b")
DEGREES: Final = re.compile(r"[^A-Za-z%]+C")  # the sign comes in several wrong encodings
# What these columns hold is the text of a fault, if there is one.
FAULTS: Final = "Fehler"
SHAPES: Final = (
    (2, "%d.%m.%Y %H:%M:%S"),
    (2, "%d.%m.%Y %H:%M"),
    (1, "%Y-%m-%d %H:%M"),
    (1, "%Y-%m-%d %H:%M:%S"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines to read.

    Attributes:
        zone: Of the boiler's clock.
        begin: The first time, in Unix seconds.
        end: The last one, in Unix seconds.
    """

    zone: tzinfo
    begin: float
    end: float

    def days(self) -> Iterator[date]:
        """Yield the days of the boiler that these times lie in."""
        day = datetime.fromtimestamp(self.begin, self.zone).date()
        last = datetime.fromtimestamp(self.end, self.zone).date()
        while day <= last:
            yield day
            day += timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Log:
    """The table of a day.

    Attributes:
        name: What the boiler calls it.
        columns: Behind the time, as series have them.
        lines: Unix seconds, or why there are none, and a cell for each column.
        broken: For each line that was not whole, how many good ones stood above it.
    """

    name: str
    columns: Sequence[str]
    lines: Sequence[tuple[Time, Sequence[str]]]
    broken: Sequence[int]

    def readings(self, site: str, *, since: float) -> Iterator[Reading]:
        """Yield a reading for each cell with something in it, from a time on."""
        series = [f"{site}_{column}" for column in self.columns]
        latest = -inf  # a time that is none stands where the line before it does
        for time, cells in self.lines:
            if not isinstance(time, NoTime):
                latest = time
            if latest < since or (latest == since and isinstance(time, NoTime)):
                continue
            for name, column, cell in zip(series, self.columns, cells, strict=True):
                value = cell.strip().replace(",", ".")
                if value and not (column.startswith(FAULTS) and not value.isdigit()):
                    yield time, name, value

    def broken_since(self, time: float) -> int:
        """Return how many of the lines behind a time were not whole."""
        read = sum(isinstance(each, NoTime) or each <= time for each, _ in self.lines)
        return sum(above >= read for above in self.broken) if read < len(self.lines) else 0

    def newest(self, before: float | None, *, upto: float) -> float | None:
        """Return the newest time, which lies neither before what was read nor in the future."""
        times = [time for time, _ in self.lines if not isinstance(time, NoTime) and time <= upto]
        return max([*times, *([] if before is None else [before])], default=None)


def place_of(logs: str | None, *, password: str | None) -> str | None:
    """Return where logs are: ``json``, a path with the day in it, or None.

    Raises:
        ValueError: It is no such place.
    """
    chosen = logs if logs is not None else (JSON if password is not None else "touch")
    if chosen == NONE:
        return None
    if chosen == JSON and password is None:
        raise ValueError("logs: expected a password beside 'json', got none")
    place = PLACES.get(str(chosen), chosen)
    if place != JSON and "%" not in str(place):
        known = ", ".join([JSON, *PLACES, NONE])
        raise ValueError(f"logs: expected {known} or a path with %Y, %m and %d, got {logs!r}")
    return place.lstrip("/")


async def logs_of(boiler: Boiler, place: str, wanted: Wanted) -> AsyncGenerator[Log, None]:
    """Yield the logs with the lines that are wanted, the oldest first.

    Raises:
        AnswerError: There is none, or one is no log.
    """
    missing: Answer | None = None
    found = False
    source = kept(boiler, wanted) if place == JSON else dated(boiler, place, wanted)
    async for answer, log in source:
        if log is None:
            missing = answer
        else:
            found = True
            yield log
    if missing is not None and not found:
        raise missing.unexpected("a log of any day")


async def dated(
    boiler: Boiler, place: str, wanted: Wanted
) -> AsyncGenerator[tuple[Answer, Log | None], None]:
    """Yield the answers for the days that are wanted."""
    days = list(wanted.days())
    for day in days:
        answer = await boiler.file(day.strftime(place))
        yield answer, log_in(answer, wanted, whole=day != days[-1])


async def kept(boiler: Boiler, wanted: Wanted) -> AsyncGenerator[tuple[Answer, Log | None], None]:
    """Yield the answers of the JSON interface, which counts the days backwards."""
    found: list[tuple[float, Answer, Log]] = []
    for back in range(KEPT):
        answer = await boiler.interface(f"log{back}")
        log = log_in(answer, wanted, whole=back > 0)
        if log is None or not log.lines:
            yield answer, None
            continue
        begin = next((time for time, _ in log.lines if not isinstance(time, NoTime)), inf)
        found.append((begin, answer, log))
        if begin <= wanted.begin:
            break
    for _, answer, log in sorted(found, key=lambda each: each[0]):
        yield answer, log


def log_in(answer: Answer, wanted: Wanted, *, whole: bool) -> Log | None:
    """Return the log in an answer, or None if the boiler has none of that day.

    Raises:
        AnswerError: It is something else.
    """
    text = answer.text(ENCODING)
    if answer.status == 404 or (answer.good and (not text.strip() or "JSON Interface" in text)):
        return None
    name = answer.where.rpartition("/")[2]
    if not answer.good or ";" not in text.partition("\n")[0] or text.lstrip()[:1] in {"<", "{"}:
        raise answer.unexpected("a table with semicolons")
    return table(text, wanted.zone, name=name, whole=whole)


def table(text: str, zone: tzinfo, *, name: str, whole: bool) -> Log:
    """Take a log apart.

    Args:
        text: Its first line has the titles.
        zone: Of the times in it.
        name: What to call it.
        whole: Whether nothing is added any more; otherwise a last line without an
            end is still being written, and is left for the next time.
    """
    head, *lines = text.split("\n")
    if lines and not whole:
        lines.pop()
    titles = [title.strip() for title in head.rstrip("\r").rstrip(";").split(";")]
    rows = [line.rstrip("\r").split(";") for line in lines if line.strip()]
    width, shape = shape_of(rows, zone)
    columns = unique([column(title) for title in titles[width:]])
    shown: list[Any] = []
    cells: list[Sequence[str]] = []
    broken: list[int] = []
    for row in rows:
        time = shown_time(row[:width], shape)
        if time is None or len(row) < len(titles):
            broken.append(len(shown))
        else:
            shown.append(time)
            cells.append(row[width : len(titles)])
    times = settle(shown, [None] * len(shown))
    return Log(name, columns, list(zip(times, cells, strict=True)), broken)


def shape_of(rows: Sequence[Sequence[str]], zone: tzinfo) -> tuple[int, Notation]:
    """Return how many cells a time has in this log, and how it is written."""
    known = [(width, notation(shape, zone)) for width, shape in SHAPES]
    for row in rows[:10]:
        for width, shape in known:
            if shown_time(row[:width], shape) is not None:
                return width, shape
    return known[0]


def shown_time(cells: Sequence[str], shape: Notation) -> Any:
    """Return the time that the boiler's clock showed, or None."""
    time = shape.read(" ".join(each.strip() for each in cells))
    return None if isinstance(time, NoTime) and time.reason == "time" else time


def column(title: str) -> str:
    """Return a title as series have it: its words and its unit."""
    if numbered := NUMBERED.match(title):
        return numbered[1]
    found = TITLE.fullmatch(title)
    word, unit = (found[1], found[2] or "") if found else (title, "")
    if DEGREES.fullmatch(unit):
        unit = "celsius"
    words = re.sub(r"\W+", "_", f"{word}_{unit.replace('%', 'percent')}", flags=re.ASCII)
    return re.sub(r"_+", "_", words).strip("_")


def unique(names: Sequence[str]) -> list[str]:
    """Return names of which none comes twice."""
    seen: dict[str, int] = {}
    found = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return found
